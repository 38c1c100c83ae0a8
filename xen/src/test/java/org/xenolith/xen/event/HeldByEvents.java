package org.xenolith.xen.event;

import org.xenolith.xen.mm.CountAudit;

/** Frames that event channels hold, for audits. */
public final class HeldByEvents {
  private HeldByEvents() {}

  public static void tell(EventChannels channels, CountAudit.Holder holder) {
    channels.forEachFrame(mfn -> holder.holds(mfn, 1, 1));
  }
}
