package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.L1;
import static org.xenolith.xen.mm.FrameTable.L2;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Errno;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.rules.Rule;

/**
 * Changes of single entries of page tables in use (Xen: mod_l1_entry to mod_l4_entry, arch/x86/mm.c). Entries that are not present take any
 * value: Xen refuses some address bits only on Intel processors that speculate with them (L1TF), which the machine's is not.
 */
final class EntryUpdates {
  private final GuestMemory memory;
  private final PageTables tables;
  private final Refusals refusals;
  private final FrameLog log;

  EntryUpdates(Hypervisor xen, PageTables tables, Refusals refusals, FrameLog log) {
    this.memory = xen.memory;
    this.tables = tables;
    this.refusals = refusals;
    this.log = log;
  }

  /**
   * Changes an entry of a validated table: takes the references of the new entry, writes it, gives up those of the old.
   *
   * @param level the table's level
   * @param slot which of its entries
   * @param preserveAd keep the accessed and dirty bits of the old entry
   * @param domid the domain that owns the table
   * @param pageOwner for L1: whose frames may be mapped
   */
  int update(int level, long tableMfn, int slot, long wanted, boolean preserveAd, int domid, int pageOwner) {
    if (!PageTables.guestSlot(level, slot)) {
      String why = "L4 slot 0x%x of mfn 0x%x is Xen's".formatted(slot, tableMfn);
      refusals.refuse(Rule.XEN_SLOTS, Errno.EINVAL, tableMfn, why);
      refusals.slot(level, tableMfn, slot, wanted);
      refusals.debugLine("L4 update in Xen-private area, slot %#x".formatted(slot));
      return -Errno.EINVAL;
    }
    long pa = PageTables.slotPa(tableMfn, slot);
    long old = memory.readLong(pa);
    long entry = wanted;
    if (Pte.present(wanted)) {
      int rc = tables.checkFlags(level, wanted);
      if (rc == 0) {
        tables.checkGlobal(level, tableMfn, slot, wanted);
        entry = Pte.adjust(level, wanted);
        if (Pte.similar(old, entry)) {
          write(level, slot, pa, old, entry, preserveAd);
          return 0;
        }
        rc = level >= L2 ? tables.getFromTable(level, entry, tableMfn, domid) : tables.getFromL1(entry, domid, pageOwner);
      }
      if (rc != 0) {
        refusals.at("wanted for slot 0x%x of L%d table mfn 0x%x".formatted(slot, level, tableMfn));
        refusals.slot(level, tableMfn, slot, wanted);
        return rc;
      }
    } else {
      tables.checkAbsent(level, tableMfn, slot, wanted);
    }
    write(level, slot, pa, old, entry, preserveAd);
    log.entry(level, tableMfn, slot, old, entry);
    if (level == L1) {
      tables.putFromL1(old);
    } else {
      tables.putFromTable(old, tableMfn);
    }
    return 0;
  }

  private void write(int level, int slot, long pa, long old, long entry, boolean preserveAd) {
    if (Pte.present(old)) {
      memory.tableChanged(level, slot);
    }
    memory.writeLong(pa, preserveAd ? entry | old & (Pte.ACCESSED | Pte.DIRTY) : entry);
  }
}
