package org.xenolith.xen.build;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.xen.mm.Pte;

/**
 * The page tables a domain starts with (libxenguest: count_pgtables, setup_pgtables_pv, xg_dom_x86.c): one or two ranges of linear
 * addresses mapped to consecutive pfns. Tables of a range are allocated top level first. Every frame that holds a table is mapped
 * read-only, all others writable.
 */
final class InitialPageTables {
  private static final long TABLE_FLAGS = Pte.PRESENT | Pte.WRITABLE | Pte.ACCESSED | Pte.DIRTY | Pte.USER;
  private static final long PAGE_FLAGS = Pte.PRESENT | Pte.WRITABLE | Pte.ACCESSED;
  private static final long VA_MASK = (1L << 48) - 1;

  private record Range(long va, long pages, long pfn) {}

  private final List<Range> ranges = new ArrayList<>();

  /** By level 1 to 4: the pfn of the table for the linear addresses whose bits above the table's reach are the key. */
  private final List<Map<Long, Long>> tables = new ArrayList<>();

  InitialPageTables() {
    for (int level = 0; level <= 4; level++) {
      tables.add(new HashMap<>());
    }
  }

  private static int reach(int level) {
    return 12 + 9 * level;
  }

  /** Tables that mapping {@code pages} pages at {@code va} would add. */
  long tablesNeeded(long va, long pages) {
    long count = 0;
    for (int level = 4; level >= 1; level--) {
      for (long key = firstKey(level, va); key <= lastKey(level, va, pages); key++) {
        count += tables.get(level).containsKey(key) ? 0 : 1;
      }
    }
    return count;
  }

  private static long firstKey(int level, long va) {
    return (va & VA_MASK) >>> reach(level);
  }

  private static long lastKey(int level, long va, long pages) {
    return (va + (pages << 12) - 1 & VA_MASK) >>> reach(level);
  }

  /**
   * Maps pages, with tables at consecutive pfns.
   *
   * @param pfn the first page's
   * @param tablePfn the first new table's
   */
  void map(long va, long pages, long pfn, long tablePfn) {
    ranges.add(new Range(va, pages, pfn));
    long next = tablePfn;
    for (int level = 4; level >= 1; level--) {
      for (long key = firstKey(level, va); key <= lastKey(level, va, pages); key++) {
        if (tables.get(level).putIfAbsent(key, next) == null) {
          next++;
        }
      }
    }
  }

  /** Writes all tables to memory and returns the pfn of the root. */
  long write(GuestRam ram) {
    for (int level = 3; level >= 1; level--) {
      for (Map.Entry<Long, Long> table : tables.get(level).entrySet()) {
        long parent = tables.get(level + 1).get(table.getKey() >>> 9);
        set(ram, parent, table.getKey() & 511, Pte.of(ram.mfn(table.getValue()), TABLE_FLAGS));
      }
    }
    Map<Long, Boolean> isTable = new HashMap<>();
    tables.forEach(level -> level.values().forEach(pfn -> isTable.put(pfn, true)));
    for (Range range : ranges) {
      for (long n = 0; n < range.pages; n++) {
        long page = (range.va + (n << 12) & VA_MASK) >>> 12;
        long pfn = range.pfn + n;
        long flags = isTable.containsKey(pfn) ? PAGE_FLAGS & ~Pte.WRITABLE : PAGE_FLAGS;
        set(ram, tables.get(1).get(page >>> 9), page & 511, Pte.of(ram.mfn(pfn), flags));
      }
    }
    return tables.get(4).values().iterator().next();
  }

  private static void set(GuestRam ram, long tablePfn, long slot, long entry) {
    ram.writeLong((tablePfn << 12) + slot * 8, entry);
  }
}
