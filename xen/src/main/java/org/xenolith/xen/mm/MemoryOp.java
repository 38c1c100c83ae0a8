package org.xenolith.xen.mm;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.xenolith.cpu.Cpu;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercall;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/**
 * HYPERVISOR_memory_op for a PV domain without privileges (do_memory_op, common/memory.c; arch_memory_op, arch/x86/mm.c). What needs
 * translation of physical addresses, which a PV domain does not have, and what is for privileged domains is answered as Xen answers it.
 */
public final class MemoryOp implements Hypercall {
  /** Sub-operations (public header memory.h, XENMEM_*). */
  private static final int INCREASE_RESERVATION = 0, DECREASE_RESERVATION = 1, MAXIMUM_RAM_PAGE = 2, CURRENT_RESERVATION = 3;

  private static final int MAXIMUM_RESERVATION = 4, MACHPHYS_MFN_LIST = 5, POPULATE_PHYSMAP = 6, ADD_TO_PHYSMAP = 7, MEMORY_MAP = 9;
  private static final int MACHINE_MEMORY_MAP = 10, MACHPHYS_MAPPING = 12, SET_MEMORY_MAP = 13, MAXIMUM_GPFN = 14;
  private static final int REMOVE_FROM_PHYSMAP = 15, SET_POD_TARGET = 16, GET_POD_TARGET = 17, GET_SHARING_FREED_PAGES = 18;
  private static final int GET_SHARING_SHARED_PAGES = 19, PAGING_OP = 20, ACCESS_OP = 21, SHARING_OP = 22, ADD_TO_PHYSMAP_BATCH = 23;
  private static final int CLAIM_PAGES = 24, MACHPHYS_COMPAT_MFN_LIST = 25, GET_VNUMAINFO = 26, RESERVED_DEVICE_MEMORY_MAP = 27;
  private static final int ACQUIRE_RESOURCE = 28;

  static final int EXCHANGE = 11;

  private static final int COMMAND = 63, START_SHIFT = 6;
  /** Where struct shared_info has arch.max_pfn (public headers xen.h and arch-x86/xen.h). */
  private static final int SHARED_INFO_MAX_PFN = 3088;

  private static final int E820_RAM = 1, E820_ENTRY_SIZE = 20;

  private final PvMmu mmu;
  private final Refusals refusals;
  private final Reservations reservations;
  private final MemoryExchange exchange;
  private final GuestStruct buffer = new GuestStruct(64);

  MemoryOp(PvMmu mmu) {
    this.mmu = mmu;
    this.refusals = mmu.refusals();
    this.reservations = new Reservations(mmu);
    this.exchange = new MemoryExchange(mmu);
  }

  @Override
  public long call(Vcpu vcpu, long[] args) {
    return refusals.report(vcpu, perform(vcpu, args[0], args[1]));
  }

  private long perform(Vcpu vcpu, long command, long va) {
    int op = (int) command & COMMAND;
    long start = command >>> START_SHIFT;
    return switch (op) {
      case INCREASE_RESERVATION -> reservations.change(vcpu, Reservations.Change.INCREASE, va, start);
      case DECREASE_RESERVATION -> reservations.change(vcpu, Reservations.Change.DECREASE, va, start);
      case POPULATE_PHYSMAP -> reservations.change(vcpu, Reservations.Change.POPULATE, va, start);
      case EXCHANGE -> start != 0 ? -Errno.EINVAL : exchange.exchange(vcpu, va);
      case MAXIMUM_RAM_PAGE -> start != 0 ? -Errno.EINVAL : mmu.frames().frames();
      case CURRENT_RESERVATION, MAXIMUM_RESERVATION, MAXIMUM_GPFN -> start != 0 ? -Errno.EINVAL : count(vcpu, op, va);
      case ADD_TO_PHYSMAP, REMOVE_FROM_PHYSMAP, ADD_TO_PHYSMAP_BATCH -> untranslated(vcpu, op, va, start);
      case ACCESS_OP -> accessOp(vcpu, va);
      case CLAIM_PAGES -> claim(vcpu, va, start);
      case GET_VNUMAINFO -> start != 0 ? -Errno.EINVAL : vnuma(vcpu, va);
      case RESERVED_DEVICE_MEMORY_MAP -> start != 0 ? -Errno.EINVAL : reservedDeviceMemory(vcpu, va);
      case ACQUIRE_RESOURCE -> acquire(vcpu, va);
      // From here on Xen compares the whole command, so a start makes it unknown.
      default -> start != 0 ? -Errno.ENOSYS : performForArchitecture(vcpu, op, va);
    };
  }

