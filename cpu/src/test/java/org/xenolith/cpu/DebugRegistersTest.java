package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Debug registers and debug exceptions of a kernel. */
class DebugRegistersTest {
  private static final long ACTIVE_LOW = 0xffff_0ff0L, BS = 1 << 14, BD = 1 << 13;

  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  DebugRegistersTest() {
    cpu.dr[6] = ACTIVE_LOW;
    cpu.dr[7] = 0x400;
  }

  @Test
  void reservedBitsReadAsTheyMust() {
    kernel.code("0f 23 f0 0f 23 f8 0f 21 f1 0f 21 fa"); // mov dr6,rax; mov dr7,rax; mov rcx,dr6; mov rdx,dr7
    cpu.r[Cpu.RAX] = 0;
    kernel.machine.step(4);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(ACTIVE_LOW);
    assertThat(cpu.r[Cpu.RDX]).isEqualTo(0x400);
    cpu.rip = Machine.CODE;
    cpu.r[Cpu.RAX] = 0xffff_dfffL;
    kernel.machine.step(4);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(0xffff_cfffL);
    assertThat(cpu.r[Cpu.RDX]).isEqualTo(0xffff_07ffL);
  }

  @Test
  void theUpperHalfOfDr6AndDr7MustBe0() {
    cpu.r[Cpu.RAX] = 1L << 32;
    for (String hex : new String[] {"0f 23 f0", "0f 23 f8"}) {
      kernel.code(hex);
      assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
    }
    kernel.code("0f 23 c0").machine.step(1);
    assertThat(cpu.dr[0]).isEqualTo(1L << 32);
  }

  @Test
  void dr4IsDr6UnlessDebuggingExtensionsSayThereIsNone() {
    kernel.code("0f 21 e0").machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(ACTIVE_LOW);
    cpu.cr4 |= Cpu.CR4_DE;
    cpu.rip = Machine.CODE;
    assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.UD);
    kernel.code("44 0f 21 c0"); // dr8
    assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.UD);
  }

  @Test
  void debugRegistersAreForLevel0() {
    kernel.level(3).code("0f 21 c0");
    assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
  }

  @Test
  void generalDetectFaultsAtAnAccessAndIsSwitchedOffByTheException() {
    kernel.code("0f 21 c0");
    cpu.dr[7] |= BD;
    cpu.dr[6] |= 1;
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.DB));
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE);
    assertThat(cpu.dr[6]).isEqualTo(ACTIVE_LOW | BD);
    assertThat(cpu.dr[7]).isEqualTo(0x400);
  }

  @Test
  void breakpointNumbersReplaceTheOldOnesAndSingleStepStays() {
    kernel.code("90");
    cpu.dr[2] = Machine.CODE;
    cpu.dr[6] |= BS | 2;
    cpu.dr[7] |= 0x20;
    cpu.debugRegistersChanged();
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.dr[6]).isEqualTo(ACTIVE_LOW | BS | 4);
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE);
    assertThat(kernel.stack(2)).isEqualTo(2 | Cpu.IF);
  }

  @Test
  void int1ChangesNoBit() {
    kernel.code("f1");
    cpu.dr[6] |= BS;
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.dr[6]).isEqualTo(ACTIVE_LOW | BS);
  }

  @Test
  void rfFromIretPassesTheBreakpointOnce() {
    kernel.code("90 90");
    cpu.dr[0] = Machine.CODE;
    cpu.dr[7] |= 2;
    cpu.debugRegistersChanged();
    assertThat(kernel.deliver()).isTrue();
    kernel.machine.code(cpu.rip, "48 cf");
    kernel.memory.writeLong(cpu.r[Cpu.RSP] + 16, 2 | Cpu.RF);
    kernel.machine.step(2);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 1);
    assertThat(cpu.rflags()).isEqualTo(2);
  }

  /** A watchpoint on what MOV SS reads, which holds its trap back. */
  private void watchedMovSs(String next) {
    kernel.code("8e 16" + next);
    cpu.r[Cpu.RSI] = Machine.DATA;
    kernel.memory.writeShort(Machine.DATA, (short) Kernel.DATA);
    cpu.dr[0] = Machine.DATA;
    cpu.dr[7] |= 2 | 0x0003_0000;
    cpu.debugRegistersChanged();
  }

  @Test
  void aTrapHeldBackByMovSsComesTogetherWithInt1() {
    watchedMovSs("f1");
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE + 3);
    assertThat(cpu.dr[6]).isEqualTo(ACTIVE_LOW | 1);
    assertThat(kernel.machine.run(10)).isInstanceOf(Exit.Halt.class);
  }

  @Test
  void aTrapHeldBackByMovSsComesBehindASoftwareInterruptInItsHandler() {
    watchedMovSs("cc");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.BP));
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE + 3);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.DB));
    assertThat(kernel.stack(0)).isEqualTo(Kernel.handler(Fault.BP));
    assertThat(cpu.dr[6]).isEqualTo(ACTIVE_LOW | 1);
  }

  @Test
  void aWatchpointOnTheStackOfADeliveryTrapsInTheHandler() {
    kernel.code("0f 0b");
    cpu.dr[0] = Machine.STACK - 8;
    cpu.dr[7] |= 2 | 0x0001_0000;
    cpu.debugRegistersChanged();
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.machine.run(10)).isEqualTo(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 1));
    assertThat(cpu.rip).isEqualTo(Kernel.handler(Fault.UD));
  }

  @Test
  void aStringInstructionsBreakpointStrikesOnceAndItsInterruptsFrameHasRf() {
    kernel.code("f3 aa 90"); // rep stosb
    cpu.r[Cpu.RDI] = Machine.DATA;
    cpu.r[Cpu.RCX] = 2L * Strings.ITERATIONS + 1;
    cpu.dr[0] = Machine.CODE;
    cpu.dr[7] |= 2;
    cpu.debugRegistersChanged();
    assertThat(kernel.machine.run(10)).isEqualTo(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 1));
    cpu.setRflags(cpu.rflags() | Cpu.RF);
    kernel.machine.step(2);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(1);
    assertThat(cpu.rflags() & Cpu.RF).isZero();
    cpu.interrupts.assertLine(true);
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE);
    assertThat(kernel.stack(2)).isEqualTo(2 | Cpu.IF | Cpu.RF);
    cpu.interrupts.assertLine(false);
    kernel.machine.code(cpu.rip, "48 cf").step(2);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 2);
  }

  @Test
  void aBreakpointOnAPortTrapsBehindTheAccessAndIsNoneOnMemory() {
    kernel.code("ec e6 80 8a 06"); // in al,dx; out 0x80,al; mov al,[rsi]
    cpu.r[Cpu.RDX] = 0x60;
    cpu.r[Cpu.RSI] = 0x80;
    cpu.cr4 |= Cpu.CR4_DE;
    cpu.dr[0] = 0x80;
    cpu.dr[7] |= 2 | 0x0002_0000;
    cpu.debugRegistersChanged();
    assertThat(kernel.machine.run(10)).isEqualTo(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 1));
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 3);
    kernel.machine.step(1);
    cpu.cr4 &= ~Cpu.CR4_DE;
    cpu.rip = Machine.CODE;
    kernel.machine.step(3);
  }

  @Test
  void anInstructionBreakpointBehindMovSsStrikesAndBringsTheHeldTrap() {
    watchedMovSs("90");
    cpu.dr[1] = Machine.CODE + 2;
    cpu.dr[7] |= 8;
    cpu.debugRegistersChanged();
    assertThat(kernel.machine.run(10)).isEqualTo(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 3));
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 2);
  }
}
