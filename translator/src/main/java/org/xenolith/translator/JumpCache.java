package org.xenolith.translator;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.xenolith.cpu.GuestMemory;

/**
 * Where indirect jumps find their targets: a table of linear address and code address, and of what the TLB's fetch entry for the page must
 * be, so that a jump finds only what the current address space maps there. An address has four places, beside each other; machine code
 * looks at the first on its straight way.
 */
final class JumpCache {
  static final int ENTRIES = 16384;
  static final int ENTRY_SHIFT = 5;
  static final int HASH_SHIFT = 7;

  /** Places in an entry: linear address, code, the 16 bytes that the fetch entry must have. */
  static final int VA = 0, CODE = 8, PAGES = 16;

  private static final int ENTRY = 1 << ENTRY_SHIFT;

  /** What leads from the first place of an address to each of the others, by XOR. */
  static final int[] OTHERS = {ENTRY, 2 * ENTRY, 3 * ENTRY};

  /** No address of code. */
  private static final long NONE = 1L << 63;

  private static final long PAGE = -GuestMemory.FRAME_SIZE;

  private final MemorySegment table;

  /** Which of {@link #OTHERS} gives way next. */
  private int victim;

  final long address;

  JumpCache(Arena arena) {
    table = arena.allocate((long) ENTRIES << ENTRY_SHIFT, 4 * ENTRY);
    address = table.address();
    clear();
  }

  void clear() {
    table.fill((byte) 0);
    for (long at = 0; at < table.byteSize(); at += ENTRY) {
      Native.putLong(address + at + VA, NONE);
    }
  }

  private long entry(long va) {
    int hash = ((int) va >>> HASH_SHIFT ^ (int) va) & ENTRIES - 1;
    return address + ((long) hash << ENTRY_SHIFT);
  }

  /** Enters a translation, which was found under the current translation of its address; what has its first place moves to another. */
  void enter(Translation t) {
    long va = t.first().va;
    long entry = entry(va);
    long occupant = Native.getLong(entry + VA);
    if (occupant != va && occupant != NONE) {
      move(entry, placeFor(entry, va));
    }
    Native.putLong(entry + VA, va);
    Native.putLong(entry + CODE, t.entry);
    Native.putLong(entry + PAGES, va & PAGE);
    Native.putLong(entry + PAGES + 8, t.first().host & PAGE);
  }

  /** Which of the other places what has the first is to have when an address takes that: the address's own, a free one, or the next. */
  private long placeFor(long first, long va) {
    long own = find(first, va);
    long place = own != 0 ? own : find(first, NONE);
    if (place == 0) {
      victim = (victim + 1) % OTHERS.length;
      place = first ^ OTHERS[victim];
    }
    return place;
  }

  private static void move(long from, long to) {
    for (int at = 0; at < ENTRY; at += 8) {
      Native.putLong(to + at, Native.getLong(from + at));
    }
  }

  /** Whether a jump to an address would be found if the TLB had this page for it. */
  boolean has(long va, long page) {
    long first = entry(va);
    long entry = Native.getLong(first + VA) == va ? first : find(first, va);
    return entry != 0 && Native.getLong(entry + PAGES + 8) == page;
  }

  /** Which of the places beside one holds an address, or 0. */
  private static long find(long first, long va) {
    for (int other : OTHERS) {
      if (Native.getLong((first ^ other) + VA) == va) {
        return first ^ other;
      }
    }
    return 0;
  }

  void forget(Translation t) {
    long entry = entry(t.first().va);
    forget(entry, t.entry);
    for (int other : OTHERS) {
      forget(entry ^ other, t.entry);
    }
  }

  private static void forget(long entry, long code) {
    if (Native.getLong(entry + CODE) == code) {
      Native.putLong(entry + VA, NONE);
    }
  }
}
