package org.xenolith.xen.pvh;

import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercall;
import org.xenolith.xen.Vcpu;

/**
 * memory_op of a container (hvm_memory_op, arch/x86/hvm/hypercall.c; do_memory_op, common/memory.c): the guest changes what is behind its
 * frame numbers. What has nothing to do with frame numbers a PV domain gets likewise.
 */
final class MemoryCalls implements Hypercall {
  /** Sub-operations (public header memory.h, XENMEM_*). */
  private static final int INCREASE_RESERVATION = 0, DECREASE_RESERVATION = 1, POPULATE_PHYSMAP = 6, ADD_TO_PHYSMAP = 7;

  private static final int MACHINE_MEMORY_MAP = 10, EXCHANGE = 11, MACHPHYS_MAPPING = 12, MAXIMUM_GPFN = 14, REMOVE_FROM_PHYSMAP = 15;
  private static final int SET_POD_TARGET = 16, GET_POD_TARGET = 17, ADD_TO_PHYSMAP_BATCH = 23;

  /** What may be mapped (XENMAPSPACE_*). */
  private static final int SHARED_INFO = 0, GRANT_TABLE = 1, GMFN = 2, GMFN_RANGE = 3, GMFN_FOREIGN = 4, DEV_MMIO = 5;

  private static final int COMMAND = 63, START_SHIFT = 6, DOMID_SELF = 0x7ff0;
  private static final long INVALID_GFN = -1L;

  /** Flags of a reservation (XENMEMF_*): populate on demand; an exact node of NUMA, of which there is none. */
  private static final int POPULATE_ON_DEMAND = 1 << 16, EXACT_NODE = 1 << 17, VNODE = 1 << 18, NODE = 0xff00;

  /** The largest extent for a domain without privilege (CONFIG_DOMU_MAX_ORDER), and the most extents of a call. */
  private static final int MAX_ORDER = 9;

  private static final long MAX_EXTENTS = 0xffff_ffffL >>> START_SHIFT;

  /** After so much work the vcpu looks at events and its limits. */
  private static final int BATCH = 512;

  /** Who has the frames of the grant table. */
  interface GrantFrames {
    /** The frame of an index, for which the table may grow; a negated {@link Errno} if there is none. */
    long frame(long index);
  }

  private final Domain domain;
  private final Physmap physmap;
  private final GrantFrames grants;
  private final Hypercall others;
  private final GuestStruct arg = new GuestStruct(40);
  private final GuestStruct word = new GuestStruct(8);

  MemoryCalls(Domain domain, Physmap physmap, GrantFrames grants) {
    this.domain = domain;
    this.physmap = physmap;
    this.grants = grants;
    this.others = domain.xen.mmu.memoryOp();
  }

  @Override
  public long call(Vcpu vcpu, long[] args) {
    int op = (int) args[0] & COMMAND;
    long start = args[0] >>> START_SHIFT;
    return switch (op) {
      case INCREASE_RESERVATION, DECREASE_RESERVATION, POPULATE_PHYSMAP -> reservation(vcpu, op, args[1], start);
      case ADD_TO_PHYSMAP -> add(vcpu, args[1], start);
      case ADD_TO_PHYSMAP_BATCH -> addBatch(vcpu, args[1], start);
      case REMOVE_FROM_PHYSMAP -> start != 0 ? -Errno.EINVAL : remove(vcpu, args[1]);
      case MAXIMUM_GPFN -> start != 0 ? -Errno.EINVAL : maximumGfn(vcpu, args[1]);
      case SET_POD_TARGET, GET_POD_TARGET -> start != 0 ? -Errno.ENOSYS : populateOnDemand(vcpu, args[1]);
      case EXCHANGE -> domain.xen.unimplemented("memory_op exchange in a container");
      case MACHINE_MEMORY_MAP, MACHPHYS_MAPPING -> -Errno.ENOSYS;
      default -> others.call(vcpu, args);
    };
  }

