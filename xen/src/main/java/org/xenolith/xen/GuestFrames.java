package org.xenolith.xen;

/** How a part of Xen keeps a frame of the guest in use: get_page_from_gfn with get_page_type(PGT_writable_page), and the way back. */
public interface GuestFrames {
  /**
   * Takes a reference to a frame of the domain as ordinary writable memory.
   *
   * @param gfn the frame as the guest names it; of a PV guest, its machine frame
   * @return the machine frame, or -1 if it is none of the domain's or is in use as something else
   */
  long hold(long gfn);

  /** Gives back what {@link #hold} returned. */
  void release(long mfn);
}
