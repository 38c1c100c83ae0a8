package org.xenolith.xen.mm;

import org.xenolith.cpu.GuestMemory;

/**
 * The machine-to-physical table as guests read it at 0xffff800000000000: an array of one 8-byte pfn per machine frame in frames of Xen's
 * own, mapped read-only by large pages through slot 256 of every root (public header arch-x86/xen-x86_64.h, MACH2PHYS_VIRT_START). {@link
 * FrameTable} holds the same entries; every change is written to both.
 */
public final class MachineToPhys {
  /** Where guests see it. */
  public static final long VIRT_START = 0xffff800000000000L, VIRT_END = 0xffff804000000000L;

  /** log2 of the frames in a large page. */
  private static final int LARGE_ORDER = 9;

  private static final long LARGE_BYTES = (long) GuestMemory.FRAME_SIZE << LARGE_ORDER;
  private static final long TABLE_FLAGS = Pte.PRESENT | Pte.USER | Pte.ACCESSED | Pte.NO_EXECUTE;

  private final GuestMemory memory;
  private final FrameTable frames;
  private final long[] pageMfns;
  private long l3Mfn;

  MachineToPhys(GuestMemory memory, FrameTable frames) {
    this.memory = memory;
    this.frames = frames;
    this.pageMfns = new long[Math.toIntExact(largePages(frames.frames()))];
  }

  /** Large pages that the table of a machine with {@code frames} frames takes. */
  static long largePages(long frames) {
    return (frames * Long.BYTES + LARGE_BYTES - 1) / LARGE_BYTES;
  }

  /** Frames to take from the pool for a machine of {@code frames}: whole large pages, and the tables that map them. */
  static long framesNeeded(long frames) {
    return (largePages(frames) << LARGE_ORDER) + 1 + l2Tables(largePages(frames));
  }

  private static long l2Tables(long pages) {
    return (pages + 511) / 512;
  }

  /** Makes the table, which says nothing of any frame yet, and what maps it, in frames from the pool that become Xen's. */
  void build(FrameAllocator allocator) {
    l3Mfn = own(allocator.take(0), 0);
    memory.fill(l3Mfn << 12, GuestMemory.FRAME_SIZE, (byte) 0);
    for (int n = 0; n < pageMfns.length; n++) {
      pageMfns[n] = own(allocator.take(LARGE_ORDER), LARGE_ORDER);
      memory.fill(pageMfns[n] << 12, LARGE_BYTES, (byte) 0xff);
    }
    for (int table = 0; table < l2Tables(pageMfns.length); table++) {
      long l2Mfn = own(allocator.take(0), 0);
      memory.fill(l2Mfn << 12, GuestMemory.FRAME_SIZE, (byte) 0);
      memory.writeLong(l3Mfn << 12 | (long) table << 3, Pte.of(l2Mfn, TABLE_FLAGS));
      for (int slot = 0; slot < 512 && table * 512 + slot < pageMfns.length; slot++) {
        long page = Pte.of(pageMfns[table * 512 + slot], TABLE_FLAGS | Pte.DIRTY | Pte.LARGE);
        memory.writeLong(l2Mfn << 12 | (long) slot << 3, page);
      }
    }
  }

  /** Takes a frame for Xen's own use. */
  long ownFrame(FrameAllocator allocator) {
    return own(allocator.take(0), 0);
  }

  private long own(long mfn, int order) {
    if (mfn < 0) {
      throw new IllegalStateException("the machine has too few frames for Xen's own");
    }
    for (long m = mfn; m < mfn + (1L << order); m++) {
      frames.setOwner(m, FrameTable.DOMID_XEN);
      frames.setCount(m, 1);
      frames.setTypeCount(m, 1);
      frames.set(m, FrameTable.XEN_HEAP | FrameTable.ALLOCATED | FrameTable.VALIDATED);
    }
    return mfn;
  }

  /** Says that {@code mfn} is pseudo-physical frame {@code pfn} of its owner. */
  public void set(long mfn, long pfn) {
    frames.setPfn(mfn, pfn);
    long page = pageMfns[(int) (mfn >>> LARGE_ORDER + 9)];
    memory.writeLong((page << 12) + (mfn & (1L << LARGE_ORDER + 9) - 1) * Long.BYTES, pfn);
  }

  /** What a root's slot 256 holds. */
  long rootEntry() {
    return Pte.of(l3Mfn, TABLE_FLAGS);
  }

  /** The frames of the table's large pages, in order (XENMEM_machphys_mfn_list). */
  long[] pageMfns() {
    return pageMfns.clone();
  }
}
