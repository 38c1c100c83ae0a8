package org.xenolith.xen.pvh;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestFrames;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.grant.GrantEntries;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.mm.Pte;
import org.xenolith.xen.mm.PvMmu;
import org.xenolith.xen.pvh.P2m.Kind;

/**
 * Changes to a container's second stage, with what goes with each: the way back from machine frames (the M2P), the references to frames,
 * the flushes (arch/x86/mm/p2m.c). Every frame of RAM is at one guest frame at most, which the M2P names. Results are 0 or a negated {@link
 * Errno}, as of the functions of Xen that are named.
 */
public final class Physmap implements GuestFrames, GrantEntries {
  private final Domain domain;
  private final PvMmu mmu;
  private final FrameTable frames;
  private final P2m p2m;

  Physmap(Domain domain, P2m p2m) {
    this.domain = domain;
    this.mmu = domain.xen.mmu;
    this.frames = domain.xen.frames;
    this.p2m = p2m;
  }

  // ---- Frames in use ----

  @Override
  public long hold(long gfn) {
    return p2m.kind(gfn) == Kind.RAM && mmu.getWritablePage(domain, p2m.mfn(gfn)) ? p2m.mfnForAccess(gfn) : -1;
  }

  @Override
  public void release(long mfn) {
    mmu.putWritablePage(mfn);
  }

  @Override
  public long find(long gfn) {
    return p2m.kind(gfn) == Kind.RAM ? p2m.mfnForAccess(gfn) : -1;
  }

  @Override
  public long name(long mfn) {
    return frames.pfn(mfn);
  }

  @Override
  public void unhook(long mfn) {
    if (name(mfn) != FrameTable.INVALID_PFN) {
      unmap(name(mfn), mfn);
    }
  }

  /** Takes a reference to a frame of RAM whatever it is used as (get_page_from_gfn); -1 if there is none. */
  long get(long gfn) {
    return p2m.kind(gfn) == Kind.RAM && mmu.getPage(domain, p2m.mfn(gfn)) ? p2m.mfnForAccess(gfn) : -1;
  }

  // ---- Mappings ----

  /**
   * Maps 2^order frames (p2m_add_page). RAM that was there loses its guest frame, but stays the domain's; RAM of the domain that was
   * elsewhere is there no more. Where a grant is mapped nothing else can be, and who tries is crashed.
   */
  int map(long gfn, long mfn, int order, Kind kind) {
    if (gfn < 0 || gfn > P2m.FRAMES - (1L << order)) {
      return -Errno.EINVAL;
    }
    for (int n = 0; n < 1 << order; n++) {
      Kind old = p2m.kind(gfn + n);
      if (old.isGrant()) {
        domain.crash("gfn 0x%x is a mapped grant, and something else was to be there".formatted(gfn + n));
        return -Errno.EPERM;
      }
      if (old == Kind.RAM) {
        mmu.m2p().set(p2m.mfn(gfn + n), FrameTable.INVALID_PFN);
      }
    }
    for (int n = 0; n < 1 << order; n++) {
      long before = frames.pfn(mfn + n);
      boolean elsewhere = frames.owner(mfn + n) == domain.id && before != FrameTable.INVALID_PFN && before != gfn + n;
      if (elsewhere && p2m.kind(before) == Kind.RAM && p2m.mfn(before) == mfn + n) {
        int rc = unmap(before, mfn + n);
        if (rc != 0) {
          return rc;
        }
      }
    }
    int rc = p2m.set(gfn, mfn, order, kind);
    mmu.flushTlb(domain);
    for (int n = 0; n < 1 << order && !kind.isGrant(); n++) {
      boolean done = p2m.kind(gfn + n) == kind && p2m.mfn(gfn + n) == mfn + n;
      if (done) {
        mmu.m2p().set(mfn + n, gfn + n);
      } else if (p2m.kind(gfn + n) == Kind.RAM) {
        mmu.m2p().set(p2m.mfn(gfn + n), gfn + n);
      }
    }
    return rc;
  }

