package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.L1;
import static org.xenolith.xen.mm.FrameTable.L4;
import static org.xenolith.xen.mm.FrameTable.VALIDATED;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.rules.Rule;
import org.xenolith.xen.rules.XenLine;

/**
 * What page tables may hold: checks of single entries, and of whole tables when a frame becomes one or ceases to be one (Xen:
 * get_page_from_l1e to l4e, put_page_from_l1e to l4e, promote_l1_table to l4, demote_l1_table to l4, arch/x86/mm.c). The domain has no
 * devices, so no entry may map what is not RAM and none may choose caching attributes.
 */
final class PageTables {
  /** Entries in a table. */
  static final int ENTRIES = 512;

  /** L4 slots that are Xen's (ROOT_PAGETABLE_FIRST_XEN_SLOT, ROOT_PAGETABLE_LAST_XEN_SLOT). */
  static final int FIRST_XEN_SLOT = 256, LAST_XEN_SLOT = 271;

  /** Among them: the root itself as a linear page table; and Xen's mmconfig space, per-domain mappings, text and data, all memory. */
  private static final int LINEAR_SLOT = 258;

  private static final int[] PRIVATE_SLOTS = {257, 260, 261, 262};

  /** Rights of these (__PAGE_HYPERVISOR_RW): without USER, so the guest sees that they are there and can use none of them. */
  private static final long PRIVATE = Pte.PRESENT | Pte.WRITABLE | Pte.ACCESSED | Pte.DIRTY | Pte.NO_EXECUTE;

  private static final int MAX_LINEAR = Short.MAX_VALUE;

  private final Hypervisor xen;
  private final GuestMemory memory;
  private final FrameTable frames;
  private final PageTypes types;
  private final Refusals refusals;
  private final FrameLog log;

  PageTables(Hypervisor xen, PageTypes types, Refusals refusals, FrameLog log) {
    this.xen = xen;
    this.memory = xen.memory;
    this.frames = xen.frames;
    this.types = types;
    this.refusals = refusals;
    this.log = log;
  }

  /** Whether a slot of a table is the guest's. */
  static boolean guestSlot(int level, int slot) {
    return level != L4 || slot < FIRST_XEN_SLOT || slot > LAST_XEN_SLOT;
  }

  static long slotPa(long tableMfn, int slot) {
    return tableMfn << GuestMemory.FRAME_SHIFT | (long) slot << 3;
  }

  // ---- One entry ----

  /** Refuses flags that no entry of the level may have. */
  int checkFlags(int level, long entry) {
    long refused = Pte.refused(level, entry, xen.debugBuild);
    if (refused == 0) {
      return 0;
    }
    Rule rule = level > L1 && (refused & Pte.LARGE) != 0 ? Rule.SMALL_PAGES : Rule.ENTRY_FLAGS;
    String why = "L%d entry %s has refused flags 0x%x%s";
    refusals.refuse(
        rule, Errno.EINVAL, Pte.mfn(entry), why.formatted(level, Pte.hex(entry), Pte.packedFlags(refused), names(level, refused)));
    refusals.debugLine("Bad L%d flags %x".formatted(level, Pte.packedFlags(refused)));
    return -Errno.EINVAL;
  }

  private static String names(int level, long flags) {
    StringBuilder names = new StringBuilder();
    name(names, flags, Pte.WRITE_THROUGH, "PWT");
    name(names, flags, Pte.CACHE_DISABLE, "PCD");
    name(names, flags, Pte.LARGE, level == L1 ? "PAT" : "PSE, a large page");
    name(names, flags, Pte.GLOBAL, "G");
    name(names, flags, Pte.GRANT, "bit 62, which marks grants");
    return names.append(')').toString();
  }

  private static void name(StringBuilder names, long flags, long bit, String name) {
    if ((flags & bit) != 0) {
      names.append(names.isEmpty() ? " (" : ", ").append(name);
    }
  }

