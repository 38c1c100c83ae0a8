package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** Far CALL and JMP through gates. */
class CallGateTest {
  private static final int GATE = 0x90 | 3;
  private static final long TARGET = Machine.CODE + 0x100;

  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  private void gate(int selector, int type, int dpl, long target, int parameters) {
    long rights = 0x80L | dpl << 5 | type;
    kernel.descriptor(
        GATE, target & 0xffff | (long) selector << 16 | (long) parameters << 32 | rights << 40 | (target & 0xffff_0000L) << 32);
    kernel.descriptor(GATE + 8, target >>> 32);
  }

  /** call far or jmp far [rsi] */
  private void through(boolean call) {
    kernel.code(call ? "ff 1e" : "ff 2e");
    cpu.r[Cpu.RSI] = Machine.DATA;
    kernel.memory.writeShort(Machine.DATA + 4, (short) GATE);
  }

  private void refused(int vector, int errorCode) {
    assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(vector, errorCode, 0));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
  }

  @Test
  void aCallToLevel0PushesTheOldStackOnTheNewAndRetfComesBack() {
    gate(Kernel.CODE64, 12, 3, TARGET, 0);
    kernel.level(3);
    through(true);
    kernel.machine.code(TARGET, "48 cb").step(1);
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.rip).isEqualTo(TARGET);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Kernel.STACK0 - 32);
    assertThat(cpu.selector[Instruction.SS]).isZero();
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE + 2);
    assertThat(kernel.stack(1)).isEqualTo(Kernel.USER64);
    assertThat(kernel.stack(2)).isEqualTo(Machine.STACK);
    assertThat(kernel.stack(3)).isEqualTo(Kernel.USER_DATA);
    kernel.machine.step(1);
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 2);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
  }

  @Test
  void aCallAtTheSameLevelPushesQuadwords() {
    gate(Kernel.CODE64, 12, 3, TARGET, 0);
    through(true);
    kernel.machine.step(1);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 16);
    assertThat(kernel.stack(0)).isEqualTo(Machine.CODE + 2);
  }

  @Test
  void aJumpKeepsThePrivilegeLevel() {
    gate(Kernel.CODE64, 12, 3, TARGET, 0);
    kernel.level(3);
    through(false);
    refused(Fault.GP, Kernel.CODE64);
    gate(Kernel.USER64, 12, 3, TARGET, 0);
    kernel.machine.step(1);
    assertThat(cpu.rip).isEqualTo(TARGET);
    assertThat(cpu.cpl).isEqualTo(3);
  }

  @Test
  void compatibilityModeReachesLongModeByAGate() {
    gate(Kernel.CODE64, 12, 3, TARGET, 0);
    kernel.segments(Kernel.USER32, Kernel.USER_DATA);
    through(true);
    kernel.machine.step(1);
    assertThat(cpu.mode).isEqualTo(CpuMode.LONG64);
    assertThat(kernel.stack(1)).isEqualTo(Kernel.USER32);
  }

  @Test
  void gatesAreRefusedByPrivilegePresenceAndTarget() {
    kernel.level(3);
    through(true);
    gate(Kernel.CODE64, 12, 0, TARGET, 0);
    refused(Fault.GP, GATE & ~3);
    gate(Kernel.CODE64, 12, 3, TARGET, 0);
    kernel.memory.writeByte(Kernel.GDT + (GATE & ~7) + 5, (byte) 0x6c);
    refused(Fault.NP, GATE & ~3);
    gate(Kernel.CODE64, 4, 3, TARGET, 0);
    refused(Fault.GP, GATE & ~3);
    gate(Kernel.CODE32, 12, 3, TARGET, 0);
    refused(Fault.GP, Kernel.CODE32);
    gate(Kernel.DATA, 12, 3, TARGET, 0);
    refused(Fault.GP, Kernel.DATA);
    gate(0, 12, 3, TARGET, 0);
    refused(Fault.GP, 0);
    gate(Kernel.CODE64, 12, 3, 1L << 47, 0);
    refused(Fault.GP, 0);
    gate(Kernel.CODE64, 12, 3, TARGET, 0);
    kernel.memory.writeByte(Kernel.GDT + (GATE & ~7) + 13, (byte) 0x0c);
    refused(Fault.GP, GATE & ~3);
  }

  @Test
  void aLegacyGateCopiesParameters() {
    gate(Kernel.CODE32, 12, 3, TARGET, 2);
    kernel.memory.writeInt(Kernel.TSS + 4, (int) Kernel.STACK0);
    kernel.memory.writeInt(Kernel.TSS + 8, Kernel.DATA);
    kernel.legacy(3).push32(11, 22);
    through(true);
    kernel.machine.code(TARGET, "ca 08 00").step(1);
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Kernel.STACK0 - 24);
    assertThat(kernel.stack32(0)).isEqualTo((int) Machine.CODE + 2);
    assertThat(kernel.stack32(1)).isEqualTo(Kernel.USER32);
    assertThat(kernel.stack32(2)).isEqualTo(11);
    assertThat(kernel.stack32(3)).isEqualTo(22);
    assertThat(kernel.stack32(4)).isEqualTo((int) Machine.STACK - 8);
    assertThat(kernel.stack32(5)).isEqualTo(Kernel.USER_DATA);
    kernel.machine.step(1);
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
  }

  @Test
  void aJumpToATaskStateSegmentStopsTheRunOutsideLongModeOnly() {
    kernel.code("ff 2e");
    cpu.r[Cpu.RSI] = Machine.DATA;
    kernel.memory.writeShort(Machine.DATA + 4, (short) Kernel.TASK);
    refused(Fault.GP, Kernel.TASK);
    kernel.legacy(0);
    assertThat(kernel.machine.run(10)).isInstanceOf(Exit.Unimplemented.class);
  }
}
