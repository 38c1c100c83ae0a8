package org.xenolith.cpu;

/**
 * The walk from a linear address to a machine address: through the page tables of the mode that the control registers choose (AMD64 APM
 * volume 2, sections 5.2 and 5.3), each table and the page itself through the second stage where there is one (15.25.5).
 *
 * <p>Sets accessed and dirty bits, and only when the access is allowed. Changes nothing else of the processor.
 */
final class PageWalk {
  static final long ADDRESS = 0x000f_ffff_ffff_f000L;

  /** In long mode bits 52 to 62 of an entry are software's; outside of it they are reserved. */
  private static final long UPPER = 0x7ff0_0000_0000_0000L;

  private static final long PRESENT = Mmu.PRESENT, WRITABLE = Mmu.WRITABLE, USER = Mmu.USER, ACCESSED = Mmu.ACCESSED, DIRTY = Mmu.DIRTY;

  /**
   * Where a frame is: its machine address, or (with {@link #ON_BUS}) its address on the bus; with the rights of the second stage, shifted
   * by {@link #RIGHTS}.
   */
  private static final long ON_BUS = 1L << 62;

  private static final int RIGHTS = 56;
  private static final long WHERE = (1L << 52) - 1;
  private static final long ALL_RIGHTS = (SecondStage.READ | SecondStage.WRITE | SecondStage.EXECUTE) << RIGHTS;

  private final Cpu cpu;
  private final GuestMemory memory;
  private final Bus bus;
  private final long reserved;

  // Results.

  /** The machine address, or the address on the bus if {@link #onBus}. */
  long pa;

  boolean onBus;

  /** Whether a load, a store is allowed without another walk: for a store the dirty bit is already set. */
  boolean readable, writable;

  /** log2 of the size of the page in the guest's own tables. */
  int pageShift;

  /** Whether the page is global: its entry's bit counts with CR4.PGE alone. */
  boolean global;

  /** The error code of a page fault. */
  int error;

  /** Where the second stage forbids the access, or -1: then {@link #violationAccess} is what it forbids. */
  long violation = -1;

  int violationAccess;

  /** Where the entries on the way were, by level (3 is the root's), and their guest-physical addresses. */
  private final long[] places = new long[4], addresses = new long[4];

  /** Table entries read so far, those of the second stage included. */
  long references;

  /** Directory pointers of legacy paging with physical address extensions, loaded with CR3 (APM volume 2, 5.2.3). */
  private final long[] directories = new long[4];

  PageWalk(Cpu cpu, GuestMemory memory, Bus bus, int physicalBits) {
    this.cpu = cpu;
    this.memory = memory;
    this.bus = bus;
    this.reserved = ADDRESS & ~((1L << physicalBits) - 1);
  }

  /**
   * Walks for an access.
   *
   * @param anyPage whether SMAP and SMEP are disregarded
   * @return false for a page fault with {@link #error}, or where {@link #violation} is not -1
   */
  boolean walk(long va, int access, boolean asUser, boolean anyPage) {
    violation = -1;
    if ((cpu.cr0 & Cpu.CR0_PG) == 0) {
      pageShift = GuestMemory.FRAME_SHIFT;
      global = false;
      return enter(va, access, true);
    }
    boolean nxe = (cpu.efer & Cpu.EFER_NXE) != 0;
    error = (access == Mmu.WRITE ? Fault.PF_WRITE : 0) | (asUser ? Fault.PF_USER : 0)
        | (access == Mmu.FETCH && (nxe && extended() || (cpu.cr4 & Cpu.CR4_SMEP) != 0) ? Fault.PF_FETCH : 0);
    if ((cpu.efer & Cpu.EFER_LMA) != 0) {
      return walk(va, access, asUser, anyPage, cpu.cr3 & ADDRESS, 3, 0);
    }
    if ((cpu.cr4 & Cpu.CR4_PAE) != 0) {
      long directory = directories[(int) (va >>> 30) & 3];
      return (directory & PRESENT) != 0 && walk(va, access, asUser, anyPage, directory & ADDRESS, 1, UPPER);
    }
    return walk32(va, access, asUser, anyPage);
  }

  /** Whether entries have 64 bits. */
  private boolean extended() {
    return (cpu.cr4 & Cpu.CR4_PAE) != 0 || (cpu.efer & Cpu.EFER_LMA) != 0;
  }

