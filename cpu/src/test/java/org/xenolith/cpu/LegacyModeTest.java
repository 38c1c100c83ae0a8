package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** Transfers in protected mode without long mode: gates of 32 and 16 bits, stacks from a task state segment, code limits. */
class LegacyModeTest {
  private static final int UD = Fault.UD;

  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  LegacyModeTest() {
    for (int vector = 0; vector < 256; vector++) {
      kernel.gate32(vector, 14, 0, Kernel.CODE32);
    }
    kernel.memory.writeInt(Kernel.TSS + 4, (int) Kernel.STACK0);
    kernel.memory.writeInt(Kernel.TSS + 8, Kernel.DATA);
    kernel.legacy(0);
  }

  @Test
  void anExceptionAtTheSameLevelPushesThreeDoublewordsAndTheErrorCode() {
    kernel.code("cd 80");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(Kernel.handler(0x80));
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 12);
    assertThat(kernel.stack32(0)).isEqualTo((int) Machine.CODE + 2);
    assertThat(kernel.stack32(1)).isEqualTo(Kernel.CODE32);
    assertThat(kernel.stack32(2)).isEqualTo(2 | Cpu.IF);
    kernel.code("8e d8"); // mov ds,eax
    cpu.r[Cpu.RAX] = 0x1230;
    cpu.r[Cpu.RSP] = Machine.STACK;
    cpu.rip = Machine.CODE;
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 16);
    assertThat(kernel.stack32(0)).isEqualTo(0x1230);
  }

  @Test
  void anExceptionAtLevel3SwitchesToTheStackOfTheTask() {
    kernel.legacy(3).code("0f 0b");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.DATA);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Kernel.STACK0 - 20);
    assertThat(kernel.stack32(1)).isEqualTo(Kernel.USER32);
    assertThat(kernel.stack32(3)).isEqualTo((int) Machine.STACK);
    assertThat(kernel.stack32(4)).isEqualTo(Kernel.USER_DATA);
    kernel.machine.code(cpu.rip, "cf");
    kernel.machine.step(1);
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.USER_DATA);
    assertThat(cpu.selector[Instruction.DS]).isEqualTo(Kernel.USER_DATA);
  }

  @Test
  void aGateOf16BitsPushesWords() {
    kernel.gate32(0x80, 6, 0, Kernel.CODE32).code("cd 80");
    kernel.memory.writeShort(Kernel.IDT + 8 * 0x80, (short) 0x1234);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(0x1234);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 6);
    assertThat(cpu.mode).isEqualTo(CpuMode.COMPAT32);
  }

  @Test
  void aBadStackSegmentInTheTaskIsAnInvalidTss() {
    kernel.legacy(3).code("0f 0b");
    kernel.memory.writeInt(Kernel.TSS + 8, Kernel.USER_DATA);
    // The handler of #TS needs that stack as well.
    assertThat(kernel.deliver()).isFalse();
    kernel.descriptor(Kernel.FREE, 0x00cf_9f00_0000_ffffL); // conforming code: no other stack
    kernel.gate32(Fault.TS, 14, 0, Kernel.FREE);
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(kernel.stack32(0)).isEqualTo(Kernel.USER_DATA & ~3 | 1);
  }

  @Test
  void aStackOfTheTaskThatIsTooShortIsAStackFaultNamingIt() {
    kernel.descriptor(Kernel.FREE, 0x00c0_9300_0000_0000L); // 4 KiB
    kernel.memory.writeInt(Kernel.TSS + 8, Kernel.FREE);
    kernel.descriptor(0x88, 0x00cf_9f00_0000_ffffL);
    kernel.gate32(Fault.SS, 14, 0, 0x88).legacy(3).code("0f 0b");
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.stack32(0)).isEqualTo(Kernel.FREE | 1);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.USER_DATA);
  }

  @Test
  void aTaskStateSegmentOf16BitsHasShortStackPointers() {
    cpu.taskAccess = 0x83;
    kernel.memory.writeShort(Kernel.TSS + 2, (short) 0x4000);
    kernel.memory.writeShort(Kernel.TSS + 4, (short) Kernel.DATA);
    kernel.legacy(3).code("0f 0b");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x4000 - 20);
  }

  @Test
  void taskGatesStopTheRunAndNameThemselves() {
    kernel.gate32(UD, 5, 0, Kernel.TASK).code("0f 0b");
    assertThat(kernel.deliver()).isTrue();
    assertThat(kernel.machine.run(10))
        .isInstanceOfSatisfying(Exit.Unimplemented.class, exit -> assertThat(exit.what()).contains("task gate"));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  @Test
  void aTaskReturnAndVirtual8086ModeStopTheRun() {
    cpu.setRflags(Cpu.NT);
    kernel.code("cf");
    assertThat(kernel.machine.run(10)).isInstanceOf(Exit.Unimplemented.class);
    cpu.setRflags(0);
    kernel.push32((int) Machine.CODE, Kernel.CODE32, Cpu.VM);
    assertThat(kernel.machine.run(10)).isInstanceOf(Exit.Unimplemented.class);
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  @Test
  void codeSegmentsHaveABaseAndALimit() {
    // 32-bit code from CODE on, 8 bytes long: jmp there, then inc eax; inc ecx; jmp -4.
    kernel.descriptor(Kernel.FREE, 0x0040_9b10_0000_0007L).code("40 41 eb fc 90 90 90 90 90");
    kernel.machine.code(Machine.CODE + 0x100, "ea 00 00 00 00 80 00");
    cpu.rip = Machine.CODE + 0x100;
    kernel.machine.step(4);
    assertThat(cpu.selector[Instruction.CS]).isEqualTo(Kernel.FREE);
    assertThat(cpu.rip).isZero();
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(1);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(1);
    cpu.rip = 4;
    assertThat(kernel.machine.run(100)).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
    assertThat(cpu.rip).isEqualTo(8);
    assertThat(cpu.retired).isEqualTo(8);
  }

  @Test
  void aJumpBeyondTheCodeLimitFaultsAtItself() {
    kernel.descriptor(Kernel.FREE, 0x0040_9b10_0000_0007L).code("eb 10");
    Segments.put(cpu, Instruction.CS, Kernel.FREE, kernel.memory.readLong(Kernel.GDT + Kernel.FREE));
    cpu.rip = 0;
    assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
    assertThat(cpu.rip).isZero();
  }

  @Test
  void anInstructionAcrossTheCodeLimitFaults() {
    kernel.descriptor(Kernel.FREE, 0x0040_9b10_0000_0003L).code("90 90 90 05 01 00 00 00");
    Segments.put(cpu, Instruction.CS, Kernel.FREE, kernel.memory.readLong(Kernel.GDT + Kernel.FREE));
    cpu.rip = 0;
    assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
    assertThat(cpu.rip).isEqualTo(3);
  }
}
