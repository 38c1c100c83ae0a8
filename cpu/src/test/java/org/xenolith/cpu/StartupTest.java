package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** INIT and startup. */
class StartupTest {
  private final Kernel kernel = new Kernel();
  private final Cpu cpu = kernel.cpu;

  @Test
  void initResetsWhatReset() {
    cpu.r[Cpu.RAX] = 7;
    cpu.xmm[3] = 9;
    cpu.kernelGsBase = 11;
    cpu.dr[0] = 13;
    cpu.interrupts.pendNmi();
    cpu.init();
    assertThat(cpu.mode).isEqualTo(CpuMode.CODE16);
    assertThat(cpu.cpl).isZero();
    assertThat(cpu.rip).isEqualTo(0xfff0);
    assertThat(cpu.segmentBase[Instruction.CS]).isEqualTo(0xffff_0000L);
    assertThat(cpu.r[Cpu.RAX]).isZero();
    assertThat(cpu.r[Cpu.RDX]).isNotZero();
    assertThat(cpu.rflags()).isEqualTo(2);
    assertThat(cpu.cr0 & (Cpu.CR0_PE | Cpu.CR0_PG)).isZero();
    assertThat(cpu.efer).isZero();
    assertThat(cpu.dr[0]).isZero();
    assertThat(cpu.dr[6]).isEqualTo(0xffff_0ff0L);
    assertThat(cpu.dr[7]).isEqualTo(0x400);
    assertThat(cpu.idtLimit).isEqualTo(0xffff);
    assertThat(cpu.xmm[3]).isEqualTo(9);
    assertThat(cpu.kernelGsBase).isEqualTo(11);
    assertThat(cpu.interrupts.pending()).isFalse();
  }

  @Test
  void startupRunsRealModeCodeAtThePage() {
    cpu.init();
    kernel.machine.code(0x2_0000, "8c c8 f4"); // mov ax,cs; hlt
    cpu.cr3 = Machine.ROOT;
    cpu.startup(0x20);
    assertThat(kernel.machine.run(10)).isInstanceOf(Exit.Halt.class);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x2000);
    assertThat(cpu.rip).isEqualTo(3);
  }
}
