package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;

/** The descriptor tables that the processor's own GDTR and LDTR name, in the guest's memory (AMD64 APM volume 2, section 4.6). */
final class NativeDescriptors implements Descriptors {
  private final Cpu cpu;

  NativeDescriptors(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public long read(int selector) {
    return inside(selector) ? SystemAccess.read(cpu, address(selector), 8) : -1;
  }

  @Override
  public void setAccessed(int selector) {
    long va = address(selector) + 5;
    SystemAccess.write(cpu, va, 1, SystemAccess.read(cpu, va, 1) | Segments.ACCESSED);
  }

  private boolean inside(int selector) {
    boolean local = (selector & 4) != 0;
    if (local && (cpu.ldtAccess & Segments.PRESENT) == 0) {
      return false;
    }
    long limit = (local ? cpu.ldtLimit : cpu.gdtLimit) & 0xffff_ffffL;
    return (selector | 7) <= limit;
  }

  private long address(int selector) {
    long va = ((selector & 4) != 0 ? cpu.ldtBase : cpu.gdtBase) + (selector & ~7);
    return cpu.mode == CpuMode.LONG64 || (cpu.efer & Cpu.EFER_LMA) != 0 ? va : va & 0xffff_ffffL;
  }
}
