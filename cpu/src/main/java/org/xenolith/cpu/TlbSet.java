package org.xenolith.cpu;

import java.util.Arrays;

/**
 * The TLB's entries of one address space, see {@link Mmu}: three tables, one after the other. An empty entry has the tag of a page that has
 * another index, so that no address at this index is near it.
 */
final class TlbSet {
  private static final int ENTRIES = 8192;
  private static final long PAGE = -GuestMemory.FRAME_SIZE;

  /** Bytes of a table. */
  static final int TABLE = 16 * ENTRIES;

  /** The key of a set that is out of use. */
  static final long NONE = -1;

  long key = NONE;

  /** {@link GuestMemory#tableChanges} when every entry was what a walk would have found, last. */
  long trueAt;

  /** Where in the tables there may be entries, a bit for each: of pages that are not global, and of those that are. */
  private final long[] local = new long[3 * ENTRIES / 64], global = new long[3 * ENTRIES / 64];

  private boolean anyLocal, anyGlobal;

  /** Entries that had to give way to others: of other pages, or of the same page when it was found elsewhere. */
  long replaced;

  /** How many entries for reads and writes, and for fetches, have given way or were forgotten; or more. */
  long lost, lostFetches;

  /** Bytes before the tables that are for an {@link Engine}. */
  static final int ENGINE = 4 * GuestMemory.FRAME_SIZE;

  /** Bytes of memory that a set takes. */
  static final int BYTES = ENGINE + 3 * TABLE;

  /** Where the tables are. */
  final long read, write, fetch;

  /**
   * A bit for each region of 2 MiB, hashed, in which a large page was entered: INVLPG must forget all of that page. The halves of the
   * address space have bits of their own, so that a kernel's large pages do not slow down what it does to small ones of programs.
   */
  final long[] large = new long[16];

  /** The same for pages larger than that, by 1 GiB. */
  long huge;

  /**
   * @param host where its memory is: {@link #BYTES} zeros, which stay as long as the set does
   */
  TlbSet(long host) {
    read = host + ENGINE;
    write = read + TABLE;
    fetch = write + TABLE;
    for (int ix = 0; ix < 3 * TABLE; ix += TABLE) {
      Host.putLong(read + ix, empty(0));
    }
  }

  /** Whether there may be entries. */
  boolean filled() {
    return anyLocal || anyGlobal;
  }

  /** A guest may flush after every few accesses, by CR4.PGE for one: that must cost little. */
  void clear() {
    clearLocal();
    if (anyGlobal) {
      clear(global);
      anyGlobal = false;
    }
    Arrays.fill(large, 0);
    huge = 0;
  }

  /** Forgets the pages that are not global. What is known of large pages stays, since it may be about global ones. */
  void clearLocal() {
    if (anyLocal) {
      clear(local);
      anyLocal = false;
    }
  }

  private void clear(long[] where) {
    lost++;
    lostFetches++;
    for (int word = 0; word < where.length; word++) {
      for (long bits = where[word]; bits != 0; bits &= bits - 1) {
        int offset = offset(word, bits);
        put(offset, empty(offset % TABLE), 0);
      }
      where[word] = 0;
    }
  }

  /** Takes over the global entries of a set with the same rights, to a set without entries. */
  void copyGlobal(TlbSet from) {
    if (!from.anyGlobal) {
      return;
    }
    anyGlobal = true;
    for (int word = 0; word < global.length; word++) {
      global[word] = from.global[word];
      for (long bits = global[word]; bits != 0; bits &= bits - 1) {
        int offset = offset(word, bits);
        put(offset, Host.getLong(from.read + offset), Host.getLong(from.read + offset + 8));
      }
    }
    System.arraycopy(from.large, 0, large, 0, large.length);
    huge = from.huge;
  }

  /**
   * Takes over the entries of a set with the same rights that are not global, to a set without such entries.
   *
   * @param slots a bit for each slot of the root whose pages are to be taken over
   */
  void copyLocal(TlbSet from, long[] slots) {
    for (int word = 0; word < local.length; word++) {
      for (long bits = from.local[word]; bits != 0; bits &= bits - 1) {
        int offset = offset(word, bits);
        long tag = Host.getLong(from.read + offset);
        int slot = (int) (tag >>> 39) & 511;
        if ((slots[slot >>> 6] >>> slot & 1) != 0 && tag != empty(offset % TABLE)) {
          local[word] |= 1L << (offset >>> 4);
          anyLocal = true;
          put(offset, tag, Host.getLong(from.read + offset + 8));
        }
      }
    }
    for (int word = 0; word < large.length; word++) {
      large[word] |= from.large[word];
    }
    huge |= from.huge;
  }

  /** Where in the tables the entry of the lowest of {@code bits} is, which are those of a word of {@link #local} or {@link #global}. */
  private static int offset(int word, long bits) {
    return 16 * (64 * word + Long.numberOfTrailingZeros(bits));
  }

