package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.Instruction;

/** Instructions on descriptor tables and the task register. */
class SystemTablesTest {
  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  private void operand(int limit, long base) {
    cpu.r[Cpu.RSI] = Machine.DATA;
    kernel.memory.writeShort(Machine.DATA, (short) limit);
    kernel.memory.writeLong(Machine.DATA + 2, base);
  }

  private void refused(int vector, int errorCode) {
    assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(vector, errorCode, 0));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  @Test
  void lgdtAndLidtLoadAndSgdtAndSidtStoreLimitAndBase() {
    operand(0x1234, 0xffff_8000_0000_1000L);
    kernel.code("0f 01 16 0f 01 1e 48 83 c6 10 0f 01 06 48 83 c6 10 0f 01 0e"); // add rsi,16 between
    kernel.machine.step(6);
    assertThat(cpu.gdtLimit).isEqualTo(0x1234);
    assertThat(cpu.gdtBase).isEqualTo(0xffff_8000_0000_1000L);
    assertThat(cpu.idtBase).isEqualTo(0xffff_8000_0000_1000L);
    for (int n = 1; n < 3; n++) {
      assertThat(kernel.memory.readShort(Machine.DATA + 16 * n) & 0xffff).isEqualTo(0x1234);
      assertThat(kernel.memory.readLong(Machine.DATA + 16 * n + 2)).isEqualTo(0xffff_8000_0000_1000L);
    }
  }

  @Test
  void aBaseThatIsNotCanonicalIsRefused() {
    operand(0x1234, 1L << 47);
    kernel.code("0f 01 16");
    refused(Fault.GP, 0);
    assertThat(cpu.gdtBase).isEqualTo(Kernel.GDT);
  }

  @Test
  void outside64BitModeTheBaseHas32Bits24WithA16BitOperand() {
    operand(0x1234, 0x9988_7766_5544_3322L);
    kernel.legacy(0).code("0f 01 16 66 0f 01 1e");
    kernel.machine.step(2);
    assertThat(cpu.gdtBase).isEqualTo(0x5544_3322L);
    assertThat(cpu.idtBase).isEqualTo(0x44_3322L);
  }

  @Test
  void tablesAreForLevel0() {
    for (String hex : new String[] {"0f 01 16", "0f 01 1e", "0f 00 d0", "0f 00 d8"}) {
      kernel.level(3).code(hex);
      refused(Fault.GP, 0);
    }
  }

  @Test
  void umipKeepsTheTablesFromUsers() {
    cpu.cr4 |= Cpu.CR4_UMIP;
    cpu.r[Cpu.RSI] = Machine.DATA;
    for (String hex : new String[] {"0f 01 06", "0f 01 0e", "0f 00 c0", "0f 00 c8", "0f 01 e0"}) {
      cpu.rip = Machine.CODE;
      kernel.level(0).code(hex).machine.step(1);
      cpu.rip = Machine.CODE;
      kernel.level(3);
      refused(Fault.GP, 0);
    }
  }

  @Test
  void ltrLoadsADescriptorOf16BytesAndMarksItBusy() {
    kernel.system(Kernel.TASK, 9, 0xffff_8123_4567_8000L, 0x1067).code("0f 00 d8 0f 00 c9"); // ltr ax; str ecx
    cpu.r[Cpu.RAX] = Kernel.TASK;
    kernel.machine.step(2);
    assertThat(cpu.taskBase).isEqualTo(0xffff_8123_4567_8000L);
    assertThat(cpu.taskLimit).isEqualTo(0x1067);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(Kernel.TASK);
    assertThat(kernel.memory.readByte(Kernel.GDT + Kernel.TASK + 5) & 0xff).isEqualTo(0x8b);
    // It is busy now.
    cpu.rip = Machine.CODE;
    refused(Fault.GP, Kernel.TASK);
  }

  @Test
  void ltrRefusesWhatIsNoPresentTaskStateSegmentOfTheGlobalTable() {
    kernel.code("0f 00 d8");
    cpu.r[Cpu.RAX] = 0;
    refused(Fault.GP, 0);
    cpu.r[Cpu.RAX] = Kernel.LOCAL;
    refused(Fault.GP, Kernel.LOCAL);
    cpu.r[Cpu.RAX] = Kernel.TASK | 4;
    refused(Fault.GP, Kernel.TASK | 4);
    cpu.r[Cpu.RAX] = 0x1000;
    refused(Fault.GP, 0x1000);
    kernel.descriptor(Kernel.TASK, 0x0000_0900_0000_0067L);
    cpu.r[Cpu.RAX] = Kernel.TASK;
    refused(Fault.NP, Kernel.TASK);
  }

  @Test
  void segmentsOfTheLocalTableLoadAfterLldt() {
    kernel.memory.writeLong(Kernel.LDT + 8, 0x12cf_f300_5678_ffffL);
    kernel.code("8e e1 0f 00 d0 8e e1"); // mov fs,ecx; lldt ax; mov fs,ecx
    cpu.r[Cpu.RCX] = 0xc;
    refused(Fault.GP, 0xc);
    cpu.rip = Machine.CODE + 2;
    cpu.r[Cpu.RAX] = Kernel.LOCAL;
    kernel.machine.step(2);
    assertThat(cpu.ldtBase).isEqualTo(Kernel.LDT);
    assertThat(cpu.segmentBase[Instruction.FS]).isEqualTo(0x1200_5678L);
    cpu.r[Cpu.RAX] = 0;
    cpu.rip = Machine.CODE + 2;
    kernel.machine.step(1);
    cpu.rip = Machine.CODE;
    refused(Fault.GP, 0xc);
  }

  @Test
  void segmentsOfUsersAreReadAsASupervisorDoes() {
    // The tables are not user pages.
    kernel.level(3).code("8e d8");
    cpu.r[Cpu.RAX] = Kernel.USER_DATA;
    kernel.machine.step(1);
    kernel.descriptor(Kernel.FREE, 0x00cf_f200_0000_ffffL);
    cpu.r[Cpu.RAX] = Kernel.FREE | 3;
    cpu.rip = Machine.CODE;
    kernel.machine.step(1);
    assertThat(kernel.memory.readByte(Kernel.GDT + Kernel.FREE + 5) & 0xff).isEqualTo(0xf3);
    // What the user reads is not.
    kernel.code("8b 06");
    cpu.r[Cpu.RSI] = Kernel.GDT;
    cpu.rip = Machine.CODE;
    assertThat(kernel.machine.fault().errorCode()).isEqualTo(Fault.PF_PRESENT | Fault.PF_USER);
  }
}
