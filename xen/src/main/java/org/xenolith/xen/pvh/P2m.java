package org.xenolith.xen.pvh;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.LongConsumer;
import java.util.function.LongPredicate;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.SecondStage;
import org.xenolith.xen.Errno;

/**
 * A container's second stage of translation (Xen's p2m, arch/x86/mm/p2m-pt.c): a radix tree of four levels with 512 entries each, whose
 * leaves map 4 KiB, 2 MiB or 1 GiB. The tables are Java's, not frames of the machine; how many there may be is limited as by Xen's pool.
 *
 * <p>This class keeps no references to frames and flushes nothing: {@link Physmap} does.
 */
public final class P2m implements SecondStage {
  /** What a guest frame is (p2m_type_t). A frame that is {@link #NOTHING} is emulated, which reaches no device but the local APIC. */
  enum Kind {
    NOTHING(0),
    RAM(READ | WRITE | EXECUTE),
    GRANT(READ | WRITE),
    GRANT_READ_ONLY(READ);

    final long rights;

    Kind(long rights) {
      this.rights = rights;
    }

    boolean isGrant() {
      return this == GRANT || this == GRANT_READ_ONLY;
    }
  }

  /** Guest frames there can be: what four levels reach. */
  static final long FRAMES = 1L << 36;

  /** Orders of the leaves, in frames. */
  static final int ORDER_2M = 9, ORDER_1G = 18;

  private static final int LEVELS = 4, ENTRIES = 512;
  private static final Kind[] KINDS = Kind.values();

  // An entry: 0 for nothing, else bit 11 marks a table, whose number is in bits 12 and up; or it is a leaf with its rights in bits 0 to 2,
  // its kind in bits 3 to 6 and its (first) machine frame in bits 12 and up.
  private static final int KIND_SHIFT = 3, TABLE = 1 << 11;

  /** What of a leaf {@link #entry} tells. */
  private static final long ENTRY = -1L << GuestMemory.FRAME_SHIFT | READ | WRITE | EXECUTE;

  private final int limit;
  private final LongConsumer beforeAccess;
  private final LongPredicate untouched;
  private long[][] tables = {new long[ENTRIES]};
  private int made = 1;
  private final ArrayDeque<Integer> unused = new ArrayDeque<>();
  private int references = 1;
  private long highest;

  /**
   * Makes one in which nothing is mapped.
   *
   * @param limit how many tables there may be beside the root
   * @param beforeAccess is told of each machine frame before somebody uses it
   * @param untouched tells whether a machine frame was not used yet, and so does not hold what it will be found to hold
   */
  P2m(int limit, LongConsumer beforeAccess, LongPredicate untouched) {
    this.limit = limit;
    this.beforeAccess = beforeAccess;
    this.untouched = untouched;
  }

  private static int index(long gfn, int level) {
    return (int) (gfn >>> 9 * (level - 1)) & ENTRIES - 1;
  }

  /** The leaf for a guest frame, moved to that very frame, or 0; {@link #references} tells how many entries it read. */
  private long find(long gfn) {
    if (gfn < 0 || gfn >= FRAMES) {
      references = 1;
      return 0;
    }
    long[] table = tables[0];
    for (int level = LEVELS; ; level--) {
      long entry = table[index(gfn, level)];
      if ((entry & TABLE) == 0) {
        references = LEVELS + 1 - level;
        return entry == 0 ? 0 : entry + ((gfn & (1L << 9 * (level - 1)) - 1) << GuestMemory.FRAME_SHIFT);
      }
      table = tables[(int) (entry >>> GuestMemory.FRAME_SHIFT)];
    }
  }

  @Override
  public long entry(long gfn) {
    long leaf = find(gfn);
    if (leaf == 0) {
      return EMULATED;
    }
    beforeAccess.accept(leaf >>> GuestMemory.FRAME_SHIFT);
    return leaf & ENTRY;
  }

  @Override
  public long look(long gfn) {
    long leaf = find(gfn);
    return leaf == 0 || untouched.test(leaf >>> GuestMemory.FRAME_SHIFT) ? EMULATED : leaf & ENTRY;
  }

  @Override
  public int references() {
    return references;
  }

  /** One line about a guest frame for messages; nothing changes by it. */
  public String describe(long gfn) {
    long leaf = find(gfn);
    String name = "gfn 0x" + Long.toHexString(gfn);
    if (leaf == 0) {
      return name + ": nothing";
    }
    long mfn = leaf >>> GuestMemory.FRAME_SHIFT;
    String rights = ((leaf & READ) != 0 ? "r" : "-") + ((leaf & WRITE) != 0 ? "w" : "-") + ((leaf & EXECUTE) != 0 ? "x" : "-");
    String kind = kind(gfn).name().toLowerCase(Locale.ROOT).replace('_', '-');
    String large = references < LEVELS ? ", in a leaf of %d".formatted(1L << order(gfn)) : "";
    return "%s: mfn 0x%x, %s, %s%s%s".formatted(name, mfn, kind, rights, large, untouched.test(mfn) ? ", not used yet" : "");
  }

