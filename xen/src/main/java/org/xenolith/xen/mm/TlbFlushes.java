package org.xenolith.xen.mm;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Vcpu;

/**
 * Flushes of the vcpus' TLBs. A frame is stamped when its last use as its type ends; before it is used as another type, only those vcpus
 * are flushed which have not been since (Xen's tlbflush_timestamp, flushtlb.c).
 */
final class TlbFlushes {
  private final FrameTable frames;
  private long clock = 1;

  TlbFlushes(FrameTable frames) {
    this.frames = frames;
  }

  /** Notes that TLBs may hold what no page table holds any more. */
  void stamp(long mfn) {
    frames.setTlbStamp(mfn, clock);
  }

  /** Makes sure that no TLB of the domain holds a stale mapping of the frame. */
  void flushStale(Domain domain, long mfn) {
    long stamp = frames.tlbStamp(mfn);
    for (Vcpu v : domain.vcpus) {
      if (v.tlbFlushed <= stamp) {
        flush(v);
      }
    }
  }

  /** Flushes everything on one vcpu. Of a PV domain, whose tables Xen sees change, what is certain to be found again stays. */
  void flush(Vcpu vcpu) {
    if (vcpu.domain.isContainer()) {
      vcpu.cpu.mmu.flushAll();
    } else {
      vcpu.cpu.mmu.flushChanged();
    }
    vcpu.tlbFlushed = ++clock;
  }

  /** Flushes on all vcpus of a domain what they hold of a root. */
  void flushRoot(Domain domain, long rootMfn) {
    for (Vcpu v : domain.vcpus) {
      v.cpu.mmu.flushRoot(rootMfn << GuestMemory.FRAME_SHIFT);
    }
  }

  /** Flushes everything on all vcpus of a domain. */
  void flush(Domain domain) {
    for (Vcpu v : domain.vcpus) {
      flush(v);
    }
  }
}
