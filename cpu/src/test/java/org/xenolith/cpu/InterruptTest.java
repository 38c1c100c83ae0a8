package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.Instruction;

/** When a processor takes interrupts and NMIs. */
class InterruptTest {
  private static final Exit INTERRUPT = new Exit.Interrupt(), NMI = new Exit.NonMaskable();
  private static final Exit.Exception SINGLE = new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 1 << 14);

  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  private void flags(long flags) {
    cpu.setRflags(flags);
  }

  private void expect(Exit exit, long distance) {
    assertThat(kernel.machine.run(100)).isEqualTo(exit);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + distance);
  }

  // ---- Maskable interrupts ----

  @Test
  void anAssertedInterruptComesBeforeTheNextInstruction() {
    kernel.code("90 90");
    cpu.interrupts.assertLine(true);
    assertThat(cpu.interrupts.pending()).isTrue();
    expect(INTERRUPT, 0);
    assertThat(kernel.machine.clock.now).isEqualTo(1);
    assertThat(cpu.delivery.interrupt(0x40)).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(0x40));
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE);
    assertThat(kernel.stack(2)).isEqualTo(2 | Cpu.IF);
    assertThat(cpu.interrupts.pending()).isFalse();
  }

  @Test
  void aLineThatFellAgainIsForgotten() {
    kernel.code("90 90 90");
    cpu.interrupts.assertLine(true);
    cpu.interrupts.assertLine(false);
    kernel.machine.step(3);
  }

  @Test
  void aSpentBudgetComesBeforeAnInterrupt() {
    kernel.code("90");
    cpu.interrupts.assertLine(true);
    assertThat(kernel.machine.run(0)).isInstanceOf(Exit.Budget.class);
  }

  @Test
  void aMaskedInterruptWaitsForStiAndOneMoreInstruction() {
    flags(0);
    kernel.code("90 fb 90 90");
    cpu.interrupts.assertLine(true);
    expect(INTERRUPT, 3);
  }

  @Test
  void theShadowOfStiOutlastsTheEndOfABudget() {
    flags(0);
    kernel.code("fb 90 90");
    cpu.interrupts.assertLine(true);
    kernel.machine.step(1);
    expect(INTERRUPT, 2);
  }

  @Test
  void anInterruptThatComesInTheShadowOfStiWaitsToo() {
    flags(0);
    kernel.code("fb 90 90").machine.step(1);
    cpu.interrupts.assertLine(true);
    expect(INTERRUPT, 2);
  }

  @Test
  void anInterruptThatComesAfterTheShadowDoesNotWait() {
    flags(0);
    kernel.code("fb 90 90").machine.step(2);
    cpu.interrupts.assertLine(true);
    expect(INTERRUPT, 2);
  }

  @Test
  void stiCliNeverOpensTheGate() {
    flags(0);
    kernel.code("fb fa 90 90");
    cpu.interrupts.assertLine(true);
    kernel.machine.step(4);
  }

  @Test
  void stiWithInterruptsEnabledCastsNoShadow() {
    kernel.code("fb 90");
    kernel.machine.step(1);
    cpu.interrupts.assertLine(true);
    expect(INTERRUPT, 1);
  }

  @Test
  void stiHltHaltsAndIsWoken() {
    flags(0);
    kernel.code("fb f4 90");
    cpu.interrupts.assertLine(true);
    assertThat(kernel.machine.run(100)).isInstanceOf(Exit.Halt.class);
    assertThat(cpu.interrupts.pending()).isTrue();
    expect(INTERRUPT, 2);
  }

  @Test
  void stiAndSoftwareInterruptComeInThatOrder() {
    flags(0);
    kernel.code("fb cd 80");
    cpu.interrupts.assertLine(true);
    assertThat(kernel.machine.run(100)).isEqualTo(new Exit.SoftwareInterrupt(0x80, 2));
  }

  @Test
  void popfAndIretOpenTheGateAtOnce() {
    flags(0);
    kernel.code("9d 90").push(Cpu.IF);
    cpu.interrupts.assertLine(true);
    expect(INTERRUPT, 1);
    flags(0);
    kernel.code("48 cf").push(Machine.CODE + 9, Kernel.CODE64, Cpu.IF, Machine.STACK, Kernel.DATA);
    cpu.rip = Machine.CODE;
    expect(INTERRUPT, 9);
  }

  @Test
  void sysretOpensTheGateAtOnce() {
    flags(0);
    kernel.code("48 0f 07");
    cpu.r[Cpu.RCX] = Machine.CODE + 9;
    cpu.r[Cpu.R11] = Cpu.IF;
    cpu.interrupts.assertLine(true);
    expect(INTERRUPT, 9);
  }

  @Test
  void movSsHoldsInterruptsAndNmisBackForOneInstruction() {
    // mov ss,eax; nop; nop
    kernel.code("8e d0 90 90");
    cpu.r[Cpu.RAX] = Kernel.DATA;
    kernel.machine.step(1);
    cpu.interrupts.assertLine(true);
    cpu.interrupts.pendNmi();
    expect(NMI, 3);
  }

  @Test
  void theShadowOfMovSsInsideABlockIsExact() {
    kernel.code("90 8e d0 90 90 90");
    cpu.r[Cpu.RAX] = Kernel.DATA;
    kernel.machine.step(3);
    cpu.interrupts.assertLine(true);
    expect(INTERRUPT, 4);
  }

  @Test
  void lssCastsNoShadow() {
    kernel.code("0f b2 26 90"); // lss esp,[rsi]
    cpu.r[Cpu.RSI] = Machine.DATA;
    kernel.memory.writeInt(Machine.DATA, (int) Machine.STACK);
    kernel.memory.writeShort(Machine.DATA + 4, (short) Kernel.DATA);
    kernel.machine.step(1);
    cpu.interrupts.assertLine(true);
    expect(INTERRUPT, 3);
  }

  // ---- NMI ----

  @Test
  void anNmiIsNotMaskedAndHoldsOthersBackUntilIret() {
    flags(0);
    kernel.code("90 90");
    cpu.interrupts.pendNmi();
    expect(NMI, 0);
    assertThat(cpu.delivery.nmi()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.NMI));
    kernel.machine.code(cpu.rip, "90 48 cf");
    cpu.interrupts.pendNmi();
    assertThat(cpu.interrupts.pending()).isFalse();
    kernel.machine.step(1);
    expect(NMI, 0);
    assertThat(cpu.retired).isEqualTo(2);
  }

  @Test
  void anIretThatFaultsHoldsNmisStillBack() {
    kernel.code("90");
    cpu.interrupts.pendNmi();
    expect(NMI, 0);
    cpu.delivery.nmi();
    kernel.machine.code(cpu.rip, "48 cf");
    cpu.interrupts.pendNmi();
    kernel.memory.writeLong(cpu.r[Cpu.RSP], 1L << 47);
    assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.GP);
    assertThat(cpu.interrupts.pending()).isFalse();
  }

  @Test
  void twoNmisThatWaitAreOne() {
    kernel.code("90");
    cpu.interrupts.pendNmi();
    cpu.interrupts.pendNmi();
    expect(NMI, 0);
    cpu.delivery.nmi();
    kernel.machine.code(cpu.rip, "48 cf");
    assertThat(kernel.machine.run(2)).isInstanceOf(Exit.Budget.class);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 1);
  }

  // ---- Priorities ----

  @Test
  void aTrapComesBeforeAnNmiAndThatBeforeAnInterrupt() {
    kernel.code("90 90").gate(Fault.DB, 15, 0, 0).gate(Fault.NMI, 15, 0, 0);
    flags(Cpu.IF | Cpu.TF);
    cpu.trace((c, i) -> {
      cpu.interrupts.pendNmi();
      cpu.interrupts.assertLine(true);
    });
    expect(SINGLE, 1);
    assertThat(kernel.deliver(SINGLE)).isTrue();
    assertThat(kernel.machine.run(100)).isEqualTo(NMI);
    assertThat(kernel.deliver(NMI)).isTrue();
    assertThat(kernel.machine.run(100)).isEqualTo(INTERRUPT);
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.NMI));
    assertThat(cpu.retired).isEqualTo(1);
  }

  @Test
  void singleStepIsNotHeldBackBySti() {
    flags(Cpu.TF);
    kernel.code("fb 90");
    cpu.interrupts.assertLine(true);
    expect(SINGLE, 1);
  }

  @Test
  void singleStepEndsHltAtOnce() {
    flags(Cpu.TF);
    kernel.code("f4 90");
    expect(SINGLE, 1);
  }

  @Test
  void anInterruptComesBeforeAnInstructionBreakpoint() {
    kernel.code("90");
    cpu.dr[0] = Machine.CODE;
    cpu.dr[7] = 1;
    cpu.debugRegistersChanged();
    cpu.interrupts.assertLine(true);
    expect(INTERRUPT, 0);
    cpu.interrupts.assertLine(false);
    expect(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 1), 0);
  }

  @Test
  void theStackSegmentLoadedByMovSsCountsInCompatibilityMode() {
    kernel.segments(Kernel.USER32, Kernel.USER_DATA).code("8e d0 50");
    cpu.r[Cpu.RAX] = Kernel.USER_DATA;
    kernel.machine.step(2);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.USER_DATA);
  }

  @Test
  void aFaultEndsTheShadowOfSti() {
    flags(0);
    kernel.gate(Fault.UD, 15, 0, 0).code("fb 0f 0b");
    kernel.machine.step(1);
    cpu.interrupts.assertLine(true);
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.machine.run(10)).isEqualTo(INTERRUPT);
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.UD));
  }

  @Test
  void movToCsIsUndefined() {
    kernel.code("8e c8");
    assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.UD);
  }
}