  /** Walks tables of 512 entries from level {@code top} (3 the root's of long mode, 0 the last). */
  private boolean walk(long va, int access, boolean asUser, boolean anyPage, long root, int top, long alsoReserved) {
    boolean nxe = (cpu.efer & Cpu.EFER_NXE) != 0;
    long reservedBits = (nxe ? reserved : reserved | Mmu.NO_EXECUTE) | alsoReserved;
    long all = WRITABLE | USER;
    long any = 0;
    int unaccessed = 0;
    long table = root;
    long entry;
    int level = top;
    for (; ; level--) {
      int shift = 12 + 9 * level;
      if (!locate(level, table + ((va >>> shift & 511) << 3))) {
        return false;
      }
      entry = read(places[level], 8);
      if ((entry & PRESENT) == 0) {
        return false;
      }
      boolean leaf = level == 0 || level != 3 && (entry & Mmu.LARGE) != 0;
      long bad = entry & reservedBits;
      if (level == 3) {
        bad |= entry & Mmu.LARGE;
      } else if (leaf && level != 0) {
        bad |= entry & ((1L << shift) - 1) & ~0x1fffL;
      }
      if (bad != 0) {
        error |= Fault.PF_PRESENT | Fault.PF_RESERVED;
        return false;
      }
      all &= entry;
      any |= entry;
      if (leaf) {
        pageShift = shift;
        break;
      }
      if ((entry & ACCESSED) == 0) {
        unaccessed |= 1 << level;
      }
      table = entry & ADDRESS;
    }
    if (denied(access, asUser, anyPage, all) || access == Mmu.FETCH && nxe && any < 0) {
      error |= Fault.PF_PRESENT;
      return false;
    }
    global = (entry & Mmu.GLOBAL) != 0 && (cpu.cr4 & Cpu.CR4_PGE) != 0;
    long offset = (1L << pageShift) - 1;
    return enter(entry & ADDRESS & ~offset | va & offset, access, mayWrite(asUser, all))
        && mark(level, entry, access, unaccessed, 8);
  }

  /** Walks two levels of 1,024 entries of 4 bytes. With CR4.PSE there are pages of 4 MiB, with bits 32 to 39 of their addresses. */
  private boolean walk32(long va, int access, boolean asUser, boolean anyPage) {
    if (!locate(1, (cpu.cr3 & 0xffff_f000L) + (va >>> 20 & 0xffc))) {
      return false;
    }
    long entry = read(places[1], 4);
    if ((entry & PRESENT) == 0) {
      return false;
    }
    long all = entry;
    int level = 1;
    long address;
    int unaccessed = 0;
    if ((entry & Mmu.LARGE) != 0 && (cpu.cr4 & Cpu.CR4_PSE) != 0) {
      if ((entry & 1 << 21) != 0) {
        error |= Fault.PF_PRESENT | Fault.PF_RESERVED;
        return false;
      }
      pageShift = 22;
      address = entry & 0xffc0_0000L | (entry >>> 13 & 0xff) << 32 | va & 0x3f_ffff;
    } else {
      unaccessed = (entry & ACCESSED) == 0 ? 2 : 0;
      level = 0;
      if (!locate(0, (entry & 0xffff_f000L) + (va >>> 10 & 0xffc))) {
        return false;
      }
      entry = read(places[0], 4);
      if ((entry & PRESENT) == 0) {
        return false;
      }
      all &= entry;
      pageShift = 12;
      address = entry & 0xffff_f000L | va & 0xfff;
    }
    if (denied(access, asUser, anyPage, all)) {
      error |= Fault.PF_PRESENT;
      return false;
    }
    global = (entry & Mmu.GLOBAL) != 0 && (cpu.cr4 & Cpu.CR4_PGE) != 0;
    return enter(address, access, mayWrite(asUser, all)) && mark(level, entry, access, unaccessed, 4);
  }

  /** Notes where the entry of a level is; false where the second stage forbids to read it. */
  private boolean locate(int level, long gpa) {
    addresses[level] = gpa;
    places[level] = place(gpa, SecondStage.READ, Mmu.READ);
    references++;
    return violation == -1;
  }

  private boolean denied(int access, boolean asUser, boolean anyPage, long all) {
    boolean userPage = (all & USER) != 0;
    boolean readOnly = (all & WRITABLE) == 0;
    if (asUser) {
      return !userPage || access == Mmu.WRITE && readOnly;
    }
    if (access == Mmu.WRITE && readOnly && (cpu.cr0 & Cpu.CR0_WP) != 0) {
      return true;
    }
    if (!userPage || anyPage) {
      return false;
    }
    return access == Mmu.FETCH
        ? (cpu.cr4 & Cpu.CR4_SMEP) != 0
        : (cpu.cr4 & Cpu.CR4_SMAP) != 0 && (cpu.eflags & Cpu.AC) == 0;
  }