  private long performForArchitecture(Vcpu vcpu, int op, long va) {
    return switch (op) {
      case MEMORY_MAP -> memoryMap(vcpu, va);
      case MACHPHYS_MAPPING -> machphysMapping(vcpu, va);
      case MACHPHYS_MFN_LIST -> machphysMfnList(vcpu, va);
      // 32-bit PV guests do not exist here (Xen without CONFIG_PV32 or with pv=no-32).
      case MACHPHYS_COMPAT_MFN_LIST -> -Errno.EOPNOTSUPP;
      case MACHINE_MEMORY_MAP -> refusals.refuse(Rule.MEMORY_CALLS, Errno.EPERM, -1, "the machine's memory map is for privileged domains");
      case SET_MEMORY_MAP -> setMemoryMap(vcpu, va);
      case SET_POD_TARGET, GET_POD_TARGET -> populateOnDemand(vcpu, va);
      case GET_SHARING_FREED_PAGES, GET_SHARING_SHARED_PAGES -> 0;
      // Paging and sharing of guest memory are compiled out of a default Xen.
      case PAGING_OP, SHARING_OP -> -Errno.ENOSYS;
      default -> refusals.refuse(Rule.MEMORY_CALLS, Errno.ENOSYS, -1, "there is no memory_op %d".formatted(op));
    };
  }

  private long count(Vcpu vcpu, int op, long va) {
    if (!buffer.read(vcpu.cpu, va, 2)) {
      return -Errno.EFAULT;
    }
    long rc = ownDomain(vcpu, buffer.getShort(0));
    if (rc != 0) {
      return rc;
    }
    Domain domain = vcpu.domain;
    return switch (op) {
      case CURRENT_RESERVATION -> domain.totalPages;
      case MAXIMUM_RESERVATION -> domain.maxPages;
      default -> Math.max(1, maxPfn(domain)) - 1;
    };
  }

  /** What the guest says its p2m's size is (arch.max_pfn in struct shared_info; arch_get_max_pfn). */
  private long maxPfn(Domain domain) {
    return domain.sharedInfoMfn == 0 ? 0 : mmu.xen().memory.readLong(domain.sharedInfoPa() + SHARED_INFO_MAX_PFN);
  }

  private int ownDomain(Vcpu vcpu, int domid) {
    int owner = ForeignDomains.any(vcpu, domid);
    if (owner == vcpu.domain.id) {
      return 0;
    }
    int errno = owner < 0 ? Errno.ESRCH : Errno.EPERM;
    return refusals.refuse(Rule.MEMORY_CALLS, errno, -1, "memory_op about domain 0x%x is for privileged domains".formatted(domid));
  }

  /** Domains whose addresses are not translated have no physmap (xatp_permission_check). */
  private long untranslated(Vcpu vcpu, int op, long va, long start) {
    int size = op == REMOVE_FROM_PHYSMAP ? 16 : 24;
    if (op == REMOVE_FROM_PHYSMAP && start != 0) {
      return -Errno.EINVAL;
    }
    if (op != REMOVE_FROM_PHYSMAP && start >>> 16 != 0) {
      return -Errno.EDOM;
    }
    if (!buffer.read(vcpu.cpu, va, size)) {
      return -Errno.EFAULT;
    }
    // struct xen_add_to_physmap: domid, size, space; ..._batch: domid, space.
    int space = op == ADD_TO_PHYSMAP ? buffer.getInt(4) : buffer.getShort(2);
    if (op == ADD_TO_PHYSMAP && space == 4) {
      return -Errno.ENOSYS;
    }
    if (op == ADD_TO_PHYSMAP_BATCH && space == 3) {
      return -Errno.EOPNOTSUPP;
    }
    if (ForeignDomains.any(vcpu, buffer.getShort(0)) < 0) {
      return -Errno.ESRCH;
    }
    return refusals.refuse(Rule.MEMORY_CALLS, Errno.EACCES, -1, "a PV domain has no physmap to change");
  }

  private long accessOp(Vcpu vcpu, long va) {
    // struct xen_mem_access_op: op, access, domid, more. It is about other domains only, and for those who may control them.
    if (!buffer.read(vcpu.cpu, va, 40)) {
      return -Errno.EFAULT;
    }
    return ForeignDomains.any(vcpu, buffer.getShort(2)) < 0 ? -Errno.ESRCH : -Errno.EPERM;
  }

  private long claim(Vcpu vcpu, long va, long start) {
    if (start != 0) {
      return -Errno.EINVAL;
    }
    if (!buffer.read(vcpu.cpu, va, Reservations.STRUCTURE_SIZE)) {
      return -Errno.EFAULT;
    }
    boolean invalid = buffer.getLong(0) != 0 || buffer.getInt(16) != 0 || buffer.getInt(20) != 0;
    int domid = buffer.getShort(24);
    if (invalid || domid == ForeignDomains.DOMID_SELF || ForeignDomains.any(vcpu, domid) < 0) {
      return -Errno.EINVAL;
    }
    return -Errno.EPERM;
  }

  private long vnuma(Vcpu vcpu, long va) {
    // struct xen_vnuma_topology_info: domid, pad, counts, three pointers.
    if (!buffer.read(vcpu.cpu, va, 40)) {
      return -Errno.EFAULT;
    }
    if (buffer.getShort(2) != 0) {
      return -Errno.EINVAL;
    }
    int rc = ownDomain(vcpu, buffer.getShort(0));
    return rc != 0 ? rc : -Errno.EOPNOTSUPP;
  }

