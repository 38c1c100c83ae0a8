package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.L1;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.grant.GrantEntries;

/**
 * Writes L1 entries that map granted frames (create_grant_pv_mapping, replace_grant_pv_mapping, arch/x86/pv/grant_table.c). An entry
 * overwritten in the usual way gives its references up itself.
 */
public final class GrantMappings implements GrantEntries {
  private final PvMmu mmu;
  private final GuestMemory memory;

  public GrantMappings(PvMmu mmu) {
    this.mmu = mmu;
    this.memory = mmu.xen().memory;
  }

  @Override
  public boolean map(Vcpu vcpu, long address, boolean isEntry, long mfn, long flags) {
    long pa = entryPa(vcpu, address, isEntry);
    if (pa < 0) {
      return false;
    }
    long old = memory.readLong(pa);
    long mark = mmu.xen().debugBuild ? Pte.GRANT : 0;
    long entry = Pte.adjust(L1, Pte.of(mfn, flags | mark));
    memory.tableChanged(L1, slot(pa));
    memory.writeLong(pa, entry);
    mmu.log().entry(L1, pa >>> GuestMemory.FRAME_SHIFT, slot(pa), old, entry);
    mmu.types().tables().putFromL1(old);
    mmu.refusals().report(vcpu, 0);
    return true;
  }

  @Override
  public boolean unmap(Vcpu vcpu, long address, boolean isEntry, long mfn, boolean writable, long from) {
    if (from != 0 && isEntry) {
      return false;
    }
    long moved = 0;
    if (from != 0) {
      long pa = entryPa(vcpu, from, false);
      if (pa < 0) {
        return false;
      }
      moved = memory.readLong(pa);
      memory.tableChanged(L1, slot(pa));
      memory.writeLong(pa, 0);
      mmu.log().unmapped(L1, pa >>> GuestMemory.FRAME_SHIFT, slot(pa), moved);
    }
    long pa = entryPa(vcpu, address, isEntry);
    long old = pa < 0 ? 0 : memory.readLong(pa);
    boolean same = Pte.present(old) && Pte.mfn(old) == mfn && (old & Pte.WRITABLE) != 0 == writable;
    if (same) {
      memory.tableChanged(L1, slot(pa));
      memory.writeLong(pa, moved);
      mmu.log().entry(L1, pa >>> GuestMemory.FRAME_SHIFT, slot(pa), old, moved);
    } else {
      mmu.types().tables().putFromL1(moved);
      mmu.refusals().report(vcpu, 0);
    }
    mmu.tlb().flush(vcpu.domain);
    return same;
  }

  /** Which entry of its table is at a machine address. */
  private static int slot(long pa) {
    return (int) pa >>> 3 & 511;
  }

  /** The machine address of an entry in an L1 table of the domain, or -1. */
  private long entryPa(Vcpu vcpu, long address, boolean isEntry) {
    long table = isEntry ? address >>> GuestMemory.FRAME_SHIFT : mmu.roots().l1Table(vcpu, address);
    if (isEntry && (address & 7) != 0 || table < 0 || !mmu.getPage(vcpu.domain, table)) {
      return -1;
    }
    boolean isTable = mmu.frames().type(table) == L1 && mmu.frames().typeCount(table) > 0;
    mmu.putPage(table);
    return !isTable ? -1 : isEntry ? address : PageTables.slotPa(table, (int) (address >>> 12) & 511);
  }
}