  private boolean mayWrite(boolean asUser, long all) {
    return (all & WRITABLE) != 0 || !asUser && (cpu.cr0 & Cpu.CR0_WP) == 0;
  }

  /** The page itself: its guest-physical address leads to the results. */
  private boolean enter(long gpa, int access, boolean mayWrite) {
    long right = access == Mmu.WRITE ? SecondStage.WRITE : access == Mmu.FETCH ? SecondStage.EXECUTE : SecondStage.READ;
    long place = place(gpa, right, access);
    if (violation != -1) {
      return false;
    }
    pa = place & WHERE;
    onBus = (place & ON_BUS) != 0;
    readable = (place & SecondStage.READ << RIGHTS) != 0;
    writable = mayWrite && (place & SecondStage.WRITE << RIGHTS) != 0;
    return true;
  }

  /** Sets the accessed bits of the levels in {@code unaccessed}, accessed and perhaps dirty in the last entry. */
  private boolean mark(int level, long entry, int access, int unaccessed, int width) {
    for (int above = 3; unaccessed != 0; above--) {
      if ((unaccessed >>> above & 1) != 0) {
        unaccessed &= ~(1 << above);
        if (!set(above, read(places[above], width) | ACCESSED, width)) {
          return false;
        }
      }
    }
    long want = access == Mmu.WRITE ? ACCESSED | DIRTY : ACCESSED;
    if ((entry & want) != want && !set(level, entry | want, width)) {
      return false;
    }
    writable &= ((entry | want) & DIRTY) != 0;
    return true;
  }

  private boolean set(int level, long entry, int width) {
    long place = places[level];
    if ((place & (SecondStage.WRITE << RIGHTS | ON_BUS)) == 0) {
      violation = addresses[level];
      violationAccess = Mmu.WRITE;
      return false;
    }
    if ((place & ON_BUS) != 0) {
      bus.write(place & WHERE, width, entry);
    } else if (width == 8) {
      memory.writeLong(place & WHERE, entry);
    } else {
      memory.writeInt(place & WHERE, (int) entry);
    }
    return true;
  }

  private long read(long place, int width) {
    if ((place & ON_BUS) != 0) {
      return bus.read(place & WHERE, width);
    }
    long host = memory.host(place & WHERE);
    return width == 8 ? Host.getLong(host) : Host.getInt(host) & 0xffff_ffffL;
  }

  /** Where a guest-physical address is; sets {@link #violation} where the second stage lacks the right. */
  private long place(long gpa, long right, int access) {
    SecondStage stage = cpu.secondStage;
    if (stage == null) {
      return memory.isRam(gpa >>> GuestMemory.FRAME_SHIFT) ? gpa | ALL_RIGHTS : gpa | ON_BUS | ALL_RIGHTS;
    }
    long entry = stage.entry(gpa >>> GuestMemory.FRAME_SHIFT);
    references += stage.references();
    if (entry == SecondStage.EMULATED) {
      return gpa | ON_BUS | ALL_RIGHTS;
    }
    if ((entry & right) == 0) {
      violation = gpa;
      violationAccess = access;
      return 0;
    }
    return entry & ADDRESS | gpa & GuestMemory.FRAME_SIZE - 1 | (entry & 7) << RIGHTS;
  }

  // ---- Legacy directory pointers ----

  /**
   * Loads the four directory pointers for legacy paging with physical address extensions; nothing in other modes.
   *
   * @return false for a reserved bit: #GP(0), and nothing was loaded
   */
  boolean loadDirectoryPointers(long cr3, long cr4, long efer) {
    if ((cr4 & Cpu.CR4_PAE) == 0 || (efer & Cpu.EFER_LMA) != 0) {
      return true;
    }
    long[] read = new long[4];
    for (int n = 0; n < 4; n++) {
      long place = place((cr3 & 0xffff_ffe0L) + 8 * n, SecondStage.READ, Mmu.READ);
      if (violation != -1) {
        return true;
      }
      references++;
      read[n] = read(place, 8);
      if ((read[n] & PRESENT) != 0 && (read[n] & (reserved | UPPER | Mmu.NO_EXECUTE | 0x1e6)) != 0) {
        return false;
      }
    }
    System.arraycopy(read, 0, directories, 0, 4);
    return true;
  }
}
