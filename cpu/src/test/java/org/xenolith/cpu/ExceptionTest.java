package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** Exceptions and software interrupts through a 64-bit interrupt descriptor table. */
class ExceptionTest {
  private static final String UD2 = "0f 0b", LOAD = "8b 06"; // mov eax,[rsi]

  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  @Test
  void anExceptionAtLevel0PushesOnTheSameStackAlignedTo16() {
    cpu.r[Cpu.RSP] = Machine.STACK + 4;
    kernel.code("90" + UD2);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.UD));
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 40);
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE + 1);
    assertThat(kernel.stack(1)).isEqualTo(Kernel.CODE64);
    assertThat(kernel.stack(2)).isEqualTo(2 | Cpu.IF | Cpu.RF);
    assertThat(kernel.stack(3)).isEqualTo(Machine.STACK + 4);
    assertThat(kernel.stack(4)).isEqualTo(Kernel.DATA);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.DATA);
  }

  @Test
  void anExceptionAtLevel3GoesToTheStackOfTheTaskWithANullStackSegment() {
    kernel.level(3).code(UD2);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.selector[Instruction.CS]).isEqualTo(Kernel.CODE64);
    assertThat(cpu.selector[Instruction.SS]).isZero();
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Kernel.STACK0 - 40);
    assertThat(kernel.stack(1)).isEqualTo(Kernel.USER64);
    assertThat(kernel.stack(3)).isEqualTo(Machine.STACK);
    assertThat(kernel.stack(4)).isEqualTo(Kernel.USER_DATA);
    assertThat(kernel.machine.run(10)).isInstanceOf(Exit.Halt.class);
  }

  @Test
  void anExceptionInCompatibilityModeEnters64BitMode() {
    kernel.segments(Kernel.USER32, Kernel.USER_DATA).code(UD2);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.mode).isEqualTo(CpuMode.LONG64);
    assertThat(kernel.stack(1)).isEqualTo(Kernel.USER32);
  }

  @Test
  void aPageFaultHasAnErrorCodeAndItsAddressInCr2() {
    kernel.level(3).code(LOAD);
    cpu.r[Cpu.RSI] = Kernel.GDT;
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.cr2).isEqualTo(Kernel.GDT);
    assertThat(kernel.stack(0)).isEqualTo(Fault.PF_PRESENT | Fault.PF_USER);
    assertThat(kernel.stack(1)).isEqualTo(Machine.CODE);
  }

  @Test
  void interruptGatesMaskInterruptsAndTrapGatesDoNot() {
    kernel.code(UD2);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rflags() & Cpu.IF).isZero();
    kernel.gate(Fault.UD, 15, 0, 0);
    cpu.rip = Machine.CODE;
    cpu.setRflags(Cpu.IF | Cpu.TF | Cpu.NT | Cpu.AC | Cpu.CF);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rflags()).isEqualTo(2 | Cpu.IF | Cpu.AC | Cpu.CF);
  }

  @Test
  void anInterruptStackIsUsedAtEveryPrivilegeLevelAndKeepsTheSegmentAtLevel0() {
    kernel.gate(Fault.UD, 14, 0, 1).code(UD2);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Kernel.IST1 - 40);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.DATA);
    kernel.level(3);
    cpu.rip = Machine.CODE;
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Kernel.IST1 - 40);
    assertThat(cpu.selector[Instruction.SS]).isZero();
  }

  @Test
  void aConformingHandlerKeepsThePrivilegeLevelAndTheStack() {
    kernel.descriptor(Kernel.FREE, 0x00af_9f00_0000_ffffL);
    kernel.gate(Kernel.IDT + 16 * Fault.UD, 14, 0, 0, Kernel.FREE, Machine.CODE + 0x100).level(3).code(UD2);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.selector[Instruction.CS]).isEqualTo(Kernel.FREE | 3);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 40);
  }

  @Test
  void aDeliveredEventCountsOne() {
    kernel.code(UD2);
    kernel.machine.run(10);
    assertThat(kernel.machine.clock.now).isEqualTo(1);
    cpu.delivery.exception(Fault.UD, Fault.NO_ERROR_CODE, 0);
    assertThat(kernel.machine.clock.now).isEqualTo(2);
  }

  // ---- Software interrupts ----

  @Test
  void intReturnsBehindItselfWithoutRf() {
    kernel.code("cd 80");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(0x80));
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE + 2);
    assertThat(kernel.stack(2)).isEqualTo(2 | Cpu.IF);
  }

  @Test
  void aGateOfLevel0RefusesSoftwareInterruptsOfLevel3() {
    kernel.level(3).code("cd 80");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.GP));
    assertThat(kernel.stack(0)).isEqualTo(0x80 << 3 | 2);
    assertThat(kernel.stack(1)).isEqualTo(Machine.CODE);
    kernel.gate(0x80, 15, 3, 0).level(3);
    cpu.rip = Machine.CODE;
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(0x80));
  }

  @Test
  void int3TrapsBehindItselfAndFaultsAtItselfWhereTheGateRefuses() {
    kernel.level(3).code("66 cc");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.GP));
    assertThat(kernel.stack(0)).isEqualTo(Fault.BP << 3 | 2);
    assertThat(kernel.stack(1)).isEqualTo(Machine.CODE);
    kernel.gate(Fault.BP, 14, 3, 0).level(3);
    cpu.rip = Machine.CODE;
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.BP));
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE + 2);
  }

  @Test
  void int1AsksNoGateForPermission() {
    kernel.level(3).code("f1");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.DB));
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE + 1);
  }

  // ---- Faults on the way ----

  private void absent(int vector) {
    kernel.memory.writeByte(Kernel.IDT + 16 * vector + 5, (byte) 0x0e);
  }

  @Test
  void anAbsentGateIsNotPresentAndExternalUnlessASoftwareInterruptWantedIt() {
    absent(Fault.BP);
    absent(Fault.DB);
    kernel.code("cc");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.NP));
    assertThat(kernel.stack(0)).isEqualTo(Fault.BP << 3 | 2);
    kernel.code("f1");
    cpu.rip = Machine.CODE;
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.NP));
    assertThat(kernel.stack(0)).isEqualTo(Fault.DB << 3 | 3);
    assertThat(kernel.stack(1)).as("at the instruction").isEqualTo(Machine.CODE);
  }

  @Test
  void whatIsNoGateForALongModeHandlerIsGeneralProtection() {
    kernel.gate(0x80, 6, 0, 0).code("cd 80");
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.stack(0)).isEqualTo(0x80 << 3 | 2);
    kernel.gate(Kernel.IDT + 16 * 0x80, 14, 0, 0, Kernel.CODE32, Kernel.handler(0));
    cpu.rip = Machine.CODE;
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.stack(0)).isEqualTo(Kernel.CODE32);
    kernel.gate(Kernel.IDT + 16 * 0x80, 14, 0, 0, Kernel.CODE64, 1L << 47);
    cpu.rip = Machine.CODE;
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.stack(0)).isZero();
    cpu.idtLimit = 0x80 * 16 + 14;
    cpu.rip = Machine.CODE;
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.stack(0)).isEqualTo(0x80 << 3 | 2);
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.GP));
  }

  @Test
  void aPageFaultWhileAnotherExceptionIsDeliveredComesInItsPlace() {
    absent(Fault.UD);
    kernel.gate(Fault.PF, 14, 0, 1).code(UD2);
    cpu.r[Cpu.RSP] = 0x5000_0000L;
    kernel.gate(Fault.UD, 14, 0, 0);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.PF));
    assertThat(cpu.cr2).isEqualTo(0x5000_0000L - 40);
    assertThat(kernel.stack(0)).isEqualTo(Fault.PF_WRITE);
    assertThat(kernel.stack(1)).isEqualTo(Machine.CODE);
  }

  @Test
  void aPageFaultWhileAPageFaultIsDeliveredIsADoubleFault() {
    kernel.gate(Fault.DF, 14, 0, 1).code(LOAD);
    cpu.r[Cpu.RSI] = 0x4000_0000L;
    cpu.r[Cpu.RSP] = 0x5000_0000L;
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.DF));
    assertThat(kernel.stack(0)).isZero();
    assertThat(kernel.stack(4)).isEqualTo(0x5000_0000L);
    assertThat(cpu.cr2).isEqualTo(0x5000_0000L - 48);
  }

  @Test
  void twoContributoryFaultsAreADoubleFault() {
    absent(Fault.GP);
    absent(0x80);
    kernel.level(3).code("cd 80");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.DF));
    assertThat(kernel.stack(4)).isEqualTo(Machine.STACK);
    assertThat(kernel.stack(5)).isEqualTo(Kernel.USER_DATA);
  }

  @Test
  void aFaultWhileADoubleFaultIsDeliveredShutsTheProcessorDownAsItWas() {
    cpu.idtLimit = 0;
    kernel.level(3).code(UD2);
    assertThat(kernel.deliver()).isFalse();
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.USER_DATA);
  }

  @Test
  void aStackPointerOfTheTaskThatIsNotCanonicalIsAStackFault() {
    kernel.memory.writeLong(Kernel.TSS + 4, 1L << 48);
    kernel.gate(Fault.SS, 14, 0, 1).level(3).code(UD2);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.SS));
    assertThat(kernel.stack(0)).isEqualTo(1);
  }

  @Test
  void aTaskStateSegmentThatIsTooShortIsAnInvalidTss() {
    cpu.taskLimit = 10;
    kernel.level(3).code(UD2);
    // The handlers of faults need the stack of level 0 as well.
    assertThat(kernel.deliver()).isFalse();
    cpu.taskLimit = 0x2b;
    kernel.gate(Fault.UD, 14, 0, 2);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.TS));
    assertThat(kernel.stack(0)).isEqualTo(Kernel.TASK | 1);
  }

  @Test
  void supervisorAccessPreventionKeepsTheProcessorFromTablesInUserPages() {
    cpu.cr4 |= Cpu.CR4_SMAP;
    kernel.gate(Fault.PF, 14, 0, 0).gate(Fault.DF, 14, 0, 1).code(UD2);
    cpu.setRflags(Cpu.AC);
    kernel.machine.map(Kernel.IDT, Kernel.IDT | Machine.FLAGS);
    assertThat(kernel.deliver()).isFalse();
    kernel.machine.map(Kernel.IDT, Kernel.IDT | Machine.FLAGS & ~Mmu.USER);
    kernel.machine.map(Machine.STACK - 0x1000, Machine.STACK - 0x1000 | Machine.FLAGS);
    // The stack is a user page, to which AC opens the way.
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.UD));
  }
}