  private long reservedDeviceMemory(Vcpu vcpu, long va) {
    // struct xen_reserved_device_memory_map: flags, nr_entries, buffer, device. There is no IOMMU, so there are no such regions.
    if (!buffer.read(vcpu.cpu, va, 24)) {
      return -Errno.EFAULT;
    }
    if ((buffer.getInt(0) & ~1) != 0) {
      return -Errno.EINVAL;
    }
    buffer.putInt(4, 0);
    return buffer.write(vcpu.cpu, va + 4, 4, 4) ? 0 : -Errno.EFAULT;
  }

  private long acquire(Vcpu vcpu, long va) {
    if (!buffer.read(vcpu.cpu, va, 32)) {
      return -Errno.EFAULT;
    }
    // struct xen_mem_acquire_resource: domid, type, id, nr_frames, pad, frame, frame_list.
    long frame = buffer.getLong(16);
    int pad = buffer.getInt(12);
    if (pad != 0 || frame >>> 32 != 0 || frame + (buffer.getInt(8) & 0xffff_ffffL) >>> 32 != 0) {
      return -Errno.EINVAL;
    }
    int domid = buffer.getShort(0);
    if (domid == ForeignDomains.DOMID_SELF || domid == vcpu.domain.id) {
      return -Errno.EPERM;
    }
    return ForeignDomains.any(vcpu, domid) < 0 ? -Errno.ESRCH : -Errno.EPERM;
  }

  private long setMemoryMap(Vcpu vcpu, long va) {
    // struct xen_foreign_memory_map: domid, then nr_entries and buffer.
    if (!buffer.read(vcpu.cpu, va, 24)) {
      return -Errno.EFAULT;
    }
    int entries = buffer.getInt(8);
    if (Integer.compareUnsigned(entries, 1024) > 0) {
      return -Errno.EINVAL;
    }
    int rc = ownDomain(vcpu, buffer.getShort(0));
    if (rc != 0) {
      return rc;
    }
    long list = buffer.getLong(16);
    byte[] map = new byte[entries * E820_ENTRY_SIZE];
    if (!GuestAccess.copyIn(vcpu.cpu, list, map, 0, map.length)) {
      return -Errno.EFAULT;
    }
    vcpu.domain.memoryMap = map;
    return 0;
  }

  private long populateOnDemand(Vcpu vcpu, long va) {
    if (!buffer.read(vcpu.cpu, va, 40)) {
      return -Errno.EFAULT;
    }
    // struct xen_pod_target: four counts, then domid. Only HVM domains have it.
    return ForeignDomains.any(vcpu, buffer.getShort(32)) < 0 ? -Errno.ESRCH : -Errno.EINVAL;
  }

  private long memoryMap(Vcpu vcpu, long va) {
    Cpu cpu = vcpu.cpu;
    if (!buffer.read(cpu, va, 16)) {
      return -Errno.EFAULT;
    }
    byte[] map = vcpu.domain.memoryMap;
    if (map.length == 0) {
      return -Errno.ENOSYS;
    }
    int entries = (int) Math.min(buffer.getInt(0) & 0xffff_ffffL, map.length / E820_ENTRY_SIZE);
    long list = buffer.getLong(8);
    buffer.putInt(0, entries);
    boolean written =
        GuestAccess.copyOut(cpu, list, map, 0, entries * E820_ENTRY_SIZE) && buffer.write(cpu, va, 0, 4);
    return written ? 0 : -Errno.EFAULT;
  }

  private long machphysMapping(Vcpu vcpu, long va) {
    buffer.putLong(0, MachineToPhys.VIRT_START);
    buffer.putLong(8, MachineToPhys.VIRT_END);
    buffer.putLong(16, (MachineToPhys.VIRT_END - MachineToPhys.VIRT_START) / Long.BYTES - 1);
    return buffer.write(vcpu.cpu, va, 0, 24) ? 0 : -Errno.EFAULT;
  }

  private long machphysMfnList(Vcpu vcpu, long va) {
    Cpu cpu = vcpu.cpu;
    if (!buffer.read(cpu, va, 24)) {
      return -Errno.EFAULT;
    }
    long max = buffer.getInt(0) & 0xffff_ffffL;
    long list = buffer.getLong(8);
    long[] mfns = mmu.m2p().pageMfns();
    int n = 0;
    for (; n < max && n < mfns.length; n++) {
      buffer.putLong(24, mfns[n]);
      if (!buffer.write(cpu, list + 8L * n, 24, 8)) {
        return -Errno.EFAULT;
      }
    }
    buffer.putInt(16, n);
    return buffer.write(cpu, va + 16, 16, 4) ? 0 : -Errno.EFAULT;
  }

  /** A memory map of one RAM region from 0 on, as the toolstack gives a PV domain (xc_domain_set_memmap_limit). */
  public static byte[] oneRegion(long bytes) {
    ByteBuffer map = ByteBuffer.allocate(E820_ENTRY_SIZE).order(ByteOrder.LITTLE_ENDIAN);
    return map.putLong(0).putLong(bytes).putInt(E820_RAM).array();
  }
}