  /** Whether a number means this very domain; 0 or the error for others, of which domain 0 is the only one. */
  private int self(int domid) {
    return domid == DOMID_SELF || domid == domain.id ? 0 : domid == 0 ? -Errno.EPERM : -Errno.ESRCH;
  }

  // ---- Memory taken and given back ----

  private long reservation(Vcpu vcpu, int op, long va, long start) {
    // struct xen_memory_reservation: extent_start, nr_extents, extent_order, mem_flags, domid.
    if (!arg.read(vcpu.cpu, va, 32)) {
      return start;
    }
    long list = arg.getLong(0);
    long count = arg.getLong(8);
    int order = arg.getInt(16);
    int flags = arg.getInt(20);
    int addressBits = flags & 0xff;
    boolean exactNode = (flags & VNODE) == 0 && (flags & NODE) != 0 && (flags & EXACT_NODE) != 0;
    if (Long.compareUnsigned(count, MAX_EXTENTS) > 0 || start >= count || self(arg.getShort(24)) != 0
        || addressBits != 0 && addressBits <= 12 || exactNode || Integer.compareUnsigned(order, MAX_ORDER) > 0) {
      return start;
    }
    int batch = Math.max(1, BATCH >> order);
    for (long n = start; n < count; n++) {
      if (n == start + batch) {
        vcpu.rest = new long[] {op | n << START_SHIFT, va};
        return n;
      }
      domain.xen.countWork();
      if (!extent(vcpu, op, list + 8 * n, order, flags)) {
        return n;
      }
    }
    return count;
  }

  private boolean extent(Vcpu vcpu, int op, long va, int order, int flags) {
    if (op == INCREASE_RESERVATION) {
      return physmap.increase(order, flags);
    }
    if (!word.read(vcpu.cpu, va, 8)) {
      return false;
    }
    long gfn = word.getLong(0);
    if (op == POPULATE_PHYSMAP) {
      return (flags & POPULATE_ON_DEMAND) == 0 && physmap.populate(gfn, order, flags);
    }
    for (int n = 0; n < 1 << order; n++) {
      if (physmap.remove(gfn + n) != 0) {
        return false;
      }
    }
    return true;
  }

  // ---- Mappings ----

  private long add(Vcpu vcpu, long va, long start) {
    // struct xen_add_to_physmap: domid, size, space, idx, gpfn.
    if (start >>> 16 != 0) {
      return -Errno.EDOM;
    }
    if (!arg.read(vcpu.cpu, va, 24)) {
      return -Errno.EFAULT;
    }
    int space = arg.getInt(4);
    if (space == GMFN_FOREIGN) {
      return -Errno.ENOSYS;
    }
    int rc = permission(arg.getShort(0), space);
    if (rc != 0) {
      return rc;
    }
    long index = arg.getLong(8);
    long gfn = arg.getLong(16);
    if (gfn == INVALID_GFN) {
      return -Errno.EINVAL;
    }
    return space == GMFN_RANGE ? addRange(vcpu, va, start, index, gfn) : addOne(space, index, gfn);
  }

  private int permission(int domid, int space) {
    boolean exists = domid == DOMID_SELF || domid == domain.id || domid == 0;
    if (!exists) {
      return -Errno.ESRCH;
    }
    // Domain 0 here is a PV domain.
    return domid == 0 || space == DEV_MMIO ? -Errno.EACCES : 0;
  }

  private long addRange(Vcpu vcpu, long va, long start, long index, long gfn) {
    int size = arg.getShort(2);
    if (size < start) {
      return -Errno.EILSEQ;
    }
    if (Long.compareUnsigned(gfn + size, gfn) < 0 || Long.compareUnsigned(index + size, index) < 0) {
      return -Errno.EOVERFLOW;
    }
    for (long n = start; n < size; n++) {
      if (n == start + BATCH) {
        vcpu.rest = new long[] {ADD_TO_PHYSMAP | n << START_SHIFT, va};
        return 0;
      }
      int rc = addOne(GMFN, index + n, gfn + n);
      if (rc != 0) {
        return rc;
      }
    }
    return 0;
  }

