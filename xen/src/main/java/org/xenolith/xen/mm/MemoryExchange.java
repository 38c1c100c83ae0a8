package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.ALLOCATED;
import static org.xenolith.xen.mm.FrameTable.XEN_HEAP;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.Cpu;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/**
 * XENMEM_exchange: frames of a domain for others in larger or smaller runs, or below an address (memory_exchange, common/memory.c). Done in
 * chunks: as many small extents as make up a large one.
 */
final class MemoryExchange {
  private static final int SIZE = 72, OUT = 32, EXCHANGED = 64;

  /** Chunks, of at most 512 frames, done before events are looked at. */
  private static final int BATCH = 64;

  private final PvMmu mmu;
  private final FrameTable frames;
  private final FrameAllocator allocator;
  private final Refusals refusals;
  private final GuestStruct request = new GuestStruct(SIZE);
  private final GuestStruct extent = new GuestStruct(8);
  private final List<Long> stolen = new ArrayList<>();
  private final List<Long> fresh = new ArrayList<>();

  MemoryExchange(PvMmu mmu) {
    this.mmu = mmu;
    this.frames = mmu.frames();
    this.allocator = mmu.allocator();
    this.refusals = mmu.refusals();
  }

  long exchange(Vcpu vcpu, long va) {
    if (!request.read(vcpu.cpu, va, SIZE)) {
      return -Errno.EFAULT;
    }
    int rc = perform(vcpu, va);
    return request.write(vcpu.cpu, va + EXCHANGED, EXCHANGED, Long.BYTES) ? rc : -Errno.EFAULT;
  }

  private int perform(Vcpu vcpu, long va) {
    int inOrder = request.getInt(16);
    int outOrder = request.getInt(OUT + 16);
    if (Integer.compareUnsigned(inOrder, Reservations.MAX_ORDER) > 0 || Integer.compareUnsigned(outOrder, Reservations.MAX_ORDER) > 0) {
      String why = "an exchange of extents of 2^%d for 2^%d frames: at most 2^%d".formatted(inOrder, outOrder, Reservations.MAX_ORDER);
      return refusals.refuse(Rule.MEMORY_CALLS, Errno.EPERM, -1, why);
    }
    long inCount = request.getLong(8);
    long outCount = request.getLong(OUT + 8);
    long exchanged = request.getLong(EXCHANGED);
    boolean invalid =
        Long.compareUnsigned(exchanged, inCount) > 0
            || request.getShort(24) != request.getShort(OUT + 24)
            || Long.compareUnsigned(inCount, -1L >>> inOrder) > 0
            || Long.compareUnsigned(outCount, -1L >>> outOrder) > 0
            || inCount << inOrder != outCount << outOrder;
    if (invalid) {
      return refusals.refuse(Rule.MEMORY_CALLS, Errno.EINVAL, -1, "an exchange whose two lists differ in size or domain");
    }
    if (exchanged == inCount) {
      return 0;
    }
    if (inCount > 1L << 44 || outCount > 1L << 44
        || !GuestAccess.accessible(request.getLong(0), inCount * Long.BYTES)
        || !GuestAccess.accessible(request.getLong(OUT), outCount * Long.BYTES)) {
      return -Errno.EFAULT;
    }
    int flags = request.getInt(OUT + 20);
    if (!Reservations.validFlags(flags & ~0xff)) {
      return -Errno.EINVAL;
    }
    int owner = ForeignDomains.any(vcpu, request.getShort(24));
    if (owner != vcpu.domain.id) {
      return owner < 0 ? -Errno.ESRCH : -Errno.EPERM;
    }
    int inChunk = Math.max(0, outOrder - inOrder);
    int outChunk = Math.max(0, inOrder - outOrder);
    long firstChunk = exchanged >>> inChunk;
    for (long chunk = firstChunk; chunk < inCount >>> inChunk; chunk++) {
      if (chunk == firstChunk + BATCH) {
        request.putLong(EXCHANGED, chunk << inChunk);
        vcpu.rest = new long[] {MemoryOp.EXCHANGE, va};
        return 0;
      }
      int rc = exchangeChunk(vcpu, chunk, inOrder, inChunk, outOrder, outChunk, Reservations.limitMfn(flags));
      if (rc != 0) {
        request.putLong(EXCHANGED, chunk << inChunk);
        return rc;
      }
    }
    request.putLong(EXCHANGED, inCount);
    return 0;
  }

