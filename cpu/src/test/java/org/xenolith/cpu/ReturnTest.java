package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** IRET and far RET of a kernel in long mode. */
class ReturnTest {
  private static final long TARGET = Machine.CODE + 0x100, OTHER = Machine.STACK - 0x800;

  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  private void refused(int vector, int errorCode) {
    long pointer = cpu.r[Cpu.RSP];
    int level = cpu.cpl;
    assertThat(kernel.machine.fault()).isEqualTo(new Exit.Exception(vector, errorCode, 0));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(pointer);
    assertThat(cpu.cpl).isEqualTo(level);
  }

  @Test
  void iretqGoesToLevel3WithFlagsAndStack() {
    kernel.code("48 cf").push(TARGET, Kernel.USER64, Cpu.IF | Cpu.CF | Cpu.IOPL | Cpu.ID, OTHER, Kernel.USER_DATA);
    kernel.machine.step(1);
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.mode).isEqualTo(CpuMode.LONG64);
    assertThat(cpu.rip).isEqualTo(TARGET);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(OTHER);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.USER_DATA);
    assertThat(cpu.rflags()).isEqualTo(2 | Cpu.IF | Cpu.CF | Cpu.IOPL | Cpu.ID);
  }

  @Test
  void iretqGoesToCompatibilityModeAndCutsTheStackPointerThere() {
    kernel.code("48 cf").push(0x10_0100, Kernel.USER32, 2, OTHER, Kernel.USER_DATA);
    kernel.machine.code(0x10_0100, "50"); // push eax
    kernel.machine.step(2);
    assertThat(cpu.mode).isEqualTo(CpuMode.COMPAT32);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(OTHER - 4);
  }

  @Test
  void iretqAtLevel0TakesTheStackFromTheFrameAndAllowsANullSegment() {
    kernel.code("48 cf").push(TARGET, Kernel.CODE64, 2, OTHER, 0);
    kernel.machine.step(1);
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(OTHER);
    assertThat(cpu.selector[Instruction.SS]).isZero();
  }

  @Test
  void iretqRefusesANullStackSegmentForLevel3() {
    kernel.code("48 cf").push(TARGET, Kernel.USER64, 2, OTHER, 0);
    refused(Fault.GP, 0);
  }

  @Test
  void iretqRefusesAStackSegmentOfAnotherLevel() {
    kernel.code("48 cf").push(TARGET, Kernel.USER64, 2, OTHER, Kernel.DATA | 3);
    refused(Fault.GP, Kernel.DATA);
  }

  @Test
  void iretqRefusesAnAbsentStackSegment() {
    kernel.descriptor(Kernel.FREE, 0x00cf_7300_0000_ffffL);
    kernel.code("48 cf").push(TARGET, Kernel.USER64, 2, OTHER, Kernel.FREE | 3);
    refused(Fault.SS, Kernel.FREE);
  }

  @Test
  void aReturnToAnInnerLevelIsRefused() {
    kernel.level(3).code("48 cf").push(TARGET, Kernel.CODE64, 2, OTHER, Kernel.DATA);
    refused(Fault.GP, Kernel.CODE64);
  }

  @Test
  void theTrapFlagFromIretTrapsBehindTheNextInstruction() {
    kernel.code("48 cf").push(TARGET, Kernel.CODE64, Cpu.TF, OTHER, Kernel.DATA);
    kernel.machine.code(TARGET, "90 90");
    assertThat(kernel.machine.run(10)).isEqualTo(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 1 << 14));
    assertThat(cpu.rip).isEqualTo(TARGET + 1);
  }

  @Test
  void nestedTaskMakesIretFaultInLongMode() {
    cpu.setRflags(Cpu.NT);
    kernel.code("48 cf").push(TARGET, Kernel.CODE64, 2, OTHER, Kernel.DATA);
    refused(Fault.GP, 0);
  }

  @Test
  void aReturnMakesDataSegmentsOfInnerLevelsNull() {
    kernel.code("48 cf").push(TARGET, Kernel.USER64, 2, OTHER, Kernel.USER_DATA);
    Segments.load(cpu, Instruction.ES, Kernel.USER_DATA);
    kernel.machine.step(1);
    assertThat(cpu.selector[Instruction.DS]).isZero();
    assertThat(cpu.segmentAccess[Instruction.DS]).isZero();
    assertThat(cpu.selector[Instruction.ES]).isEqualTo(Kernel.USER_DATA);
  }

  @Test
  void farReturnGoesToLevel3AndDropsParametersOnBothStacks() {
    // retfq 16
    kernel.code("48 ca 10 00").push(TARGET, Kernel.USER64, 1, 2, OTHER, Kernel.USER_DATA);
    kernel.machine.step(1);
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.rip).isEqualTo(TARGET);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(OTHER + 16);
  }

  @Test
  void farReturnToASegmentThatIsNotCodeIsRefused() {
    kernel.code("48 cb").push(TARGET, Kernel.DATA);
    refused(Fault.GP, Kernel.DATA);
  }

  @Test
  void aDescriptorTableThatCannotBeWrittenStopsAReturnBeforeItBegins() {
    kernel.descriptor(Kernel.FREE, 0x00cf_f200_0000_ffffL); // not accessed
    kernel.code("48 cf").push(TARGET, Kernel.USER64, 2, OTHER, Kernel.FREE | 3);
    kernel.machine.map(Kernel.GDT, Kernel.GDT | Machine.FLAGS & ~(Mmu.USER | Mmu.WRITABLE));
    assertThat(kernel.machine.fault().vector()).isEqualTo(Fault.PF);
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(Kernel.DATA);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 40);
  }
}