  private int addOne(int space, long index, long gfn) {
    domain.xen.countWork();
    return switch (space) {
      case SHARED_INFO -> index == 0 ? physmap.mapShared(domain.sharedInfoMfn, gfn) : -Errno.EINVAL;
      case GRANT_TABLE -> {
        long mfn = grants.frame(index);
        yield mfn < 0 ? (int) mfn : physmap.mapShared(mfn, gfn);
      }
      case GMFN -> physmap.move(index, gfn);
      default -> -Errno.EINVAL;
    };
  }

  private long addBatch(Vcpu vcpu, long va, long start) {
    // struct xen_add_to_physmap_batch: domid, space, size, foreign_domid, three lists.
    if (start >>> 16 != 0) {
      return -Errno.EDOM;
    }
    if (!arg.read(vcpu.cpu, va, 32)) {
      return -Errno.EFAULT;
    }
    int space = arg.getShort(2);
    if (space == GMFN_RANGE) {
      return -Errno.EOPNOTSUPP;
    }
    int rc = permission(arg.getShort(0), space);
    if (rc != 0) {
      return rc;
    }
    int size = arg.getShort(4);
    if (size <= start) {
      return size < start || start != 0 ? -Errno.EILSEQ : 0;
    }
    int foreign = arg.getShort(6);
    for (long n = start; n < size; n++) {
      if (n == start + BATCH) {
        vcpu.rest = new long[] {ADD_TO_PHYSMAP_BATCH | n << START_SHIFT, va};
        return 0;
      }
      if (!word.read(vcpu.cpu, arg.getLong(8) + 8 * n, 8)) {
        return -Errno.EFAULT;
      }
      long index = word.getLong(0);
      if (!word.read(vcpu.cpu, arg.getLong(16) + 8 * n, 8)) {
        return -Errno.EFAULT;
      }
      long gfn = word.getLong(0);
      if (gfn == INVALID_GFN) {
        return -Errno.EINVAL;
      }
      word.putInt(0, space == GMFN_FOREIGN ? foreign(foreign) : addOne(space, index, gfn));
      if (!word.write(vcpu.cpu, arg.getLong(24) + 4 * n, 4)) {
        return -Errno.EFAULT;
      }
    }
    return 0;
  }

  /** Frames of other domains are for who may control them (p2m_add_foreign). */
  private int foreign(int domid) {
    return domid == DOMID_SELF || domid == domain.id ? -Errno.EINVAL : domid == 0 ? -Errno.EPERM : -Errno.ESRCH;
  }

  private long remove(Vcpu vcpu, long va) {
    // struct xen_remove_from_physmap: domid, pad, gpfn.
    if (!arg.read(vcpu.cpu, va, 16)) {
      return -Errno.EFAULT;
    }
    int domid = arg.getShort(0);
    int rc = self(domid);
    if (rc != 0) {
      return domid == 0 ? -Errno.EACCES : rc;
    }
    long gfn = arg.getLong(8);
    long mfn = physmap.get(gfn);
    if (mfn < 0) {
      return -Errno.ENOENT;
    }
    rc = physmap.unmap(gfn, mfn);
    domain.xen.mmu.putPage(mfn);
    return rc;
  }

  // ---- What is asked about ----

  private long maximumGfn(Vcpu vcpu, long va) {
    if (!arg.read(vcpu.cpu, va, 2)) {
      return -Errno.EFAULT;
    }
    int rc = self(arg.getShort(0));
    return rc != 0 ? rc : physmap.p2m().highest();
  }

  private long populateOnDemand(Vcpu vcpu, long va) {
    // struct xen_pod_target: four counts, then domid. Who may not control the domain is refused.
    if (!arg.read(vcpu.cpu, va, 40)) {
      return -Errno.EFAULT;
    }
    int domid = arg.getShort(32);
    int rc = self(domid);
    return domid == 0 ? -Errno.EINVAL : rc != 0 ? rc : -Errno.EPERM;
  }
}