  /** What a guest frame is. */
  Kind kind(long gfn) {
    return KINDS[(int) (find(gfn) >>> KIND_SHIFT) & 0xf];
  }

  /** The machine frame behind a guest frame, or -1. */
  long mfn(long gfn) {
    long leaf = find(gfn);
    return leaf == 0 ? -1 : leaf >>> GuestMemory.FRAME_SHIFT;
  }

  /** Likewise, for who reads or writes the frame. */
  long mfnForAccess(long gfn) {
    long mfn = mfn(gfn);
    if (mfn >= 0) {
      beforeAccess.accept(mfn);
    }
    return mfn;
  }

  /** The order in frames of the leaf or hole at a guest frame: 0, 9, 18 or 27. */
  int order(long gfn) {
    find(gfn);
    return 9 * (LEVELS - references);
  }

  /**
   * Maps 2^order guest frames in a row to as many machine frames, by the largest leaves that do. What was there is forgotten.
   *
   * @param gfn aligned to its number, like {@code mfn}
   * @return 0; -ENOMEM where the pool of tables is empty, then part may have been done; -EINVAL for frames out of reach
   */
  int set(long gfn, long mfn, int order, Kind kind) {
    if (gfn < 0 || gfn > FRAMES - (1L << order)) {
      return -Errno.EINVAL;
    }
    int piece = order >= ORDER_1G ? ORDER_1G : order >= ORDER_2M ? ORDER_2M : 0;
    for (long done = 0; done < 1L << order; done += 1L << piece) {
      long leaf = kind == Kind.NOTHING ? 0 : mfn + done << GuestMemory.FRAME_SHIFT | (long) kind.ordinal() << KIND_SHIFT | kind.rights;
      if (!put(gfn + done, piece, leaf)) {
        return -Errno.ENOMEM;
      }
    }
    highest = kind == Kind.NOTHING ? highest : Math.max(highest, gfn + (1L << order) - 1);
    return 0;
  }

  /** The highest guest frame that was ever mapped (max_mapped_pfn). */
  long highest() {
    return highest;
  }

  /** Makes 2^order guest frames nothing. Splitting a large leaf may need tables: results as of {@link #set}. */
  int clear(long gfn, int order) {
    return set(gfn, 0, order, Kind.NOTHING);
  }

  private boolean put(long gfn, int order, long leaf) {
    long[] table = tables[0];
    int level = LEVELS;
    for (; 9 * (level - 1) > order; level--) {
      int at = index(gfn, level);
      long entry = table[at];
      if ((entry & TABLE) == 0) {
        if (entry == 0 && leaf == 0) {
          return true;
        }
        int number = make(entry, level - 1);
        if (number < 0) {
          return false;
        }
        entry = (long) number << GuestMemory.FRAME_SHIFT | TABLE;
        table[at] = entry;
      }
      table = tables[(int) (entry >>> GuestMemory.FRAME_SHIFT)];
    }
    int at = index(gfn, level);
    free(table[at]);
    table[at] = leaf;
    return true;
  }

  /** Makes a table that maps what {@code leaf} of the level above does, and gives its number or -1. */
  private int make(long leaf, int level) {
    int number;
    if (!unused.isEmpty()) {
      number = unused.pop();
    } else if (made <= limit) {
      number = made++;
      if (number == tables.length) {
        tables = Arrays.copyOf(tables, 2 * number);
      }
      tables[number] = new long[ENTRIES];
    } else {
      return -1;
    }
    long step = leaf == 0 ? 0 : 1L << 9 * (level - 1) + GuestMemory.FRAME_SHIFT;
    for (int n = 0; n < ENTRIES; n++) {
      tables[number][n] = leaf + n * step;
    }
    return number;
  }

  /** Takes back the tables under an entry that is replaced. */
  private void free(long entry) {
    if ((entry & TABLE) != 0) {
      int number = (int) (entry >>> GuestMemory.FRAME_SHIFT);
      for (long below : tables[number]) {
        free(below);
      }
      unused.push(number);
    }
  }

  /** Sees the leaves of a tree. */
  interface Visitor {
    void leaf(long gfn, long mfn, int order, Kind kind);
  }

  /** Shows all leaves, lowest guest frame first. */
  void forEach(Visitor visitor) {
    forEach(0, LEVELS, 0, visitor);
  }

  private void forEach(int table, int level, long gfn, Visitor visitor) {
    for (int n = 0; n < ENTRIES; n++) {
      long entry = tables[table][n];
      long at = gfn + ((long) n << 9 * (level - 1));
      if ((entry & TABLE) != 0) {
        forEach((int) (entry >>> GuestMemory.FRAME_SHIFT), level - 1, at, visitor);
      } else if (entry != 0) {
        visitor.leaf(at, entry >>> GuestMemory.FRAME_SHIFT, 9 * (level - 1), KINDS[(int) (entry >>> KIND_SHIFT) & 0xf]);
      }
    }
  }
}
