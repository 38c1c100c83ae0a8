package org.xenolith.translator;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;

/**
 * Where indirect jumps find their targets: a table of linear address and code address, and of what the TLB's fetch entry for the page must
 * be, so that a jump finds only what the current address space maps there. An address has two places, beside each other; machine code
 * looks at the first on its straight way.
 */
final class JumpCache {
  static final int ENTRIES = 16384;
  static final int ENTRY_SHIFT = 5;
  static final int HASH_SHIFT = 7;

  /** Places in an entry: linear address, code, the 16 bytes that the fetch entry must have. */
  static final int VA = 0, CODE = 8, PAGES = 16;

  private static final int ENTRY = 1 << ENTRY_SHIFT;

  /** What leads from either place of an address to the other, by XOR. */
  static final int OTHER = ENTRY;

  /** No address of code. */
  private static final long NONE = 1L << 63;

  private static final long PAGE = -GuestMemory.FRAME_SIZE;

  private final MemorySegment table;
  final long address;

  JumpCache(Arena arena) {
    table = arena.allocate((long) ENTRIES << ENTRY_SHIFT, 64);
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

  /** Enters a translation, which was found under the current translation of its address; what has its place moves to the other. */
  void enter(Translation t) {
    long va = t.first().va;
    long entry = entry(va);
    if (Native.getLong(entry + VA) != va) {
      for (int at = 0; at < ENTRY; at += 8) {
        Native.putLong((entry ^ OTHER) + at, Native.getLong(entry + at));
      }
    }
    Native.putLong(entry + VA, va);
    Native.putLong(entry + CODE, t.entry);
    Native.putLong(entry + PAGES, va & PAGE);
    Native.putLong(entry + PAGES + 8, t.first().host & PAGE);
  }

  /** Whether a jump to an address would be found if the TLB had this page for it. */
  boolean has(long va, long page) {
    long entry = entry(va);
    if (Native.getLong(entry + VA) != va) {
      entry ^= OTHER;
    }
    return Native.getLong(entry + VA) == va && Native.getLong(entry + PAGES + 8) == page;
  }

  void forget(Translation t) {
    long entry = entry(t.first().va);
    forget(entry, t.entry);
    forget(entry ^ OTHER, t.entry);
  }

  private static void forget(long entry, long code) {
    if (Native.getLong(entry + CODE) == code) {
      Native.putLong(entry + VA, NONE);
    }
  }

  /** Where the TLB's fetch entry of an address is, from the start of its tables. */
  static int fetchEntry(long va) {
    return 2 * Mmu.TABLE_BYTES + ((int) (va >>> 8) & Mmu.TABLE_BYTES - 16);
  }
}
