package org.xenolith.xen.mm;

import java.util.Arrays;

/**
 * What Xen knows about each machine frame (struct page_info): owner, reference counts, type, machine-to-physical entry. Flat arrays
 * indexed by mfn.
 *
 * <p>Invariants, kept by {@link PvMmu} and its parts:
 *
 * <ol>
 *   <li>A frame without owner has no references and no type count.
 *   <li>{@link #typeCount} is at most {@link #count}: a reference to a type is also a reference to the frame.
 *   <li>The type changes only while the type count is 0.
 *   <li>While a frame is {@link #VALIDATED} as L1 to L4, the frame and type references of every present entry in it are held; while the
 *       type count is above 0, so it is {@link #VALIDATED}, except during the validation itself ({@link #BUSY}).
 *   <li>A {@link #PINNED} frame holds one reference and one type reference of its own.
 *   <li>An {@link #ALLOCATED} frame holds one reference, which its owner gives up when it returns the frame.
 * </ol>
 */
public final class FrameTable {
  /** Types of a frame (PGT_*, asm/mm.h); the number of a page-table type is its level. */
  public static final int NONE = 0, L1 = 1, L2 = 2, L3 = 3, L4 = 4, SEGMENT_DESCRIPTORS = 5, SHARED = 6, WRITABLE = 7;

  /** The frame's contents have been checked for its type (PGT_validated). */
  public static final int VALIDATED = 1;

  /** The guest holds the type by MMUEXT_PIN_* (PGT_pinned). */
  public static final int PINNED = 2;

  /** Its contents are being checked or given back at this moment (PGT_locked, PGT_partial). */
  public static final int BUSY = 4;

  /** Holds its owner's reference (PGC_allocated). */
  public static final int ALLOCATED = 8;

  /** Xen's own frame, shared with the owner (PGC_xen_heap). */
  public static final int XEN_HEAP = 16;

  /** An observer wants to know what happens to it. Stays when the frame changes hands. */
  static final int WATCHED = 32;

  /** What ends with an owner: all but {@link #WATCHED}. */
  static final int ALL_STATES = VALIDATED | PINNED | BUSY | ALLOCATED | XEN_HEAP;

  /** Owners that are no domain's id (public header xen.h, DOMID_IO and DOMID_XEN), and nobody. */
  public static final int DOMID_IO = 0x7ff1, DOMID_XEN = 0x7ff2, NOBODY = -1;

  /** A machine-to-physical entry that says nothing (INVALID_M2P_ENTRY). */
  public static final long INVALID_PFN = -1L;

  /** The most that a count of references, or of those to a type, may reach (PGC_count_mask, PGT_count_mask). */
  public static final int MAX_COUNT = Integer.MAX_VALUE;

  private static final String[] TYPE_NAMES = {"none", "L1", "L2", "L3", "L4", "descriptors", "shared", "writable"};

  private final int frames;

  // Seen by this package, so that an audit can find what has changed at the speed of memory.
  final int[] owner;
  final int[] count;
  final int[] typeCount;
  final byte[] type;
  final byte[] flags;
  private final short[] linear;
  private final long[] pfn;
  private final long[] tlbStamp;

  /** Makes a table for machine frames 0 to {@code frames}, exclusive, none of which has an owner. */
  public FrameTable(long frames) {
    this.frames = Math.toIntExact(frames);
    this.owner = new int[this.frames];
    this.count = new int[this.frames];
    this.typeCount = new int[this.frames];
    this.type = new byte[this.frames];
    this.flags = new byte[this.frames];
    this.linear = new short[this.frames];
    this.pfn = new long[this.frames];
    this.tlbStamp = new long[this.frames];
    Arrays.fill(owner, NOBODY);
    Arrays.fill(pfn, INVALID_PFN);
    Arrays.fill(tlbStamp, -1);
  }

  /** Number of machine frames. */
  public long frames() {
    return frames;
  }

  /** Whether the table has an entry for {@code mfn} (mfn_valid). */
  public boolean valid(long mfn) {
    return mfn >= 0 && mfn < frames;
  }

  /** The owning domain's id, or {@link #NOBODY}. */
  public int owner(long mfn) {
    return owner[(int) mfn];
  }

  void setOwner(long mfn, int domid) {
    owner[(int) mfn] = domid;
  }

