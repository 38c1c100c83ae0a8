package org.xenolith.translator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Cpu;

/** Accesses to the bus: the same walks on both engines, wherever in its block the instruction is. */
class DeviceAccessTest {
  /** A page that no RAM is behind. */
  private static final long DEVICE = 0x28_0000;

  private static Guest run(int earned, String hex) {
    Guest guest = new Guest(earned).code(HexFormat.of().parseHex(hex.replace(" ", "")));
    guest.memory.writeLong(0x4000 + (DEVICE >> 12) * 8, 0xfe00_0000L | 0x67);
    guest.cpu.r[Cpu.RBX] = DEVICE;
    assertThat(guest.run(500)).isNull();
    return guest;
  }

  @Test
  void walkAsOftenOnBothEngines() {
    // 1: mov eax, [rbx]; inc ecx; jmp 1b; the load between two increments; a store first; an addition first
    for (String code : new String[] {"8b 03 ff c1 eb fa", "ff c1 8b 03 ff c1 eb f8", "89 03 eb fc", "01 03 ff c1 eb fa"}) {
      Guest interpreted = run(0, code);
      Guest translated = run(1, code);
      assertThat(translated.translator.statistics()[0]).isPositive();
      assertThat(translated.state()).isEqualTo(interpreted.state());
      assertThat(translated.cpu.tlbStatistics()).as(code).isEqualTo(interpreted.cpu.tlbStatistics());
    }
  }
}
