package org.xenolith.xen.mm;

import org.xenolith.cpu.Mmu;

/**
 * Page-table entries as Xen sees them: the bits a PV guest may use, and the bits Xen adds. Bits: AMD64 APM volume 2, section 5.4; Xen's
 * software bits: asm/page.h and asm/x86_64/page.h.
 */
public final class Pte {
  public static final long PRESENT = Mmu.PRESENT, WRITABLE = Mmu.WRITABLE, USER = Mmu.USER, ACCESSED = Mmu.ACCESSED, DIRTY = Mmu.DIRTY;

  public static final long WRITE_THROUGH = 8, CACHE_DISABLE = 0x10, LARGE = Mmu.LARGE, GLOBAL = Mmu.GLOBAL, NO_EXECUTE = Mmu.NO_EXECUTE;

  /** The bits of an entry that hold the frame: 51 to 12. */
  public static final long ADDRESS = 0x000f_ffff_ffff_f000L;

  /** Xen's mark of a mapping that only the guest's kernel may use (_PAGE_GUEST_KERNEL). */
  public static final long GUEST_KERNEL = 1L << 52;

  /** A debug build's mark of an entry that maps a grant (_PAGE_GNTTAB). */
  public static final long GRANT = 1L << 62;

  /**
   * What of an absent entry an Intel processor of 46 address bits with the L1TF flaw looks at, and from where on it finds no memory
   * (l1tf_addr_mask and l1tf_safe_maddr, arch/x86/spec_ctrl.c).
   */
  static final long L1TF_ADDRESS = 0x3fff_ffff_f000L, L1TF_SAFE = 3L << 44;

  /** The frame number in an entry that is all ones (INVALID_MFN as an entry can hold it). */
  public static final long INVALID_MFN = ADDRESS >>> 12;

  /** Flags refused in entries of L1 tables of a domain without devices (l1_disallow_mask: caching attributes). */
  static final long L1_REFUSED = WRITE_THROUGH | CACHE_DISABLE | LARGE;

  /** Flags refused in entries of higher tables (L2_DISALLOW_MASK and following): also large pages, and global. */
  static final long TABLE_REFUSED = L1_REFUSED | GLOBAL;

  /** What an entry cannot change without being checked again (the complement of FASTPATH_FLAG_WHITELIST). */
  private static final long CHECKED = ADDRESS | PRESENT | WRITABLE | WRITE_THROUGH | CACHE_DISABLE | LARGE;

  private Pte() {}

  /** An entry that maps {@code mfn} with {@code flags}. */
  public static long of(long mfn, long flags) {
    return mfn << 12 & ADDRESS | flags;
  }

  /** The frame that an entry maps. */
  public static long mfn(long entry) {
    return (entry & ADDRESS) >>> 12;
  }

  /** Whether an entry maps anything. */
  public static boolean present(long entry) {
    return (entry & PRESENT) != 0;
  }

  /** The flags of an entry in 24 bits, as Xen's messages print them: bits 63 to 52 in 23 to 12, bits 11 to 0 in their place. */
  public static int packedFlags(long entry) {
    return (int) (entry >>> 40 & 0xfff000 | entry & 0xfff);
  }

  /** The refused flags of an entry in a table of {@code level}. */
  static long refused(int level, long entry, boolean debugBuild) {
    return entry & (level == FrameTable.L1 ? L1_REFUSED | (debugBuild ? GRANT : 0) : TABLE_REFUSED);
  }

  /** Whether {@code updated} may replace {@code old} without being checked. */
  static boolean similar(long old, long updated) {
    return ((old ^ updated) & CHECKED) == 0;
  }

  /**
   * What Xen makes of an entry that a 64-bit guest writes (adjust_guest_l1e to l4e, pv/mm.h): guest kernel and user both run in ring 3, so
   * every entry gets USER; a mapping without it is marked as the kernel's, all others become global, since they are the same for both
   * roots. An L4 entry counts as accessed at once.
   */
  static long adjust(int level, long entry) {
    if (!present(entry)) {
      return entry;
    }
    if (level == FrameTable.L4) {
      return entry | ACCESSED | USER;
    }
    if (level != FrameTable.L1) {
      return entry | USER;
    }
    if ((entry & USER) == 0) {
      entry |= GUEST_KERNEL | USER;
    }
    return (entry & GUEST_KERNEL) == 0 ? entry | GLOBAL : entry;
  }

  /** An entry for messages. */
  static String hex(long entry) {
    return "0x" + Long.toHexString(entry);
  }
}
