package org.xenolith.xen.mm;

import java.util.BitSet;
import org.xenolith.xen.Domain;
import org.xenolith.xen.FrameEvent;

/**
 * Frames without an owner, and handing them out. The lowest fitting frames are taken first, so a run repeats exactly.
 */
final class FrameAllocator {
  private final FrameTable frames;
  private final TlbFlushes tlb;
  private final FrameLog log;
  private final BitSet free;
  private int hint;

  FrameAllocator(FrameTable frames, TlbFlushes tlb, FrameLog log) {
    this.frames = frames;
    this.tlb = tlb;
    this.log = log;
    this.free = new BitSet(Math.toIntExact(frames.frames()));
  }

  /** Gives frames to the pool. */
  void add(long firstMfn, long count) {
    free.set((int) firstMfn, Math.toIntExact(firstMfn + count));
    hint = (int) Math.min(hint, firstMfn);
  }

  /** Frames in the pool. */
  int available() {
    return free.cardinality();
  }

  /** Takes 2^order frames in a row, aligned to their number, or gives -1. They have no owner yet. */
  long take(int order) {
    return take(order, Long.MAX_VALUE);
  }

  /** Like {@link #take(int)}, all below {@code limitMfn}. */
  long take(int order, long limitMfn) {
    int n = 1 << order;
    int mfn = free.nextSetBit(hint);
    if (order == 0) {
      hint = mfn < 0 ? hint : mfn;
    }
    while (mfn >= 0) {
      int start = mfn + n - 1 & -n;
      int gap = free.nextClearBit(start);
      if (start + (long) n > limitMfn) {
        return -1;
      }
      if (gap >= start + n) {
        free.clear(start, start + n);
        return start;
      }
      mfn = free.nextSetBit(Math.max(gap, start) + 1);
    }
    return -1;
  }

  /** Takes this very run of frames. */
  void take(long firstMfn, int count) {
    int first = (int) firstMfn;
    if (free.nextClearBit(first) < first + count) {
      throw new IllegalStateException("mfn 0x%x to 0x%x are not all free".formatted(firstMfn, firstMfn + count - 1));
    }
    free.clear(first, first + count);
  }

  /** Whether a run of frames is free. */
  boolean isFree(long firstMfn, int count) {
    return free.nextClearBit((int) firstMfn) >= firstMfn + count;
  }

  /** Makes frames taken before a domain's memory (assign_pages, common/page_alloc.c). */
  void assign(Domain domain, long firstMfn, int order) {
    for (long mfn = firstMfn; mfn < firstMfn + (1L << order); mfn++) {
      tlb.flushStale(domain, mfn);
      frames.setOwner(mfn, domain.id);
      frames.setCount(mfn, 1);
      frames.set(mfn, FrameTable.ALLOCATED);
      log.frame(FrameEvent.Kind.GIVEN, mfn);
    }
    domain.totalPages += 1L << order;
  }

  /** Takes back a frame without references; it belongs to nobody afterwards. */
  void release(long mfn) {
    frames.setOwner(mfn, FrameTable.NOBODY);
    frames.setType(mfn, FrameTable.NONE);
    frames.clear(mfn, FrameTable.ALL_STATES);
    tlb.stamp(mfn);
    free.set((int) mfn);
    hint = (int) Math.min(hint, mfn);
  }
}
