package org.xenolith.translator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;

/** What lockstep takes back of the interpreter's run before the translation's. */
class LockstepTest {
  @Test
  void theInterruptFlagIsAsItWasBefore() {
    // 1: pushf; cli; pop rax; push 202h; popf; jmp 1b
    Guest guest = new Guest(1).code(HexFormat.of().parseHex("9cfa5868020200009debf5"));
    guest.cpu.ownsRing0 = true;
    guest.cpu.cpl = 0;
    guest.cpu.selector[Instruction.CS] = 0x30;
    guest.cpu.segmentAccess[Instruction.CS] = 0xa09b;
    guest.cpu.selector[Instruction.SS] = 0x28;
    guest.cpu.segmentAccess[Instruction.SS] = 0xc093;
    guest.cpu.refresh();
    guest.cpu.engine = guest.translator.lockstep();
    assertThat(guest.run(1000)).isNull();
    assertThat(guest.translator.statistics()[0]).isPositive();
    assertThat(guest.cpu.r[Cpu.RAX] & Cpu.IF).isEqualTo(Cpu.IF);
  }
}
