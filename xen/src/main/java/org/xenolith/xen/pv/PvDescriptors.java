package org.xenolith.xen.pv;

import org.xenolith.cpu.Descriptors;
import org.xenolith.cpu.Fault;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.DescriptorTables;

/**
 * The descriptor tables of a PV vcpu: up to 14 frames that the guest gave (set_gdt), Xen's own entries behind them, and the local table at
 * a linear address in the guest (MMUEXT_SET_LDT).
 */
final class PvDescriptors implements Descriptors {
  private static final int ENTRIES_PER_FRAME = 512;

  private final Vcpu vcpu;
  private final DescriptorTables tables;

  PvDescriptors(Vcpu vcpu, DescriptorTables tables) {
    this.vcpu = vcpu;
    this.tables = tables;
  }

  @Override
  public long read(int selector) {
    long pa = locate(selector);
    return pa == 0 ? Selectors.reserved(selector) : pa < 0 ? -1 : vcpu.cpu.memory.readLong(pa);
  }

  @Override
  public void setAccessed(int selector) {
    long pa = locate(selector);
    if (pa > 0) {
      // Bit 40 of the descriptor; bytes, because the other vcpus of the guest use the table as well.
      vcpu.cpu.memory.writeByte(pa + 5, (byte) (vcpu.cpu.memory.readByte(pa + 5) | 1));
    }
  }

  /** The machine address of a descriptor; 0 for Xen's own part; -1 outside the tables. */
  private long locate(int selector) {
    int entry = selector >>> 3;
    if ((selector & 4) != 0) {
      if (entry >= vcpu.ldtEntries) {
        return -1;
      }
      long mfn = tables.ldtFrame(vcpu, entry / ENTRIES_PER_FRAME);
      if (mfn < 0) {
        // As Xen does: #GP where the address cannot exist, else a page fault at the guest's own address (handle_ldt_mapping_fault).
        long va = vcpu.ldtBase + entry * 8L;
        throw Mmu.canonical(va) ? vcpu.cpu.pageFault(va, 0) : vcpu.cpu.fault(Fault.GP, selector & ~3);
      }
      return (mfn << GuestMemory.FRAME_SHIFT) + entry % ENTRIES_PER_FRAME * 8L;
    }
    if (entry >= Selectors.FIRST_RESERVED >>> 3) {
      return 0;
    }
    if (entry >= vcpu.gdtEntries) {
      return -1;
    }
    long mfn = vcpu.gdtMfns[entry / ENTRIES_PER_FRAME];
    return mfn == 0 ? -1 : (mfn << GuestMemory.FRAME_SHIFT) + entry % ENTRIES_PER_FRAME * 8L;
  }
}