  /**
   * Takes the references that a present L1 entry needs.
   *
   * @param pageOwner whose frame it shall be: the domain itself unless a foreign one was named
   */
  int getFromL1(long entry, int domid, int pageOwner) {
    int rc = checkFlags(L1, entry);
    if (rc != 0) {
      return rc;
    }
    long mfn = Pte.mfn(entry);
    if (!frames.valid(mfn) || frames.owner(mfn) == FrameTable.DOMID_IO) {
      int errno = mfn == Pte.INVALID_MFN ? Errno.EINVAL : Errno.EPERM;
      String what = mfn == Pte.INVALID_MFN ? "the invalid frame number" : "I/O space that is not the domain's";
      refusals.refuse(Rule.NO_IO_MEMORY, errno, mfn, "L1 entry %s maps mfn 0x%x, %s".formatted(Pte.hex(entry), mfn, what));
      if (errno == Errno.EPERM) {
        int asked = pageOwner == FrameTable.DOMID_IO ? domid : pageOwner;
        refusals.debugLine("d%d non-privileged attempt to map MMIO space %x".formatted(asked, mfn));
      }
      return -errno;
    }
    if (frames.count(mfn) == 0 || frames.owner(mfn) != pageOwner) {
      String why = "L1 entry %s maps a frame that is not d%d's (%s)".formatted(Pte.hex(entry), pageOwner, frames.describe(mfn));
      refusals.refuse(Rule.OWN_FRAMES, Errno.EBUSY, mfn, why);
      String owner = frames.count(mfn) == 0 ? "-1" : Integer.toString(frames.owner(mfn));
      refusals.debugLine("pg_owner d%d l1e_owner d%d, but real_pg_owner d%s".formatted(pageOwner, domid, owner));
      return notPinned(entry, mfn, domid, pageOwner);
    }
    if (types.addReference(mfn) != 0) {
      return notPinned(entry, mfn, domid, pageOwner);
    }
    if ((entry & Pte.WRITABLE) != 0 && types.getType(mfn, FrameTable.WRITABLE) != 0) {
      types.putPage(mfn);
      String why = "L1 entry %s maps a frame writable that is in use as something else (%s)";
      refusals.refuseInstead(Rule.WRITABLE_IS_EXCLUSIVE, Errno.EBUSY, mfn, why.formatted(Pte.hex(entry), frames.describe(mfn)));
      refusals.debugLine("Could not get page type PGT_writable_page");
      return notPinned(entry, mfn, domid, pageOwner);
    }
    return 0;
  }

  private int notPinned(long entry, long mfn, int domid, int pageOwner) {
    refusals.debugLine("Error getting mfn %x (pfn %x) from L1 entry %016x for l1e_owner d%d, pg_owner d%d"
        .formatted(mfn, frames.pfn(mfn), entry, domid, pageOwner));
    return -Errno.EBUSY;
  }

  /** Gives up the references that an L1 entry held, if it was present. */
  void putFromL1(long entry) {
    long mfn = Pte.mfn(entry);
    if (!Pte.present(entry) || !frames.valid(mfn) || frames.owner(mfn) == FrameTable.DOMID_IO) {
      return;
    }
    if ((entry & Pte.GRANT) != 0 && xen.debugBuild) {
      String why = "L1 entry %s maps a grant and is given up without the grant table".formatted(Pte.hex(entry));
      refusals.implicitUnmap(mfn, why, "Attempt to implicitly unmap %s's grant PTE %016x".formatted(frames.ownerName(mfn), entry));
    }
    if ((entry & Pte.WRITABLE) != 0) {
      types.putPageAndType(mfn);
    } else {
      types.putPage(mfn);
    }
  }

  /** Takes the references that a present entry of a table of {@code level} 2 to 4 needs. */
  int getFromTable(int level, long entry, long tableMfn, int domid) {
    int rc = checkFlags(level, entry);
    if (rc != 0) {
      return rc;
    }
    long mfn = Pte.mfn(entry);
    rc = types.getPageAndType(mfn, level - 1, domid);
    if (rc == -Errno.EINVAL && frames.valid(mfn) && frames.type(mfn) == level && frames.typeCount(mfn) > 0) {
      rc = getLinear(level, entry, tableMfn, domid);
    }
    if (rc != 0) {
      refusals.onBehalfOf(Rule.NEXT_LEVEL);
      refusals.at("mapped by L%d entry %s".formatted(level, Pte.hex(entry)));
    }
    return rc;
  }