  /** Unmaps a frame, which stays the domain's (p2m_remove_page). */
  int unmap(long gfn, long mfn) {
    Kind kind = p2m.kind(gfn);
    if (kind != Kind.NOTHING && p2m.mfn(gfn) != mfn) {
      return -Errno.EILSEQ;
    }
    int rc = p2m.clear(gfn, 0);
    if (rc == 0 && !kind.isGrant()) {
      mmu.m2p().set(mfn, FrameTable.INVALID_PFN);
    }
    mmu.flushTlb(domain);
    return rc;
  }

  /** Unmaps a frame and takes it from the domain; it is free once nobody uses it (guest_remove_page). */
  int remove(long gfn) {
    if (p2m.kind(gfn) == Kind.NOTHING) {
      return -Errno.ENOENT;
    }
    long mfn = p2m.mfn(gfn);
    if (!mmu.getPage(domain, mfn)) {
      return -Errno.ENXIO;
    }
    int rc = unmap(gfn, mfn);
    if (rc == 0) {
      mmu.dropAllocation(mfn);
    }
    mmu.putPage(mfn);
    return rc == -Errno.ENOENT ? -Errno.EINVAL : rc;
  }

  /** Maps a frame of Xen's that is shared with the domain: struct shared_info, the grant table (xenmem_add_to_physmap_one). */
  int mapShared(long mfn, long gfn) {
    return move(frames.pfn(mfn), mfn, gfn);
  }

  /** Moves a frame to another guest frame (xenmem_add_to_physmap_one, XENMAPSPACE_gmfn). */
  int move(long from, long to) {
    long mfn = p2m.mfn(from);
    if (mfn < 0 || !mmu.getPage(domain, mfn)) {
      return -Errno.EINVAL;
    }
    // A mapped grant of the domain's own has its RAM elsewhere.
    int rc = frames.pfn(mfn) != from ? -Errno.EXDEV : move(from, mfn, to);
    mmu.putPage(mfn);
    return rc;
  }

  private int move(long from, long mfn, long to) {
    long previous = p2m.mfn(to);
    int rc = 0;
    if (previous >= 0) {
      if (frames.is(previous, FrameTable.XEN_HEAP)) {
        rc = unmap(to, previous);
      } else if (previous != mfn) {
        rc = remove(to);
      }
    }
    if (rc == 0 && from != FrameTable.INVALID_PFN && from != to) {
      rc = unmap(from, mfn);
    }
    return rc != 0 ? rc : map(to, mfn, 0, Kind.RAM);
  }

  /** Gives the domain 2^order more frames at {@code gfn} (populate_physmap); false if there are none, or not all could be mapped. */
  boolean populate(long gfn, int order, int flags) {
    long mfn = mmu.allocate(domain, order, flags);
    return mfn >= 0 && map(gfn, mfn, order, Kind.RAM) == 0;
  }

  /** Gives the domain 2^order more frames at no guest frame (increase_reservation). */
  boolean increase(int order, int flags) {
    return mmu.allocate(domain, order, flags) >= 0;
  }

  // ---- Grants ----

  /** create_grant_p2m_mapping (arch/x86/hvm/grant_table.c). */
  @Override
  public boolean map(Vcpu vcpu, long address, boolean isEntry, long mfn, long flags) {
    Kind kind = (flags & Pte.WRITABLE) != 0 ? Kind.GRANT : Kind.GRANT_READ_ONLY;
    return map(address >>> GuestMemory.FRAME_SHIFT, mfn, 0, kind) == 0;
  }

  /** replace_grant_p2m_mapping. */
  @Override
  public boolean unmap(Vcpu vcpu, long address, boolean isEntry, long mfn, boolean writable, long from) {
    long gfn = address >>> GuestMemory.FRAME_SHIFT;
    return from == 0 && !isEntry && p2m.kind(gfn).isGrant() && p2m.mfn(gfn) == mfn && unmap(gfn, mfn) == 0;
  }

  /** The second stage itself. */
  P2m p2m() {
    return p2m;
  }
}
