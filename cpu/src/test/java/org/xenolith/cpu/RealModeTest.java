package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** Real mode, and the way from there to long mode. */
class RealModeTest {
  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  /** Code at 0x2000:0x100. */
  private static final long AT = 0x2_0100;

  RealModeTest() {
    kernel.real();
    Segments.setReal(cpu, Instruction.CS, 0x2000);
    Segments.setReal(cpu, Instruction.SS, 0x3000);
    cpu.rip = 0x100;
    cpu.r[Cpu.RSP] = 0x800;
    cpu.refresh();
  }

  private RealModeTest code(String hex) {
    kernel.machine.code(AT, hex);
    return this;
  }

  @Test
  void segmentLoadsSetTheBaseAndNothingElse() {
    code("8e d8 a1 10 00"); // mov ds,ax; mov ax,[0x10]
    cpu.segmentLimit[Instruction.DS] = -1;
    cpu.r[Cpu.RAX] = 0x1234;
    kernel.memory.writeShort(0x1_2350, (short) 0x77);
    kernel.machine.step(2);
    assertThat(cpu.segmentBase[Instruction.DS]).isEqualTo(0x1_2340);
    assertThat(cpu.segmentLimit[Instruction.DS]).isEqualTo(-1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x77);
  }

  @Test
  void softwareInterruptsGoThroughTheVectorTableAndIretReturns() {
    kernel.memory.writeInt(0x21 * 4, 0x2000_0200);
    code("cd 21 90");
    kernel.machine.code(0x2_0200, "cf");
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.selector[Instruction.CS]).isEqualTo(0x2000);
    assertThat(cpu.rip).isEqualTo(0x200);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x7fa);
    assertThat(kernel.memory.readShort(0x3_07fa)).isEqualTo((short) 0x102);
    assertThat(kernel.memory.readShort(0x3_07fc)).isEqualTo((short) 0x2000);
    assertThat(cpu.rflags() & Cpu.IF).isZero();
    kernel.machine.step(1);
    assertThat(cpu.rip).isEqualTo(0x102);
    assertThat(cpu.rflags() & Cpu.IF).isNotZero();
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x800);
  }

  @Test
  void exceptionsPushNoErrorCode() {
    kernel.memory.writeInt(Fault.GP * 4, 0x2000_0300);
    code("a1 ff ff"); // mov ax,[0xffff]: beyond the limit
    assertThat(kernel.deliver()).isTrue();
    assertThat(cpu.rip).isEqualTo(0x300);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x7fa);
    assertThat(kernel.memory.readShort(0x3_07fa)).isEqualTo((short) 0x100);
  }

  @Test
  void aTableWithoutEntriesShutsTheProcessorDown() {
    cpu.idtLimit = 0;
    code("0f 0b");
    assertThat(kernel.deliver()).isFalse();
  }

  @Test
  void farTransfersLoadSelectorsAsParagraphs() {
    code("9a 00 00 34 12"); // call 0x1234:0
    kernel.machine.code(0x1_2340, "cb");
    kernel.machine.step(1);
    assertThat(cpu.segmentBase[Instruction.CS]).isEqualTo(0x1_2340);
    assertThat(cpu.rip).isZero();
    kernel.machine.step(1);
    assertThat(cpu.selector[Instruction.CS]).isEqualTo(0x2000);
    assertThat(cpu.rip).isEqualTo(0x105);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x800);
  }

  @Test
  void selectorsOfProtectedModeAreUndefined() {
    for (String hex : new String[] {"0f 00 d8", "0f 00 c0", "0f 02 c0", "0f 00 e0", "63 c0"}) {
      code(hex);
      assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.UD);
    }
  }

  @Test
  void theCurrentLevelIs0WhateverTheSelectorSays() {
    Segments.setReal(cpu, Instruction.CS, 0x2003);
    kernel.machine.code(0x2_0130, "f4");
    assertThat(kernel.machine.run(10)).isInstanceOf(Exit.Halt.class);
  }

  @Test
  void aKernelGetsFromRealModeToLongMode() {
    // An o32 lgdt, protected mode, a far jump to 32-bit code, long mode, a far jump to 64-bit code.
    kernel.memory.writeShort(0x2_0400, (short) 0xfff);
    kernel.memory.writeInt(0x2_0402, (int) Kernel.GDT);
    code("66 2e 0f 01 16 00 04" // lgdt cs:[0x400]
        + "f4");
    assertThat(kernel.machine.run(10)).isInstanceOf(Exit.Halt.class);
    assertThat(cpu.gdtBase).isEqualTo(Kernel.GDT);
    cpu.cr0 |= Cpu.CR0_PE;
    kernel.machine.code(AT + 8, "66 ea 00 01 10 00 18 00"); // jmp CODE32:0x100100
    kernel.machine.step(1);
    assertThat(cpu.mode).isEqualTo(CpuMode.COMPAT32);
    assertThat(cpu.rip).isEqualTo(0x10_0100);
    cpu.efer |= Cpu.EFER_LME | Cpu.EFER_LMA;
    cpu.cr0 |= Cpu.CR0_PG;
    kernel.machine.code(0x10_0100, "ea 00 02 10 00 10 00").code(0x10_0200, "48 31 c0");
    kernel.machine.step(2);
    assertThat(cpu.mode).isEqualTo(CpuMode.LONG64);
    assertThat(cpu.cpl).isZero();
  }

  @Test
  void instructionsRunAcrossTheEndOfAPageOfASegmentThatIsNotAligned() {
    Segments.setReal(cpu, Instruction.CS, 0x2001);
    cpu.rip = 0xfee;
    kernel.machine.code(0x2_0ffe, "b8 34 12 40 40"); // mov ax,0x1234; inc ax; inc ax
    kernel.machine.step(3);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x1236);
    assertThat(cpu.rip).isEqualTo(0xff3);
  }

  @Test
  void theSameCodeAtTheSameOffsetOfTwoSegmentsIsTwoBlocks() {
    code("40 eb fd");
    kernel.machine.code(0x4_0100, "48 eb fd");
    kernel.machine.step(3);
    Segments.setReal(cpu, Instruction.CS, 0x4000);
    cpu.rip = 0x100;
    kernel.machine.step(5);
    assertThat(cpu.r[Cpu.RAX] & 0xffff).isEqualTo(0xffff);
  }

  @Test
  void environmentsOfTheX87UnitHoldLinearAddresses() {
    Segments.setReal(cpu, Instruction.DS, 0x1230);
    code("d9 06 40 00 9b d9 36 00 01 9b 66 d9 36 40 01 d9 26 00 01"); // fld [0x40]; fstenv [0x100]; o32 fstenv [0x140]; fldenv [0x100]
    kernel.machine.step(6);
    long image = 0x1_2400;
    assertThat(kernel.memory.readShort(image + 6)).isEqualTo((short) 0x0100);
    assertThat(kernel.memory.readShort(image + 8)).isEqualTo((short) (2 << 12 | 0x106));
    assertThat(kernel.memory.readShort(image + 10)).isEqualTo((short) 0x2340);
    assertThat(kernel.memory.readShort(image + 12)).isEqualTo((short) (1 << 12));
    assertThat(kernel.memory.readInt(image + 0x40 + 16)).isEqualTo(2 << 12 | 0x106);
    assertThat(cpu.x87.state.instructionPointer).isEqualTo(AT);
    assertThat(cpu.x87.state.dataPointer).isEqualTo(0x1_2340);
    assertThat(cpu.x87.state.opcode).isEqualTo(0x106);
  }
}
