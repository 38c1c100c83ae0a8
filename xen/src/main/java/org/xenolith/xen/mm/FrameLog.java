package org.xenolith.xen.mm;

import org.xenolith.xen.Breach;
import org.xenolith.xen.FrameEvent;
import org.xenolith.xen.FrameEvent.Kind;
import org.xenolith.xen.Hypervisor;

/** Tells the observer what happens to the frames that it watches. */
final class FrameLog {
  private final Hypervisor xen;
  private final FrameTable frames;

  FrameLog(Hypervisor xen) {
    this.xen = xen;
    this.frames = xen.frames;
  }

  /** Something happened to a frame as a whole. */
  void frame(Kind kind, long mfn) {
    if (frames.is(mfn, FrameTable.WATCHED)) {
      tell(kind, mfn, null);
    }
  }

  /** An entry of a table in use changed; either may be absent. */
  void entry(int level, long tableMfn, int slot, long old, long updated) {
    unmapped(level, tableMfn, slot, old);
    mapped(level, tableMfn, slot, updated);
  }

  /** An entry of a table came into use. */
  void mapped(int level, long tableMfn, int slot, long entry) {
    if (watched(entry)) {
      tell(Kind.MAPPED, Pte.mfn(entry), new Breach.Slot(level, tableMfn, slot, entry));
    }
  }

  /** An entry of a table is in use no more. */
  void unmapped(int level, long tableMfn, int slot, long entry) {
    if (watched(entry)) {
      tell(Kind.UNMAPPED, Pte.mfn(entry), new Breach.Slot(level, tableMfn, slot, entry));
    }
  }

  private boolean watched(long entry) {
    return Pte.present(entry) && frames.valid(Pte.mfn(entry)) && frames.is(Pte.mfn(entry), FrameTable.WATCHED);
  }

  private void tell(Kind kind, long mfn, Breach.Slot slot) {
    xen.observer.frame(xen.current, new FrameEvent(kind, mfn, frames.type(mfn), slot));
  }
}