  /**
   * Takes the references for an entry that maps a table of its own level (get_lN_linear_pagetable). It must be read-only, and the mapped
   * table must not map others of its level in turn. A table that maps itself holds no reference for that.
   */
  private int getLinear(int level, long entry, long tableMfn, int domid) {
    long mfn = Pte.mfn(entry);
    if ((entry & Pte.WRITABLE) != 0) {
      String why = "L%d entry %s maps a table of its own level writable".formatted(level, Pte.hex(entry));
      refusals.refuseInstead(Rule.LINEAR_TABLES, Errno.EINVAL, mfn, why);
      refusals.debugLine("Attempt to create linear p.t. with write perms");
      return -Errno.EINVAL;
    }
    if (mfn == tableMfn) {
      refusals.forget();
      return 0;
    }
    boolean allowed =
        frames.owner(tableMfn) == domid
            && frames.owner(mfn) == domid
            && frames.linear(tableMfn) >= 0
            && frames.linear(tableMfn) < MAX_LINEAR
            && frames.linear(mfn) <= 0
            && frames.linear(mfn) > -MAX_LINEAR
            && frames.is(mfn, VALIDATED);
    if (!allowed) {
      String why = "L%d entry %s maps a table of its own level which maps, or is mapped by, another such".formatted(level, Pte.hex(entry));
      return refusals.refuseInstead(Rule.LINEAR_TABLES, Errno.EINVAL, mfn, why);
    }
    refusals.forget();
    frames.setCount(mfn, frames.count(mfn) + 1);
    frames.setTypeCount(mfn, frames.typeCount(mfn) + 1);
    frames.setLinear(tableMfn, frames.linear(tableMfn) + 1);
    frames.setLinear(mfn, frames.linear(mfn) - 1);
    return 0;
  }

  /** Gives up the references that an entry of a table of level 2 to 4 held, if it was present. */
  void putFromTable(long entry, long tableMfn) {
    long mfn = Pte.mfn(entry);
    if (Pte.present(entry) && mfn != tableMfn) {
      types.putType(mfn, tableMfn);
      types.putPage(mfn);
    }
  }

  // ---- What Xen takes, and a guest should not do ----

  /** A kernel's page with G: Xen only says so (adjust_guest_l1e). */
  void checkGlobal(int level, long tableMfn, int slot, long entry) {
    boolean broken = level == L1 && (entry & (Pte.GUEST_KERNEL | Pte.GLOBAL)) == (Pte.GUEST_KERNEL | Pte.GLOBAL);
    if (broken && !refusals.toleratedEnough()) {
      String why = "L1 entry %s, slot 0x%x of mfn 0x%x, makes a page of the kernel global".formatted(Pte.hex(entry), slot, tableMfn);
      XenLine line = new XenLine("Global bit is set in kernel page %x".formatted(Pte.mfn(entry)), XenLine.Build.DEBUG);
      refusals.tolerate(Rule.REWRITTEN_FLAGS, Pte.mfn(entry), why, line, new Breach.Slot(level, tableMfn, slot, entry));
    }
  }

  /** An absent entry that a processor may speculate with (pv_l1tf_check_pte); ours does not. */
  void checkAbsent(int level, long tableMfn, int slot, long entry) {
    long address = entry & Pte.L1TF_ADDRESS;
    boolean broken = address != 0 && address < Pte.L1TF_SAFE || level > L1 && (entry & Pte.LARGE) != 0;
    if (broken && !refusals.toleratedEnough()) {
      String why = "L%d entry %s, slot 0x%x of mfn 0x%x, is absent and names memory: on an Intel processor with the L1TF flaw Xen ends the "
          + "domain, or has it go on with shadow page tables";
      String text = "%s L1TF-vulnerable L%de %016x - Shadowing".formatted(frames.ownerName(tableMfn), level, entry);
      refusals.tolerate(Rule.L1TF_SAFE, -1, why.formatted(level, Pte.hex(entry), slot, tableMfn),
          new XenLine(text, XenLine.Build.EVERY), new Breach.Slot(level, tableMfn, slot, entry));
    }
  }

