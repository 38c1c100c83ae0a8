package org.xenolith.cpu;

import static org.xenolith.cpu.TlbSet.index;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Linear-address accesses of one processor: the TLB, the {@link PageWalk} behind it, and loads and stores.
 *
 * <p>The TLB is direct-mapped, 8,192 entries each for reads, writes and fetches. An entry is 16 bytes outside the Java heap, where machine
 * code can look at it, too: a tag (the page's linear address) and the host address of the page. An access of n bytes hits when its linear
 * address minus the tag at its index is, as an unsigned number, at most 4,096 - n: one compare finds the miss and the page crossing.
 * Whatever needs care on each access is simply never entered: stores to frames with decoded code, watched pages, bus addresses, everything
 * while alignment is checked.
 *
 * <p>Several sets of entries are kept, keyed by root, process context, privilege, and the control bits that decide about rights; so
 * changing these flushes nothing, and a PV guest may change its root at every system call.
 *
 * <p>Each set knows which of its entries are of global pages (AMD64 APM volume 2, 5.5.2; Intel SDM volume 3, 4.10.2.4). A load of CR3
 * leaves them in the sets of its process context, which go over to the new root; a set made anew starts with a copy of those that the set
 * before it has for the same privilege and control bits. INVLPG reaches the page in every set, and changes of control bits, of the second
 * stage and of Xen's tables clear the sets altogether.
 */
public final class Mmu {
  private static final int SETS = 16;
  private static final long PAGE = ~0xfffL;
  private static final long ADDRESS = PageWalk.ADDRESS;

  /** Of a set's key: whether there is no paging; everything but root and process context. */
  private static final long NO_ROOT = 4, BELOW_ROOT = 0xfff;

  /** The process context identifier in CR3, where CR4.PCIDE is set. */
  static final int CONTEXT = 0xfff;

  /** Bits of a page-table entry. */
  public static final long PRESENT = 1, WRITABLE = 2, USER = 4, ACCESSED = 0x20, DIRTY = 0x40, LARGE = 0x80, GLOBAL = 0x100,
      NO_EXECUTE = 1L << 63;

  /** Kinds of access. */
  public static final int READ = 0, WRITE = 1, FETCH = 2;

  private final Cpu cpu;
  private final GuestMemory memory;
  private final Bus bus;
  private final PageWalk walk;

  /** Memory of all sets. Given back when the garbage collector finds that the processor is gone. */
  private final MemorySegment setMemory = HostMapping.reserve((SETS + 1L) * TlbSet.BYTES, Arena.ofAuto());

  /** Up to {@link #SETS}, made when they are needed. */
  private TlbSet[] sets = {};

  /** The set used last for each kind of privilege. */
  private final TlbSet[] last = new TlbSet[3];

  /** A set that stays empty: used while alignment is checked, and what the fast paths see while accesses are watched. */
  private final TlbSet unused = new TlbSet(setMemory.address() + SETS * TlbSet.BYTES);

  private TlbSet current;
  private int victim;

  /** So many changes are looked for one by one in a set; for more it is gone through once. */
  private static final int FEW_CHANGES = 16;

  /** Working space of {@link #forgetChanged}: see {@link TlbSet#forgetSlots}. */
  private final long[][] changedSlots = new long[4][8];

  private long changes;

  /** Where the tables of the current set start. */
  private long readTlb, writeTlb, fetchTlb;

  /** Who watches data accesses, or null. The set's entries are made and used as ever, but every access takes the slow path to them. */
  private DataWatcher watcher;

  private boolean user;

  private boolean checkAlignment;

  /** The upper half of the last {@link #read128}. */
  public long high;

  /** Whether the last {@link #fill} led to the bus. */
  private boolean onBus;

  // Statistics, counted on slow paths only.
  long fills, flushes, pageFlushes;

  Mmu(Cpu cpu, GuestMemory memory, Bus bus, int physicalBits) {
    this.cpu = cpu;
    this.memory = memory;
    this.bus = bus;
    this.walk = new PageWalk(cpu, memory, bus, physicalBits);
    Arrays.fill(last, unused);
    use(unused);
  }

  // ---- The current address space ----

  /** Chooses the set for the processor's root, privilege and mode; to be called when any of these has changed. Flushes nothing. */
  void select() {
    user = cpu.cpl == 3;
    boolean access = (cpu.eflags & Cpu.AC) != 0;
    checkAlignment = user && access && (cpu.cr0 & Cpu.CR0_AM) != 0;
    if (checkAlignment) {
      use(unused);
      return;
    }
    int privilege = user ? 1 : access && (cpu.cr4 & Cpu.CR4_SMAP) != 0 ? 2 : 0;
    long key = key() | privilege;
    if (current.key == key) {
      return;
    }
    TlbSet set = last[privilege];
    if (set.key != key) {
      set = find(key, set);
      last[privilege] = set;
    }
    use(set);
  }

  /**
   * What entries depend on besides privilege: in bits 12 to 51 the root, above it the process context, below it the control bits that
   * choose the kind of tables and what their rights mean.
   */
  private long key() {
    if ((cpu.cr0 & Cpu.CR0_PG) == 0) {
      return NO_ROOT;
    }
    long cr4 = cpu.cr4;
    long context = (cr4 & Cpu.CR4_PCIDE) != 0 ? cpu.cr3 << 52 : 0;
    return cpu.cr3 & ADDRESS | context
        | (cpu.cr0 & Cpu.CR0_WP) >>> 13 // bit 3
        | (cr4 & (Cpu.CR4_PSE | Cpu.CR4_PAE)) // bits 4 and 5
        | (cpu.efer & Cpu.EFER_LMA) >>> 4 // bit 6
        | (cpu.efer & Cpu.EFER_NXE) >>> 4 // bit 7
        | (cr4 & (Cpu.CR4_SMEP | Cpu.CR4_SMAP)) >>> 12; // bits 8 and 9
  }

  /** The set with a key. A new one begins with the global pages of the set used {@code before}. */
  private TlbSet find(long key, TlbSet before) {
    TlbSet set = withKey(key);
    if (set != null) {
      return set;
    }
    set = withKey(TlbSet.NONE);
    if (set == null && sets.length < SETS) {
      set = new TlbSet(setMemory.address() + sets.length * TlbSet.BYTES);
      sets = Arrays.copyOf(sets, sets.length + 1);
      sets[sets.length - 1] = set;
    } else if (set == null) {
      set = sets[victim];
      victim = (victim + 1) % SETS;
    }
    boolean sameRights = ((key ^ before.key) & BELOW_ROOT) == 0;
    if (set == before && sameRights) {
      set.clearLocal();
    } else {
      set.clear();
      if (sameRights) {
        set.copyGlobal(before);
      }
    }
    set.key = key;
    set.trueAt = memory.tableChanges();
    return set;
  }

  private TlbSet withKey(long key) {
    for (TlbSet set : sets) {
      if (set.key == key) {
        return set;
      }
    }
    return null;
  }

  private void use(TlbSet set) {
    changes++;
    current = set;
    TlbSet seen = watcher == null ? set : unused;
    readTlb = seen.read;
    writeTlb = seen.write;
    fetchTlb = set.fetch;
  }

  /** Tells {@code watcher} of every data access from now on, or (with null) nobody. */
  public void watch(DataWatcher watcher) {
    this.watcher = watcher;
    use(current);
  }

  /** Whether somebody is told of data accesses. */
  public boolean isWatched() {
    return watcher != null;
  }

  /** The machine address for a data access inside a page that the fast path did not serve. */
  private long reach(long va, int size, int access) {
    if (watcher == null) {
      return fill(va, access);
    }
    long entry = (access == WRITE ? current.write : current.read) + index(va);
    boolean hit = inside(va - Host.getLong(entry), 1);
    long pa = hit ? memory.machine(Host.getLong(entry + 8) + va - Host.getLong(entry)) : fill(va, access);
    onBus &= !hit;
    watcher.accessed(cpu, va, onBus ? -1 : pa, size, access);
    return pa;
  }

  /** For an {@link Engine}: bytes from the table of read entries to that of write entries, and on to that of fetch entries. */
  public static final int TABLE_BYTES = TlbSet.TABLE;

  /** For an {@link Engine}: where in a table the entry of a linear address is, in bytes. */
  public static int entryIndex(long va) {
    return index(va);
  }

  /** For an {@link Engine}: how many bytes before the tables are for its use. */
  public static final int ENGINE_BYTES = TlbSet.ENGINE;

  /**
   * For an {@link Engine}: the host address of the tables that accesses use now, or 0 if each takes the slow path. {@link #ENGINE_BYTES}
   * before them are the engine's, and 0 at first.
   */
  public long tables() {
    return current == unused ? 0 : readTlb;
  }

  /** For an {@link Engine}: changes when fetch entries may have gone or other tables are used. */
  public long changes() {
    return changes;
  }

  /** For an {@link Engine}: as long as this and {@link #changes} stay, so do all entries but for those of pages that get code. */
  public long replacedEntries() {
    return current.replaced;
  }

  /** For an {@link Engine}: as long as this stays, so do all entries for reads and writes in the {@link #tables} used now. */
  public long lostEntries() {
    return current.lost;
  }

  /** The same of entries for fetches. */
  public long lostFetchEntries() {
    return current.lostFetches;
  }

  /** Forgets all translations of every root. */
  public void flushAll() {
    changes++;
    flushes++;
    for (TlbSet set : sets) {
      forget(set);
    }
  }

  /** A set that is not in use is cleared only when it is used again. */
  private void forget(TlbSet set) {
    if (set == current) {
      set.clear();
    } else {
      set.key = TlbSet.NONE;
    }
  }

  /**
   * Forgets all translations of every root but for those that a walk would find again, since nothing that they rest on has changed. For a
   * hypervisor that calls {@link GuestMemory#tableChanged}.
   */
  public void flushChanged() {
    long before = changes;
    for (TlbSet set : sets) {
      forgetChanged(set);
    }
    flushes += changes == before ? 0 : 1;
  }

  /** As {@link #flushChanged}, for the root at {@code rootPa} alone. */
  public void flushChanged(long rootPa) {
    long before = changes;
    for (TlbSet set : sets) {
      if ((set.key & ADDRESS) == rootPa) {
        forgetChanged(set);
      }
    }
    flushes += changes == before ? 0 : 1;
  }

  /**
   * Lets a root in long mode, if it has no translations yet, begin with those of another whose walks go the same way, since both have the
   * same entry: those that a walk would make. For a hypervisor that calls {@link GuestMemory#tableChanged} for the tables of both.
   */
  public void share(long fromPa, long toPa) {
    for (TlbSet from : sets) {
      long key = from.key & ~ADDRESS | toPa;
      if (from.key == TlbSet.NONE || (from.key & ADDRESS) != fromPa || withKey(key) != null) {
        continue;
      }
      forgetChanged(from);
      TlbSet set = find(key, from);
      if (set != from) {
        set.copyLocal(from, sameEntries(fromPa, toPa));
      }
    }
  }

  /** A bit for each entry that is the same in two tables. */
  private long[] sameEntries(long tablePa, long otherPa) {
    long[] same = new long[8];
    for (int slot = 0; slot < 512; slot++) {
      if (memory.readLong(tablePa + 8 * slot) == memory.readLong(otherPa + 8 * slot)) {
        same[slot >>> 6] |= 1L << slot;
      }
    }
    return same;
  }

  /** Forgets all translations of the root at {@code rootPa}. */
  public void flushRoot(long rootPa) {
    changes++;
    flushes++;
    for (TlbSet set : sets) {
      if (set.key != TlbSet.NONE && (set.key & ADDRESS) == rootPa) {
        forget(set);
      }
    }
  }

  private void forgetChanged(TlbSet set) {
    long now = memory.tableChanges();
    if (set.key == TlbSet.NONE || set.trueAt == now) {
      return;
    }
    changes++;
    if (now - set.trueAt > GuestMemory.REMEMBERED_CHANGES) {
      set.clear();
    } else {
      forgetChanged(set, now);
    }
    set.trueAt = now;
  }

  /**
   * Where a table is an entry of itself, a walk uses its entries as those of lower levels, too. So a changed entry is one of its level and
   * of all below.
   */
  private void forgetChanged(TlbSet set, long now) {
    boolean few = now - set.trueAt <= FEW_CHANGES;
    boolean gathered = false;
    for (long n = set.trueAt; n < now; n++) {
      int level = memory.changedEntry(n) >>> 9;
      int slot = memory.changedEntry(n) & 511;
      if (few && level == 1) {
        set.forgetSlot(slot);
        continue;
      }
      gathered = true;
      for (int l = 0; l < level; l++) {
        changedSlots[l][slot >>> 6] |= 1L << slot;
      }
    }
    if (gathered) {
      set.forgetSlots(changedSlots);
      for (long[] slots : changedSlots) {
        Arrays.fill(slots, 0);
      }
    }
  }

  /**
   * CR3 was loaded: forgets the translations of its process context but for global pages. Its sets go over to the new root with those:
   * without process contexts these are all sets, since entries of another root cannot be used before that is loaded.
   */
  void rootLoaded() {
    changes++;
    flushes++;
    long key = key();
    for (TlbSet set : sets) {
      if ((set.key & NO_ROOT) != 0 || set.key >>> 52 != key >>> 52) {
        continue;
      }
      set.clearLocal();
      long loaded = key & -1L << 12 | set.key & BELOW_ROOT;
      if (set.key != loaded) {
        // There are two sets of one context where its root was changed and nothing flushed.
        set.key = withKey(loaded) == null ? loaded : TlbSet.NONE;
      }
    }
  }

  /** Forgets all translations of a process context, 0 to 4,095, but for global pages. */
  void flushContext(int context) {
    changes++;
    flushes++;
    for (TlbSet set : sets) {
      if (set.key != TlbSet.NONE && set.key >>> 52 == context) {
        set.clearLocal();
      }
    }
  }

  /** Forgets all translations but for global pages. */
  void flushLocal() {
    changes++;
    flushes++;
    for (TlbSet set : sets) {
      set.clearLocal();
    }
  }

  /** Forgets the page of {@code va}, all of it if it is a large one, under every root and in every process context. */
  public void flushPage(long va) {
    changes++;
    pageFlushes++;
    for (TlbSet set : sets) {
      if (set.filled() && set.key != TlbSet.NONE) {
        set.forgetPage(va);
      }
    }
  }

  /** Forgets write entries for a frame, which now holds decoded code. */
  void forbidFastWrites(long mfn) {
    long host = memory.host(mfn << GuestMemory.FRAME_SHIFT);
    for (TlbSet set : sets) {
      if (set.filled() && set.key != TlbSet.NONE) {
        set.forbidWrites(host);
      }
    }
  }

  /** Whether an access of {@code size} bytes at this distance from its entry's tag is inside the page. */
  private static boolean inside(long offset, int size) {
    return Long.compareUnsigned(offset, GuestMemory.FRAME_SIZE - size) <= 0;
  }

  /** Whether {@code va} is canonical for 48-bit linear addresses. */
  public static boolean canonical(long va) {
    return va << 16 >> 16 == va;
  }

  // ---- Loads ----

  public int read8(long va) {
    long entry = readTlb + index(va);
    long offset = va - Host.getLong(entry);
    return inside(offset, 1) ? Host.getByte(Host.getLong(entry + 8) + offset) : (int) readSlow(va, 1);
  }

  public int read16(long va) {
    long entry = readTlb + index(va);
    long offset = va - Host.getLong(entry);
    return inside(offset, 2) ? Host.getShort(Host.getLong(entry + 8) + offset) : (int) readSlow(va, 2);
  }

  public int read32(long va) {
    long entry = readTlb + index(va);
    long offset = va - Host.getLong(entry);
    return inside(offset, 4) ? Host.getInt(Host.getLong(entry + 8) + offset) : (int) readSlow(va, 4);
  }

  public long read64(long va) {
    long entry = readTlb + index(va);
    long offset = va - Host.getLong(entry);
    return inside(offset, 8) ? Host.getLong(Host.getLong(entry + 8) + offset) : readSlow(va, 8);
  }

  /** Reads 16 bytes: the lower 8 are returned, the upper 8 are in {@link #high}. */
  public long read128(long va) {
    long entry = readTlb + index(va);
    long offset = va - Host.getLong(entry);
    if (inside(offset, 16)) {
      long host = Host.getLong(entry + 8) + offset;
      high = Host.getLong(host + 8);
      return Host.getLong(host);
    }
    checkAlignment16(va);
    long low = read64(va);
    high = read64(va + 8);
    return low;
  }

  /** Whether data accesses that are not aligned fault (#AC): privilege level 3 with RFLAGS.AC and CR0.AM. */
  boolean checksAlignment() {
    return checkAlignment;
  }

  /** #AC for an operand of 16 bytes where alignment is checked; an address that is not canonical has a fault of its own. */
  private void checkAlignment16(long va) {
    if (checkAlignment && (va & 15) != 0 && canonical(va) && canonical(va + 15)) {
      throw cpu.fault(Fault.AC, 0);
    }
  }

  /** Reads {@code size} (1, 2, 4 or 8) bytes, zero-extended. */
  public long read(long va, int size) {
    return switch (size) {
      case 1 -> read8(va);
      case 2 -> read16(va);
      case 4 -> read32(va) & 0xffff_ffffL;
      default -> read64(va);
    };
  }

  /**
   * Reads like {@link #read}, for an instruction that will store to the same place: a fault is reported as a write's, and the store
   * that follows cannot fault.
   */
  public long readForWrite(long va, int size) {
    long entry = writeTlb + index(va);
    long offset = va - Host.getLong(entry);
    if (inside(offset, size)) {
      long host = Host.getLong(entry + 8) + offset;
      return switch (size) {
        case 1 -> Host.getByte(host);
        case 2 -> Host.getShort(host);
        case 4 -> Host.getInt(host) & 0xffff_ffffL;
        default -> Host.getLong(host);
      };
    }
    if (watcher != null) {
      entry = current.write + index(va);
      offset = va - Host.getLong(entry);
      if (inside(offset, size)) {
        // As above, without a look at the read entry, which may be another page's.
        long host = Host.getLong(entry + 8) + offset;
        watcher.accessed(cpu, va, memory.machine(host), size, READ);
        return readHost(host, size);
      }
    }
    checkWritable(va, size);
    return read(va, size);
  }

  private static long readHost(long host, int size) {
    return switch (size) {
      case 1 -> Host.getByte(host);
      case 2 -> Host.getShort(host);
      case 4 -> Host.getInt(host) & 0xffff_ffffL;
      default -> Host.getLong(host);
    };
  }

  private long readSlow(long va, int size) {
    long last = va + size - 1;
    if (!canonical(va) || !canonical(last)) {
      throw cpu.nonCanonical(va);
    }
    if (checkAlignment && (va & size - 1) != 0) {
      throw cpu.fault(Fault.AC, 0);
    }
    if ((va & PAGE) != (last & PAGE)) {
      // Both pages first: a fault in the second must not find the first half read from a device.
      translateOrFault(va, READ);
      translateOrFault(last & PAGE, READ);
      long value = 0;
      for (int n = 0; n < size; n++) {
        value |= (long) read8(va + n) << 8 * n;
      }
      return value;
    }
    long pa = reach(va, size, READ);
    if (cpu.debugging.watching) {
      cpu.debugging.accessed(va, size, READ);
    }
    if (onBus) {
      cpu.aboutToAccessDevice();
      return bus.read(pa, size);
    }
    return readHost(memory.host(pa), size);
  }

  // ---- Stores ----

  public void write8(long va, int value) {
    long entry = writeTlb + index(va);
    long offset = va - Host.getLong(entry);
    if (inside(offset, 1)) {
      Host.putByte(Host.getLong(entry + 8) + offset, value);
    } else {
      writeSlow(va, 1, value);
    }
  }

  public void write16(long va, int value) {
    long entry = writeTlb + index(va);
    long offset = va - Host.getLong(entry);
    if (inside(offset, 2)) {
      Host.putShort(Host.getLong(entry + 8) + offset, value);
    } else {
      writeSlow(va, 2, value);
    }
  }

  public void write32(long va, int value) {
    long entry = writeTlb + index(va);
    long offset = va - Host.getLong(entry);
    if (inside(offset, 4)) {
      Host.putInt(Host.getLong(entry + 8) + offset, value);
    } else {
      writeSlow(va, 4, value);
    }
  }

  public void write64(long va, long value) {
    long entry = writeTlb + index(va);
    long offset = va - Host.getLong(entry);
    if (inside(offset, 8)) {
      Host.putLong(Host.getLong(entry + 8) + offset, value);
    } else {
      writeSlow(va, 8, value);
    }
  }

  public void write128(long va, long low, long high) {
    long entry = writeTlb + index(va);
    long offset = va - Host.getLong(entry);
    if (inside(offset, 16)) {
      long host = Host.getLong(entry + 8) + offset;
      Host.putLong(host, low);
      Host.putLong(host + 8, high);
    } else {
      checkAlignment16(va);
      checkWritable(va, 16);
      write64(va, low);
      write64(va + 8, high);
    }
  }

  /** Writes the low {@code size} (1, 2, 4 or 8) bytes of {@code value}. */
  public void write(long va, int size, long value) {
    switch (size) {
      case 1 -> write8(va, (int) value);
      case 2 -> write16(va, (int) value);
      case 4 -> write32(va, (int) value);
      default -> write64(va, value);
    }
  }

  /** Faults as a write of {@code size} bytes (at most 4,096) would; afterwards such a write succeeds. */
  public void checkWritable(long va, int size) {
    check(va, size, WRITE);
  }

  /** Faults as a read of {@code size} bytes (at most 4,096) would. */
  public void checkReadable(long va, int size) {
    check(va, size, READ);
  }

  private void check(long va, int size, int access) {
    long last = va + size - 1;
    if (!canonical(va) || !canonical(last)) {
      throw cpu.nonCanonical(va);
    }
    if (checkAlignment && size <= 8 && (va & size - 1) != 0) {
      throw cpu.fault(Fault.AC, 0);
    }
    translateOrFault(va, access);
    if ((va & PAGE) != (last & PAGE)) {
      translateOrFault(last & PAGE, access);
    }
  }

  private void writeSlow(long va, int size, long value) {
    long last = va + size - 1;
    if (!canonical(va) || !canonical(last)) {
      throw cpu.nonCanonical(va);
    }
    if (checkAlignment && (va & size - 1) != 0) {
      throw cpu.fault(Fault.AC, 0);
    }
    if ((va & PAGE) != (last & PAGE)) {
      translateOrFault(va, WRITE);
      translateOrFault(last & PAGE, WRITE);
      for (int n = 0; n < size; n++) {
        write8(va + n, (int) (value >>> 8 * n));
      }
      return;
    }
    long pa = reach(va, size, WRITE);
    if (cpu.debugging.watching) {
      cpu.debugging.accessed(va, size, WRITE);
    }
    if (onBus) {
      cpu.aboutToAccessDevice();
      bus.write(pa, size, value);
      return;
    }
    long host = memory.host(pa);
    switch (size) {
      case 1 -> Host.putByte(host, (int) value);
      case 2 -> Host.putShort(host, (int) value);
      case 4 -> Host.putInt(host, (int) value);
      default -> Host.putLong(host, value);
    }
    if (memory.hasCode(pa >>> GuestMemory.FRAME_SHIFT)) {
      cpu.code.stored(pa, size);
    }
  }

  // ---- Runs of memory inside one page, for string instructions ----

  /**
   * The host address of {@code va} if its page is in the TLB for reads (after filling it), or 0 if each access needs care. The caller stays
   * inside the page.
   */
  long hostForRead(long va) {
    long entry = readTlb + index(va);
    if (!inside(va - Host.getLong(entry), 1)) {
      checkReadable(va, 1);
      if (!inside(va - Host.getLong(entry), 1)) {
        return 0;
      }
    }
    return Host.getLong(entry + 8) + va - Host.getLong(entry);
  }

  /** Like {@link #hostForRead}, for writes. */
  long hostForWrite(long va) {
    long entry = writeTlb + index(va);
    if (!inside(va - Host.getLong(entry), 1)) {
      checkWritable(va, 1);
      if (!inside(va - Host.getLong(entry), 1)) {
        return 0;
      }
    }
    return Host.getLong(entry + 8) + va - Host.getLong(entry);
  }

  // ---- Fetch ----

  /** The host address of the instruction byte at {@code va}. */
  long hostForFetch(long va) {
    long entry = fetchTlb + index(va);
    long offset = va - Host.getLong(entry);
    if (!inside(offset, 1)) {
      if (!canonical(va)) {
        throw cpu.fault(Fault.GP, 0);
      }
      long pa = fill(va, FETCH);
      if (onBus) {
        throw cpu.unimplemented("instruction fetch outside RAM, machine address 0x" + Long.toHexString(pa));
      }
      return memory.host(pa);
    }
    return Host.getLong(entry + 8) + offset;
  }

  // ---- Translation ----

  /**
   * The machine address that {@code va} has for a supervisor's access under the current root, without regard to SMAP and SMEP, or -1 where
   * it faults, or where a second stage has no memory for it. Sets accessed and dirty bits as an access does.
   */
  public long translate(long va, int access) {
    return canonical(va) && walk.walk(va, access, false, true) && !(walk.onBus && cpu.secondStage != null) ? walk.pa : -1;
  }

  private void translateOrFault(long va, int access) {
    long entry = (access == WRITE ? current.write : current.read) + index(va);
    if (Host.getLong(entry) != (va & PAGE)) {
      fill(va, access);
    }
  }

  private long fill(long va, int access) {
    fills++;
    if (!walk.walk(va, access, user, false)) {
      throw walk.violation != -1 ? cpu.secondStageViolation(walk.violation, walk.violationAccess) : cpu.pageFault(va, walk.error);
    }
    return enterWalked(va, access);
  }

  /**
   * For an {@link Engine}: makes the TLB's entry for an access of one page, as the interpreter would that is about to do that access.
   *
   * @param access {@link #READ}, {@link #WRITE} or {@link #FETCH}
   * @return whether there is one now; if not, nothing is counted, and the interpreter finds out what is to be done
   */
  public boolean fillEntry(long va, int access) {
    if (watcher != null || current == unused || !canonical(va)) {
      return false;
    }
    long entry = (access == READ ? current.read : access == WRITE ? current.write : current.fetch) + index(va);
    if (Host.getLong(entry) == (va & PAGE)) {
      return true;
    }
    long references = walk.references;
    if (walk.walk(va, access, user, false)) {
      enterWalked(va, access);
      if (Host.getLong(entry) == (va & PAGE)) {
        fills++;
        return true;
      }
    }
    walk.references = references;
    return false;
  }

  /** For an {@link Engine}: the host address of a page that has a fetch entry, else another one. */
  public long fetchPage(long va) {
    return Host.getLong(fetchTlb + index(va) + 8);
  }

  /** Makes the entries of the last walk. */
  private long enterWalked(long va, int access) {
    long pa = walk.pa;
    long mfn = pa >>> GuestMemory.FRAME_SHIFT;
    onBus = walk.onBus;
    if (onBus || current == unused || cpu.debugging.watching && cpu.debugging.watched(va)) {
      if (access == WRITE && !onBus) {
        memory.setWritten(mfn);
      }
      return pa;
    }
    long host = memory.host(pa & PAGE);
    if (walk.pageShift != GuestMemory.FRAME_SHIFT) {
      current.enterLarge(va, walk.pageShift);
    }
    if (access == FETCH) {
      current.enter(current.fetch, va, host, walk.global);
      return pa;
    }
    if (walk.readable) {
      current.enter(current.read, va, host, walk.global);
    }
    if (access == WRITE) {
      memory.setWritten(mfn);
    }
    if (walk.writable && !memory.hasCode(mfn)) {
      memory.setWritten(mfn);
      current.enter(current.write, va, host, walk.global);
    }
    return pa;
  }

  /**
   * Loads the directory pointers of legacy paging with physical address extensions for new values of the control registers; nothing in
   * other modes. #GP(0) for reserved bits.
   */
  void loadDirectoryPointers(long cr3, long cr4, long efer) {
    boolean good = walk.loadDirectoryPointers(cr3, cr4, efer);
    if (walk.violation != -1) {
      throw cpu.secondStageViolation(walk.violation, walk.violationAccess);
    }
    if (!good) {
      throw cpu.fault(Fault.GP, 0);
    }
  }

  /** Page-table entries read by walks, those of the second stage included. */
  long walkReferences() {
    return walk.references;
  }
}