  private int exchangeChunk(Vcpu vcpu, long chunk, int inOrder, int inChunk, int outOrder, int outChunk, long limitMfn) {
    mmu.xen().countWork();
    stolen.clear();
    fresh.clear();
    int rc = stealAll(vcpu, request.getLong(0) + (chunk << inChunk) * Long.BYTES, inOrder, 1 << inChunk);
    for (int n = 0; rc == 0 && n < 1 << outChunk; n++) {
      long mfn = allocator.take(outOrder, limitMfn);
      if (mfn < 0) {
        rc = refusals.refuse(Rule.MEMORY_CALLS, Errno.ENOMEM, -1, "the machine has no 2^%d free frames in a row".formatted(outOrder));
      } else {
        fresh.add(mfn);
      }
    }
    if (rc != 0) {
      giveBack(vcpu.domain, outOrder);
      return rc;
    }
    for (long mfn : stolen) {
      mmu.m2p().set(mfn, FrameTable.INVALID_PFN);
      allocator.release(mfn);
    }
    vcpu.domain.totalPages -= stolen.size();
    long list = request.getLong(OUT) + (chunk << outChunk) * Long.BYTES;
    for (int n = 0; n < fresh.size(); n++) {
      if (!assign(vcpu, fresh.get(n), outOrder, list + (long) n * Long.BYTES)) {
        rc = -Errno.EFAULT;
      }
    }
    return rc;
  }

  private int stealAll(Vcpu vcpu, long list, int order, int extents) {
    Cpu cpu = vcpu.cpu;
    for (int n = 0; n < extents; n++) {
      if (!extent.read(cpu, list + (long) n * Long.BYTES, Long.BYTES)) {
        return -Errno.EFAULT;
      }
      long first = extent.getLong(0);
      for (int k = 0; k < 1 << order; k++) {
        int rc = steal(vcpu.domain, first + k);
        if (rc != 0) {
          return rc;
        }
        stolen.add(first + k);
      }
    }
    return 0;
  }

  /** Takes a frame that nothing but its owner refers to (steal_page, arch/x86/mm.c). */
  private int steal(Domain domain, long mfn) {
    if (!frames.valid(mfn)) {
      return refusals.refuse(Rule.MEMORY_CALLS, Errno.EINVAL, mfn, "mfn 0x%x, to be exchanged, is not RAM".formatted(mfn));
    }
    boolean own = frames.owner(mfn) == domain.id && !frames.is(mfn, XEN_HEAP);
    if (!own || frames.count(mfn) != 1 || !frames.is(mfn, ALLOCATED)) {
      String why = "a frame to be exchanged is not the domain's alone, or still mapped (%s)".formatted(frames.describe(mfn));
      return refusals.refuse(Rule.MEMORY_CALLS, Errno.EINVAL, mfn, why);
    }
    frames.clear(mfn, 0xff);
    frames.setCount(mfn, 0);
    frames.setType(mfn, FrameTable.NONE);
    frames.setOwner(mfn, FrameTable.NOBODY);
    return 0;
  }

  private void giveBack(Domain domain, int outOrder) {
    for (long mfn : stolen) {
      frames.setOwner(mfn, domain.id);
      frames.setCount(mfn, 1);
      frames.set(mfn, ALLOCATED);
    }
    for (long mfn : fresh) {
      allocator.add(mfn, 1L << outOrder);
    }
  }

  private boolean assign(Vcpu vcpu, long mfn, int order, long extentVa) {
    allocator.assign(vcpu.domain, mfn, order);
    if (!extent.read(vcpu.cpu, extentVa, Long.BYTES)) {
      return false;
    }
    long pfn = extent.getLong(0);
    for (int n = 0; n < 1 << order; n++) {
      mmu.m2p().set(mfn + n, pfn + n);
    }
    extent.putLong(0, mfn);
    return extent.write(vcpu.cpu, extentVa, 0, Long.BYTES);
  }
}
