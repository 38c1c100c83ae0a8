package org.xenolith.xen;

/**
 * Something that happened to a frame that an observer watches.
 *
 * @param kind what
 * @param mfn the frame
 * @param type its type then, see {@link org.xenolith.xen.mm.FrameTable}
 * @param slot the entry that maps it or no longer does, or null
 */
public record FrameEvent(Kind kind, long mfn, int type, Breach.Slot slot) {
  /** What can happen to a frame. */
  public enum Kind {
    /** It became a domain's memory, or the domain's no more. */
    GIVEN,
    FREED,
    /** Its first use as its type began, its last ended. */
    USED,
    UNUSED,
    PINNED,
    UNPINNED,
    /** An entry of a table in use maps it, or no longer does. */
    MAPPED,
    UNMAPPED,
    /** A vcpu's root became this, or is it no more. */
    ROOT,
    NO_ROOT
  }
}
