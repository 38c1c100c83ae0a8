package org.xenolith.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.GuestMemory;

class RunDigestTest {
  private final GuestMemory memory = new GuestMemory(Arena.ofAuto().allocate(GuestMemory.FRAME_SIZE, GuestMemory.FRAME_SIZE));
  private final Cpu cpu = new Cpu(new AmdModel(), memory, new CodeCache(memory), Bus.EMPTY, new Clock());

  private String registers() {
    RunDigest digest = new RunDigest();
    digest.registers(cpu);
    return digest.hex();
  }

  @Test
  void everySystemRegisterCountsForAProcessorThatOwnsRing0() {
    cpu.ownsRing0 = true;
    List<Consumer<Cpu>> changes =
        List.of(
            c -> c.cpl++, c -> c.cr2++, c -> c.gdtBase++, c -> c.idtBase++, c -> c.gdtLimit++, c -> c.idtLimit++, c -> c.ldtBase++,
            c -> c.ldtLimit++, c -> c.ldtAccess++, c -> c.taskBase++, c -> c.taskLimit++, c -> c.taskAccess++, c -> c.ldtSelector++,
            c -> c.taskSelector++, c -> c.star++, c -> c.lstar++, c -> c.cstar++, c -> c.syscallMask++, c -> c.sysenterCs++,
            c -> c.sysenterRsp++, c -> c.sysenterRip++, c -> c.dr[3]++, c -> c.segmentAccess[2]++);
    String before = registers();
    for (Consumer<Cpu> change : changes) {
      change.accept(cpu);
      assertThat(registers()).isNotEqualTo(before);
      before = registers();
    }
  }

  @Test
  void kindsOfExitsAreTold() {
    List<Exit> exits =
        List.of(
            new Exit.Syscall(), new Exit.Halt(), new Exit.Interrupt(), new Exit.NonMaskable(), new Exit.SoftwareInterrupt(3, 1),
            new Exit.Exception(3, -1, 0), new Exit.SecondStageViolation(0, 0), new Exit.SecondStageViolation(0, 1), new Exit.Hypercall());
    assertThat(exits.stream().map(this::digest).distinct()).hasSize(exits.size());
  }

  private String digest(Exit exit) {
    RunDigest digest = new RunDigest();
    digest.exit(0, cpu, exit);
    return digest.hex();
  }
}
