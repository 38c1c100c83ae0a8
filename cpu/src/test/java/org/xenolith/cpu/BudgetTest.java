package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The clock, budgets, and exits that cost a count. */
class BudgetTest {
  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  @Test
  void aRunEndsAfterExactlyItsBudgetInsideABlock() {
    machine.code("ff c0 ff c0 ff c0 ff c0 eb f6"); // four times inc eax, jmp
    long expected = 0;
    for (int n = 1; n < 40; n++) {
      machine.step(n);
      expected += n;
      assertThat(machine.clock.now).isEqualTo(expected);
      assertThat(cpu.retired).isEqualTo(expected);
      assertThat(cpu.r[Cpu.RAX]).isEqualTo(expected / 5 * 4 + expected % 5);
      assertThat(cpu.rip).isEqualTo(Machine.CODE + expected % 5 * 2);
    }
  }

  @Test
  void theTimeStampCounterIsTheClock() {
    machine.code("90 90 90 0f 31").step(4);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(3);
    machine.clock.now = 0x1_0000_0000L;
    cpu.rip = Machine.CODE;
    cpu.tscOffset = 0x5_0000_0000L;
    machine.step(4);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(3);
    assertThat(cpu.r[Cpu.RDX]).isEqualTo(6);
  }

  @Test
  void anExitCostsOneCountBesideTheInstructions() {
    machine.code("90 0f 05"); // nop; syscall
    assertThat(machine.run(100)).isInstanceOf(Exit.Syscall.class);
    assertThat(machine.clock.now).isEqualTo(3);
    assertThat(cpu.retired).isEqualTo(2);
  }

  @Test
  void aFaultCostsOneCountAndItsInstructionNone() {
    machine.code("90 0f 0b");
    assertThat(machine.run(100)).isEqualTo(new Exit.Exception(Fault.UD, Fault.NO_ERROR_CODE, 0));
    assertThat(machine.clock.now).isEqualTo(2);
    assertThat(cpu.retired).isEqualTo(1);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 1);
  }

  @Test
  void pauseAddsToTheClock() {
    machine.code("f3 90").step(1);
    assertThat(machine.clock.now).isEqualTo(1 + SystemOps.PAUSE_COUNTS);
    assertThat(cpu.retired).isEqualTo(1);
  }

  @Test
  void aSpentBudgetRunsNothing() {
    machine.code("ff c0");
    assertThat(machine.run(0)).isInstanceOf(Exit.Budget.class);
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }
}
