package org.xenolith.xen.pvh;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.SecondStage;

/** The second stage for one instruction of a processor whose stores to a guest frame are to have no effect: they go to another frame. */
final class DiscardedStore implements SecondStage {
  private final P2m p2m;
  private final long gfn;
  private final long entry;
  private boolean begun;
  private int references;

  /** @param mfn takes the stores and holds what the guest frame does */
  DiscardedStore(P2m p2m, long gfn, long mfn) {
    this.p2m = p2m;
    this.gfn = gfn;
    this.entry = mfn < 0 ? EMULATED : mfn << GuestMemory.FRAME_SHIFT | READ | WRITE;
  }

  /** Whether the instruction is still to run; it is not at the next call. */
  boolean begin() {
    boolean first = !begun;
    begun = true;
    return first;
  }

  @Override
  public long entry(long wanted) {
    long own = p2m.entry(wanted);
    references = p2m.references();
    return wanted == gfn ? entry : own;
  }

  @Override
  public int references() {
    return references;
  }
}