  // ---- Whole tables ----

  /** Checks every entry of a frame that becomes a page table, takes their references, and writes them as Xen keeps them. */
  int promote(long tableMfn, int level, int domid) {
    Domain domain = xen.domain(domid);
    if (level == L4 && domain != null) {
      // The frame may have been a root before, with other entries. Other tables are found by an entry that was told of when it changed.
      xen.mmu.tlb().flushRoot(domain, tableMfn);
    }
    for (int slot = 0; slot < ENTRIES; slot++) {
      long pa = slotPa(tableMfn, slot);
      long entry = memory.readLong(pa);
      if (!guestSlot(level, slot)) {
        continue;
      }
      if (!Pte.present(entry)) {
        checkAbsent(level, tableMfn, slot, entry);
        continue;
      }
      int rc = level == L1 ? getFromL1(entry, domid, domid) : getFromTable(level, entry, tableMfn, domid);
      if (rc != 0) {
        refusals.at("in slot 0x%x of mfn 0x%x, which was to become an L%d table".formatted(slot, tableMfn, level));
        refusals.inWholeTable();
        refusals.slot(level, tableMfn, slot, entry);
        refusals.debugLine("Failure %d in promote_l%d_table: slot %#x".formatted(rc, level, slot));
        giveUp(tableMfn, level, slot);
        return rc;
      }
      checkGlobal(level, tableMfn, slot, entry);
      long adjusted = Pte.adjust(level, entry);
      if (adjusted != entry) {
        memory.writeLong(pa, adjusted);
      }
      log.mapped(level, tableMfn, slot, adjusted);
    }
    if (level == L4) {
      fillXenSlots(tableMfn, domid);
    }
    return 0;
  }

  /** Gives up the references of every entry of a frame that ceases to be a page table. */
  void demote(long tableMfn, int level) {
    giveUp(tableMfn, level, ENTRIES);
  }

  private void giveUp(long tableMfn, int level, int slots) {
    for (int slot = slots - 1; slot >= 0; slot--) {
      if (guestSlot(level, slot)) {
        long entry = memory.readLong(slotPa(tableMfn, slot));
        log.unmapped(level, tableMfn, slot, entry);
        if (level == L1) {
          putFromL1(entry);
        } else {
          putFromTable(entry, tableMfn);
        }
      }
    }
  }

  // ---- Xen's slots of a root ----

  /** Writes Xen's slots of a new root, whatever the guest left there (init_xen_l4_slots). */
  private void fillXenSlots(long tableMfn, int domid) {
    for (int slot = FIRST_XEN_SLOT; slot <= LAST_XEN_SLOT; slot++) {
      memory.writeLong(slotPa(tableMfn, slot), 0);
    }
    memory.writeLong(slotPa(tableMfn, LINEAR_SLOT), Pte.of(tableMfn, PRIVATE));
    for (int slot : PRIVATE_SLOTS) {
      memory.writeLong(slotPa(tableMfn, slot), Pte.of(xen.mmu.privateTableMfn(), PRIVATE));
    }
    Domain domain = xen.domain(domid);
    if (domain != null && (domain.assists & Domain.ASSIST_M2P_STRICT) != 0) {
      showM2p(tableMfn);
    }
  }

  /** Lets a root see the machine-to-physical table (fill_ro_mpt). */
  void showM2p(long tableMfn) {
    setM2p(tableMfn, xen.mmu.m2p().rootEntry());
  }

  /** Hides the machine-to-physical table from a root (zap_ro_mpt). */
  void hideM2p(long tableMfn) {
    setM2p(tableMfn, 0);
  }

  private void setM2p(long tableMfn, long entry) {
    long pa = slotPa(tableMfn, FIRST_XEN_SLOT);
    if (memory.readLong(pa) != entry) {
      memory.tableChanged(L4, FIRST_XEN_SLOT);
      memory.writeLong(pa, entry);
    }
  }
}
