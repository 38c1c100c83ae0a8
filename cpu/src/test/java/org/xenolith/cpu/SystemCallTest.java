package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** SYSCALL, SYSRET, SYSENTER, SYSEXIT and SWAPGS of a processor that owns privilege level 0. */
class SystemCallTest {
  private static final long ENTRY = Machine.CODE + 0x100, ENTRY32 = Machine.CODE + 0x200;
  private static final Exit.Exception SINGLE = new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 1 << 14);

  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  SystemCallTest() {
    // SYSRET takes CS and SS from USER32 on: 32-bit code, data, 64-bit code.
    cpu.star = (long) Kernel.USER32 << 48 | (long) Kernel.CODE32 << 32;
    cpu.lstar = ENTRY;
    cpu.cstar = ENTRY32;
    cpu.syscallMask = Cpu.IF | Cpu.TF;
    kernel.machine.code(ENTRY, "f4").code(ENTRY32, "f4");
  }

  @Test
  void syscallEntersLevel0WithFlatSegmentsAndMaskedFlags() {
    kernel.level(3).code("0f 05");
    cpu.setRflags(Cpu.IF | Cpu.CF | Cpu.DF);
    kernel.machine.step(1);
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.rip).isEqualTo(ENTRY);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(Machine.CODE + 2);
    assertThat(cpu.r[Cpu.R11]).isEqualTo(2 | Cpu.IF | Cpu.CF | Cpu.DF);
    assertThat(cpu.rflags()).isEqualTo(2 | Cpu.CF | Cpu.DF);
    assertThat(cpu.selector[Instruction.CS]).isEqualTo(Kernel.CODE32);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.CODE32 + 8);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
    assertThat(cpu.mode).isEqualTo(CpuMode.LONG64);
  }

  @Test
  void syscallFromCompatibilityModeHasAnEntryOfItsOwn() {
    kernel.segments(Kernel.USER32, Kernel.USER_DATA).code("0f 05");
    kernel.machine.step(1);
    assertThat(cpu.rip).isEqualTo(ENTRY32);
    assertThat(cpu.mode).isEqualTo(CpuMode.LONG64);
  }

  @Test
  void sysretReturnsTo64BitModeAndLeavesTheStackSegmentsRightsAlone() {
    kernel.code("48 0f 07");
    Segments.setNull(cpu, Instruction.SS, 0);
    cpu.r[Cpu.RCX] = ENTRY;
    cpu.r[Cpu.R11] = Cpu.IF | Cpu.ZF | Cpu.RF | Cpu.IOPL;
    kernel.machine.step(1);
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.rip).isEqualTo(ENTRY);
    assertThat(cpu.selector[Instruction.CS]).isEqualTo(Kernel.USER64);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.USER_DATA);
    assertThat(cpu.segmentAccess[Instruction.SS]).isZero();
    assertThat(cpu.rflags()).isEqualTo(2 | Cpu.IF | Cpu.ZF | Cpu.IOPL);
  }

  @Test
  void sysretWithout64BitsReturnsToCompatibilityMode() {
    kernel.code("0f 07");
    cpu.r[Cpu.RCX] = 0x7_0000_0000L | ENTRY32;
    kernel.machine.step(1);
    assertThat(cpu.mode).isEqualTo(CpuMode.COMPAT32);
    assertThat(cpu.rip).isEqualTo(ENTRY32);
    assertThat(cpu.selector[Instruction.CS]).isEqualTo(Kernel.USER32);
  }

  @Test
  void sysretToAnAddressThatIsNotCanonicalFaultsAtLevel3() {
    kernel.code("48 0f 07");
    cpu.r[Cpu.RCX] = 1L << 47;
    assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.rip).isEqualTo(1L << 47);
  }

  @Test
  void withoutTheEnableBitThereIsNoSystemCall() {
    cpu.efer &= ~Cpu.EFER_SCE;
    kernel.code("0f 07");
    assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.UD);
    kernel.level(3).code("0f 05");
    assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.UD);
  }

  @Test
  void sysretAndSwapgsAreForLevel0() {
    kernel.level(3).code("48 0f 07");
    assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
    kernel.code("0f 01 f8");
    assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
  }

  @Test
  void theTrapFlagThatSyscallMasksDoesNotTrapInTheKernel() {
    kernel.level(3).code("0f 05");
    cpu.setRflags(Cpu.TF);
    assertThat(kernel.machine.run(10)).isInstanceOf(Exit.Halt.class);
    cpu.syscallMask = 0;
    kernel.level(3);
    cpu.setRflags(Cpu.TF);
    cpu.rip = Machine.CODE;
    assertThat(kernel.machine.run(10)).isEqualTo(SINGLE);
    assertThat(cpu.rip).isEqualTo(ENTRY);
  }

  @Test
  void theTrapFlagThatSysretSetsTrapsAtOnce() {
    kernel.code("48 0f 07");
    cpu.r[Cpu.RCX] = ENTRY;
    cpu.r[Cpu.R11] = Cpu.TF;
    assertThat(kernel.machine.run(10)).isEqualTo(SINGLE);
    assertThat(cpu.rip).isEqualTo(ENTRY);
    assertThat(cpu.cpl).isEqualTo(3);
  }

  @Test
  void swapgsExchangesTheBases() {
    kernel.code("0f 01 f8 65 48 8b 06").memory.writeLong(Machine.DATA, 42); // swapgs; mov rax,gs:[rsi]
    cpu.kernelGsBase = Machine.DATA;
    cpu.segmentBase[Instruction.GS] = 7;
    kernel.machine.step(2);
    assertThat(cpu.kernelGsBase).isEqualTo(7);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(42);
  }

  @Test
  void longModeHasNoSysenterAndNoSysexit() {
    kernel.code("0f 34");
    assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.UD);
    kernel.code("0f 35");
    assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.UD);
  }

  @Test
  void sysenterAndSysexitWorkInLegacyMode() {
    kernel.legacy(3).code("0f 34");
    kernel.machine.code(ENTRY32, "0f 35");
    cpu.sysenterCs = Kernel.CODE32;
    cpu.sysenterRip = ENTRY32;
    cpu.sysenterRsp = Kernel.STACK0;
    kernel.machine.step(1);
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.rip).isEqualTo(ENTRY32);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Kernel.STACK0);
    assertThat(cpu.rflags() & Cpu.IF).isZero();
    cpu.r[Cpu.RDX] = Machine.CODE;
    cpu.r[Cpu.RCX] = Machine.STACK;
    kernel.machine.step(1);
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
    assertThat(cpu.selector[Instruction.CS]).isEqualTo(Kernel.CODE32 + 16 | 3);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.CODE32 + 24 | 3);
  }

  @Test
  void syscallWorksInLegacyMode() {
    kernel.legacy(3).code("0f 05");
    cpu.star |= ENTRY32;
    kernel.machine.step(1);
    assertThat(cpu.rip).isEqualTo(ENTRY32);
    assertThat(cpu.mode).isEqualTo(CpuMode.COMPAT32);
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.rflags() & Cpu.IF).isZero();
  }
}
