package org.xenolith.xen;

import org.xenolith.cpu.Cpu;

/** A virtual processor of a PV domain: the processor that carries it and the state that Xen keeps for it (struct vcpu, struct pv_vcpu). */
public final class Vcpu {
  public final Domain domain;
  public final int id;
  public final Cpu cpu;

  /** Whether the guest kernel (not guest user space) runs: both are in ring 3, on two page-table roots (TF_kernel_mode). */
  public boolean kernelMode = true;

  /** Roots: frames of type L4; the user root is 0 until NEW_USER_BASEPTR sets it. */
  public long kernelRootMfn, userRootMfn;

  /** Machine address of this vcpu's struct vcpu_info. */
  public long vcpuInfoPa;

  /** Frames of the guest's GDT (0: none), at most 14, and its size in entries. */
  public final long[] gdtMfns = new long[16];

  public int gdtEntries;

  /** Linear base and entries of the guest's LDT. */
  public long ldtBase;

  public int ldtEntries;

  public Vcpu(Domain domain, int id, Cpu cpu) {
    this.domain = domain;
    this.id = id;
    this.cpu = cpu;
  }

  /** The root that the processor should use now. */
  public long rootMfn() {
    return kernelMode ? kernelRootMfn : userRootMfn;
  }
}