  /** References to the frame of any kind. */
  public int count(long mfn) {
    return count[(int) mfn];
  }

  void setCount(long mfn, int references) {
    count[(int) mfn] = references;
  }

  /** References to the frame as one of its type. */
  public int typeCount(long mfn) {
    return typeCount[(int) mfn];
  }

  void setTypeCount(long mfn, int references) {
    typeCount[(int) mfn] = references;
  }

  /** The type, {@link #NONE} to {@link #WRITABLE}. */
  public int type(long mfn) {
    return type[(int) mfn];
  }

  void setType(long mfn, int newType) {
    type[(int) mfn] = (byte) newType;
  }

  /** Whether all of {@code bits} are set. */
  public boolean is(long mfn, int bits) {
    return (flags[(int) mfn] & bits) == bits;
  }

  void set(long mfn, int bits) {
    flags[(int) mfn] |= (byte) bits;
  }

  void clear(long mfn, int bits) {
    flags[(int) mfn] &= (byte) ~bits;
  }

  /** Has the observer told of all that happens to a frame from now on. */
  public void watch(long mfn) {
    set(mfn, WATCHED);
  }

  /**
   * How linear page tables use the frame: above 0, how many entries in it map tables of its own level; below 0, how many tables of its own
   * level map it.
   */
  int linear(long mfn) {
    return linear[(int) mfn];
  }

  void setLinear(long mfn, int uses) {
    linear[(int) mfn] = (short) uses;
  }

  /** The frame's entry in the machine-to-physical table: the owner's pfn for it, or {@link #INVALID_PFN}. Guests set it; trust nothing. */
  public long pfn(long mfn) {
    return pfn[(int) mfn];
  }

  void setPfn(long mfn, long value) {
    pfn[(int) mfn] = value;
  }

  long tlbStamp(long mfn) {
    return tlbStamp[(int) mfn];
  }

  void setTlbStamp(long mfn, long stamp) {
    tlbStamp[(int) mfn] = stamp;
  }

  /**
   * The word in which Xen keeps a frame's type and prints it in its messages (asm/mm.h, PGT_*): bits 63 to 61 the type, 60 locked, 59
   * pinned, 58 validated, 56 partly validated, from 0 on the count.
   */
  public long typeWord(long mfn) {
    long word = (long) type(mfn) << 61 | typeCount(mfn);
    word |= is(mfn, PINNED) ? 1L << 59 : 0;
    return word | (is(mfn, VALIDATED) ? 1L << 58 : 0);
  }

  /** The type word of a type alone. */
  public static long typeWord(int type) {
    return (long) type << 61;
  }

  /** The word in which Xen counts the references to a frame (PGC_*): bit 63 allocated, 62 of Xen's heap, from 0 on the count. */
  public long countWord(long mfn) {
    return (is(mfn, ALLOCATED) ? 1L << 63 : 0) | (is(mfn, XEN_HEAP) ? 1L << 62 : 0) | count(mfn);
  }

  /** The name of a type for messages. */
  public static String typeName(int type) {
    return TYPE_NAMES[type];
  }

  /** The owner as Xen's messages name it. */
  public String ownerName(long mfn) {
    return switch (owner(mfn)) {
      case NOBODY -> "NULL";
      case DOMID_IO -> "d[IO]";
      case DOMID_XEN -> "d[XEN]";
      default -> "d" + owner(mfn);
    };
  }

  /** One line about a frame for messages. */
  public String describe(long mfn) {
    if (!valid(mfn)) {
      return "mfn 0x" + Long.toHexString(mfn) + " (no RAM)";
    }
    StringBuilder line = new StringBuilder("mfn 0x").append(Long.toHexString(mfn));
    if (pfn(mfn) != INVALID_PFN) {
      line.append(" (pfn 0x").append(Long.toHexString(pfn(mfn))).append(')');
    }
    line.append(": type ").append(typeName(type(mfn))).append(", type count ").append(typeCount(mfn)).append(", count ").append(count(mfn));
    line.append(", owner ").append(owner(mfn) == NOBODY ? "none" : ownerName(mfn));
    if (is(mfn, PINNED)) {
      line.append(", pinned");
    }
    if (is(mfn, VALIDATED)) {
      line.append(", validated");
    }
    if (is(mfn, BUSY)) {
      line.append(", being validated");
    }
    return line.toString();
  }
}
