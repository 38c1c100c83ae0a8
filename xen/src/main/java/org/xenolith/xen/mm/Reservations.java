package org.xenolith.xen.mm;

import java.util.Locale;
import org.xenolith.cpu.Cpu;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/**
 * Memory that a domain takes and gives back: XENMEM_increase_reservation, _decrease_reservation and _populate_physmap (Xen:
 * common/memory.c). The result is how many extents were done; what cannot be done is not an error but the end.
 */
final class Reservations {
  enum Change {
    INCREASE(0),
    DECREASE(1),
    POPULATE(6);

    private final long command;

    Change(long command) {
      this.command = command;
    }
  }

  /** Bytes of struct xen_memory_reservation: extent_start, nr_extents, extent_order, mem_flags, domid. */
  static final int STRUCTURE_SIZE = 32;

  /** The largest extent an unprivileged domain may ask for (CONFIG_DOMU_MAX_ORDER). */
  static final int MAX_ORDER = 9;

  private static final int POPULATE_ON_DEMAND = 1 << 16, EXACT_NODE = 1 << 17, VNODE = 1 << 18, NODE = 0xff00;
  private static final long MAX_EXTENTS = 0xffff_ffffL >>> 6;

  private final PvMmu mmu;
  private final FrameTable frames;
  private final Refusals refusals;
  private final GuestStruct reservation = new GuestStruct(STRUCTURE_SIZE);
  private final GuestStruct extent = new GuestStruct(8);

  Reservations(PvMmu mmu) {
    this.mmu = mmu;
    this.frames = mmu.frames();
    this.refusals = mmu.refusals();
  }

  /** Does extents from number {@code start} on and returns the number of the first that is not done. */
  long change(Vcpu vcpu, Change change, long va, long start) {
    if (!reservation.read(vcpu.cpu, va, STRUCTURE_SIZE)) {
      return start;
    }
    long list = reservation.getLong(0);
    long count = reservation.getLong(8);
    int order = reservation.getInt(16);
    int flags = reservation.getInt(20);
    boolean possible =
        Long.compareUnsigned(count, MAX_EXTENTS) <= 0
            && start < count
            && ForeignDomains.any(vcpu, reservation.getShort(24)) == vcpu.domain.id
            && validFlags(flags)
            && Integer.compareUnsigned(order, MAX_ORDER) <= 0
            && (change == Change.INCREASE && list == 0 || GuestAccess.accessible(list, count * Long.BYTES));
    if (!possible) {
      return start;
    }
    long n = start;
    long end = Math.min(count, start + MmuUpdate.BATCH);
    while (n < end && perform(vcpu, change, list == 0 ? 0 : list + n * Long.BYTES, order, flags)) {
      mmu.xen().countWork();
      n++;
    }
    if (n < count && n == end) {
      vcpu.rest = new long[] {change.command | n << 6, va};
    } else if (n < count) {
      String why = "only %d of %d extents of 2^%d frames could be done".formatted(n, count, order);
      reportPart(vcpu, change, why);
    }
    return n;
  }

  private void reportPart(Vcpu vcpu, Change change, String why) {
    refusals.refuse(Rule.MEMORY_CALLS, Errno.ENOMEM, -1, "%s reservation".formatted(change.name().toLowerCase(Locale.ROOT)));
    refusals.at(why);
    refusals.report(vcpu, -Errno.ENOMEM);
  }

  /** Address limits and NUMA nodes that can be asked for (construct_memop_from_reservation). */
  static boolean validFlags(int flags) {
    int bits = flags & 0xff;
    boolean exactNode = (flags & VNODE) == 0 && (flags & NODE) != 0 && (flags & EXACT_NODE) != 0;
    return (bits == 0 || bits > 12) && !exactNode;
  }

  /** The first frame that is too high for the address bits in memory flags. */
  static long limitMfn(int flags) {
    int bits = flags & 0xff;
    return bits == 0 || bits >= 63 ? Long.MAX_VALUE : 1L << bits - 12;
  }

  private boolean perform(Vcpu vcpu, Change change, long extentVa, int order, int flags) {
    return switch (change) {
      case INCREASE -> increase(vcpu, extentVa, order, flags);
      case DECREASE -> decrease(vcpu, extentVa, order);
      case POPULATE -> populate(vcpu, extentVa, order, flags);
    };
  }

  private boolean increase(Vcpu vcpu, long extentVa, int order, int flags) {
    long mfn = allocate(vcpu.domain, order, flags);
    return mfn >= 0 && (extentVa == 0 || tell(vcpu.cpu, extentVa, mfn));
  }

  private boolean populate(Vcpu vcpu, long extentVa, int order, int flags) {
    if (!extent.read(vcpu.cpu, extentVa, Long.BYTES) || (flags & POPULATE_ON_DEMAND) != 0) {
      return false;
    }
    long pfn = extent.getLong(0);
    long mfn = allocate(vcpu.domain, order, flags);
    if (mfn < 0) {
      return false;
    }
    for (int n = 0; n < 1 << order; n++) {
      mmu.m2p().set(mfn + n, pfn + n);
    }
    return tell(vcpu.cpu, extentVa, mfn);
  }

  private long allocate(Domain domain, int order, int flags) {
    if (domain.totalPages + (1L << order) > domain.maxPages) {
      refusals.refuse(Rule.MEMORY_CALLS, Errno.E2BIG, -1, "d%d may own no more than %d frames".formatted(domain.id, domain.maxPages));
      return -1;
    }
    long mfn = mmu.allocator().take(order, limitMfn(flags));
    if (mfn < 0) {
      refusals.refuse(Rule.MEMORY_CALLS, Errno.ENOMEM, -1, "the machine has no 2^%d free frames in a row".formatted(order));
      return -1;
    }
    mmu.allocator().assign(domain, mfn, order);
    return mfn;
  }

  private boolean tell(Cpu cpu, long extentVa, long mfn) {
    extent.putLong(0, mfn);
    return extent.write(cpu, extentVa, 0, Long.BYTES);
  }

  private boolean decrease(Vcpu vcpu, long extentVa, int order) {
    if (!extent.read(vcpu.cpu, extentVa, Long.BYTES)) {
      return false;
    }
    long first = extent.getLong(0);
    for (int n = 0; n < 1 << order; n++) {
      if (!remove(vcpu.domain, first + n)) {
        return false;
      }
    }
    return true;
  }

  /** Takes the domain's own reference away: the frame is free once nothing maps it any more (guest_remove_page). */
  private boolean remove(Domain domain, long mfn) {
    if (mmu.types().getPage(mfn, domain.id) != 0) {
      return false;
    }
    mmu.types().putAllocation(mfn);
    mmu.types().putPage(mfn);
    return true;
  }
}