  /**
   * Makes an entry.
   *
   * @param table {@link #read}, {@link #write} or {@link #fetch}
   */
  void enter(long table, long va, long host, boolean isGlobal) {
    int offset = (int) (table - read) + index(va);
    int word = offset >>> 10;
    long bit = 1L << (offset >>> 4);
    long tag = Host.getLong(read + offset);
    if (tag != empty(offset % TABLE) && (tag != (va & PAGE) || Host.getLong(read + offset + 8) != host)) {
      replaced++;
      count(offset);
    }
    if (isGlobal) {
      global[word] |= bit;
      local[word] &= ~bit;
      anyGlobal = true;
    } else {
      local[word] |= bit;
      global[word] &= ~bit;
      anyLocal = true;
    }
    put(offset, va & PAGE, host);
  }

  private void put(int offset, long tag, long host) {
    Host.putLong(read + offset, tag);
    Host.putLong(read + offset + 8, host);
  }

  private static int region(long va) {
    return (int) (va >>> 21 ^ va >>> 30 ^ va >>> 39) & 511 | (va < 0 ? 512 : 0);
  }

  private static long hugeRegion(long va) {
    return 1L << (va >>> 30 & 31 | (va < 0 ? 32 : 0));
  }

  void enterLarge(long va, int pageShift) {
    if (pageShift <= 22) {
      large[region(va) >>> 6] |= 1L << region(va);
    } else {
      huge |= hugeRegion(va);
    }
  }

  /** log2 of the size of what may be one page around {@code va}. */
  private int pageShift(long va) {
    if ((huge & hugeRegion(va)) != 0) {
      return 30;
    }
    // A page of 4 MiB has two regions.
    boolean hit = (large[region(va) >>> 6] >>> region(va) & 1) != 0;
    long other = va ^ 1L << 21;
    return hit || (large[region(other) >>> 6] >>> region(other) & 1) != 0 ? 22 : 12;
  }

  /** Forgets the page of {@code va}, all of it if it may be a large one. */
  void forgetPage(long va) {
    int shift = pageShift(va);
    int first = index(va >>> shift << shift);
    int bytes = Math.min(16 << shift - 12, TABLE);
    for (int table = 0; table < 3 * TABLE; table += TABLE) {
      if (shift == 12) {
        forget(table + first, va, 12);
        continue;
      }
      for (int word = table + first >>> 10; word < table + first + bytes >>> 10; word++) {
        for (long bits = local[word] | global[word]; bits != 0; bits &= bits - 1) {
          forget(offset(word, bits), va, shift);
        }
      }
    }
  }

  private void forget(int offset, long va, int shift) {
    long tag = Host.getLong(read + offset);
    if (tag >>> shift == va >>> shift && tag != empty(offset % TABLE)) {
      drop(offset);
    }
  }

  /** Forgets an entry, if there is one. */
  private void drop(int offset) {
    if (Host.getLong(read + offset) != empty(offset % TABLE)) {
      put(offset, empty(offset % TABLE), 0);
      count(offset);
    }
  }

  private void count(int offset) {
    if (offset < 2 * TABLE) {
      lost++;
    } else {
      lostFetches++;
    }
  }

  /** Forgets every page whose walk may use the entry of a table of the last level at {@code slot}. */
  void forgetSlot(int slot) {
    for (int offset = 16 * slot; offset < 3 * TABLE; offset += 16 * 512) {
      if (((local[offset >>> 10] | global[offset >>> 10]) >>> (offset >>> 4) & 1) != 0) {
        drop(offset);
      }
    }
  }

  /**
   * Forgets every page whose walk may use one of many entries of tables.
   *
   * @param slots by level, from the last: a bit for each slot of an entry of tables of this level or of those above
   */
  void forgetSlots(long[][] slots) {
    for (int word = 0; word < local.length; word++) {
      for (long bits = local[word] | global[word]; bits != 0; bits &= bits - 1) {
        int offset = offset(word, bits);
        long slot = Host.getLong(read + offset) >>> GuestMemory.FRAME_SHIFT;
        for (long[] level : slots) {
          if ((level[(int) slot >>> 6 & 7] >>> slot & 1) != 0) {
            drop(offset);
            break;
          }
          slot >>>= 9;
        }
      }
    }
  }

  /** Forgets write entries for the page at {@code host}. */
  void forbidWrites(long host) {
    for (int word = TABLE >>> 10; word < 2 * TABLE >>> 10; word++) {
      for (long bits = local[word] | global[word]; bits != 0; bits &= bits - 1) {
        int offset = offset(word, bits);
        if (Host.getLong(read + offset + 8) == host) {
          drop(offset);
        }
      }
    }
  }

  /** Where in a table the entry of a linear address is. */
  static int index(long va) {
    return (int) (va >>> 8) & 16 * (ENTRIES - 1);
  }

  private static long empty(int ix) {
    return ix == 0 ? GuestMemory.FRAME_SIZE : 0;
  }
}
