package org.xenolith.xen;

/**
 * The frames of a domain as it names them, and how a part of Xen keeps one in use: get_page_from_gfn with
 * get_page_type(PGT_writable_page), and the way back. A PV domain names machine frames; a container's frame numbers are translated.
 */
public interface GuestFrames {
  /**
   * Takes a reference to a frame of the domain as ordinary writable memory.
   *
   * @param gfn the frame as the guest names it
   * @return the machine frame, or -1 if it is none of the domain's or is in use as something else
   */
  long hold(long gfn);

  /** Gives back what {@link #hold} returned. */
  void release(long mfn);

  /** The machine frame that a guest's number means, or -1 if there is none. Takes no reference; it may be another domain's. */
  default long find(long gfn) {
    return gfn;
  }

  /** How the guest names a machine frame, or -1 if it does not. */
  default long name(long mfn) {
    return mfn;
  }

  /** Takes a frame of Xen's out of the guest's frame numbers, where it may have put it. */
  default void unhook(long mfn) {}

  /** Those of a PV domain. */
  static GuestFrames ofPv(Domain domain) {
    return new GuestFrames() {
      @Override
      public long hold(long mfn) {
        return domain.xen.mmu.getWritablePage(domain, mfn) ? mfn : -1;
      }

      @Override
      public void release(long mfn) {
        domain.xen.mmu.putWritablePage(mfn);
      }
    };
  }
}
