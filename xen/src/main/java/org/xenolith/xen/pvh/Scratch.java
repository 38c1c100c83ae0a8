package org.xenolith.xen.pvh;

import org.xenolith.xen.Domain;

/** A frame of Xen's that takes what has no effect; nobody maps it. */
final class Scratch {
  private final Domain domain;
  private long mfn = -1;

  Scratch(Domain domain) {
    this.domain = domain;
  }

  /** The frame, with the contents of another; -1 if the machine has none left. */
  long frameOf(long contents) {
    if (mfn < 0) {
      mfn = domain.xen.mmu.shareFrame(domain, false);
    }
    if (mfn >= 0) {
      domain.xen.memory.copyFrame(contents, mfn);
    }
    return mfn;
  }
}
