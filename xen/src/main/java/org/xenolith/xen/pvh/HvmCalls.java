package org.xenolith.xen.pvh;

import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercall;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.pvh.P2m.Kind;

/** hvm_op of a container's guest about itself (do_hvm_op, arch/x86/hvm/hvm.c; public header hvm/hvm_op.h). */
final class HvmCalls implements Hypercall {
  private static final int SET_PARAM = 0, GET_PARAM = 1, FLUSH_TLBS = 5, PAGETABLE_DYING = 9, GET_TIME = 10, XENTRACE = 11;
  private static final int GET_MEM_TYPE = 15, SET_EVTCHN_UPCALL_VECTOR = 23, GUEST_REQUEST_VM_EVENT = 24, ALTP2M = 25;

  /** Types that get_mem_type tells (hvmmem_type_t). */
  private static final int MEM_RAM_RW = 0, MEM_RAM_RO = 1, MEM_MMIO_DM = 2;

  private static final int DOMID_SELF = 0x7ff0;

  private final Domain domain;
  private final HvmParams params;
  private final EventInterrupts interrupts;
  private final P2m p2m;
  private final GuestStruct arg = new GuestStruct(32);

  HvmCalls(Domain domain, HvmParams params, EventInterrupts interrupts, P2m p2m) {
    this.domain = domain;
    this.params = params;
    this.interrupts = interrupts;
    this.p2m = p2m;
  }

  @Override
  public long call(Vcpu vcpu, long[] args) {
    long va = args[1];
    if (args[0] >>> 32 != 0) {
      return -Errno.ENOSYS;
    }
    return switch ((int) args[0]) {
      case SET_PARAM -> setParam(vcpu, va);
      case GET_PARAM -> getParam(vcpu, va);
      case FLUSH_TLBS -> {
        if (va != 0) {
          yield -Errno.EINVAL;
        }
        domain.xen.mmu.flushTlb(domain);
        yield 0;
      }
      case PAGETABLE_DYING -> pagetableDying(vcpu, va);
      case GET_TIME -> {
        arg.putLong(0, domain.xen.clock.now);
        yield arg.write(vcpu.cpu, va, 8) ? 0 : -Errno.EFAULT;
      }
      case XENTRACE -> trace(vcpu, va);
      case GET_MEM_TYPE -> memType(vcpu, va);
      case SET_EVTCHN_UPCALL_VECTOR -> setUpcallVector(vcpu, va);
      // Nobody asked for such events.
      case GUEST_REQUEST_VM_EVENT -> va == 0 ? 0 : -Errno.EINVAL;
      // Alternate second stages need a processor of another vendor (hvm_altp2m_supported).
      case ALTP2M -> -Errno.EOPNOTSUPP;
      default -> -Errno.ENOSYS;
    };
  }

  /** 0 for this very domain, else the error: domain 0 is a PV domain. */
  private int self(int domid) {
    return domid == DOMID_SELF || domid == domain.id ? 0 : domid == 0 ? -Errno.EINVAL : -Errno.ESRCH;
  }

  private long setParam(Vcpu vcpu, long va) {
    // struct xen_hvm_param: domid, pad, index, value.
    if (!arg.read(vcpu.cpu, va, 16)) {
      return -Errno.EFAULT;
    }
    int index = arg.getInt(4);
    if (Integer.compareUnsigned(index, HvmParams.COUNT) >= 0) {
      return -Errno.EINVAL;
    }
    int rc = self(arg.getShort(0));
    if (rc == 0) {
      long value = arg.getLong(8);
      rc = params.set(index, value, () -> domain.crash("a bad TSS for virtual-8086 mode, 0x%x".formatted(value)));
      if (rc == 0 && index == HvmParams.CALLBACK_IRQ) {
        interrupts.setCallback(value);
      }
    }
    return rc;
  }

  private long getParam(Vcpu vcpu, long va) {
    if (!arg.read(vcpu.cpu, va, 16)) {
      return -Errno.EFAULT;
    }
    int index = arg.getInt(4);
    if (Integer.compareUnsigned(index, HvmParams.COUNT) >= 0) {
      return -Errno.EINVAL;
    }
    int rc = self(arg.getShort(0));
    if (rc == 0) {
      rc = HvmParams.mayGet(index);
    }
    if (rc != 0) {
      return rc;
    }
    arg.putLong(8, params.get(index));
    return arg.write(vcpu.cpu, va, 16) ? 0 : -Errno.EFAULT;
  }

  /** Page tables that die are of interest only where Xen shadows them; here the processor walks the guest's own. */
  private long pagetableDying(Vcpu vcpu, long va) {
    if (!arg.read(vcpu.cpu, va, 16)) {
      return -Errno.EFAULT;
    }
    int rc = self(arg.getShort(0));
    return rc == 0 ? -Errno.EINVAL : rc == -Errno.ESRCH ? rc : -Errno.EOPNOTSUPP;
  }

  private long trace(Vcpu vcpu, long va) {
    // struct xen_hvm_xentrace: event, extra_bytes, extra[28]: into a buffer that nobody reads.
    if (!arg.read(vcpu.cpu, va, 32)) {
      return -Errno.EFAULT;
    }
    return arg.getShort(2) > 28 || arg.getShort(0) >>> 12 != 0 ? -Errno.EINVAL : 0;
  }

  private long memType(Vcpu vcpu, long va) {
    // struct xen_hvm_get_mem_type: domid, mem_type, two words of padding, pfn.
    if (!arg.read(vcpu.cpu, va, 16)) {
      return -Errno.EFAULT;
    }
    int domid = arg.getShort(0);
    int rc = self(domid);
    if (rc != 0) {
      return domid == 0 ? -Errno.EPERM : rc;
    }
    Kind kind = p2m.kind(arg.getLong(8));
    int type = switch (kind) {
      case NOTHING -> MEM_MMIO_DM;
      case GRANT_READ_ONLY -> MEM_RAM_RO;
      case RAM, GRANT -> MEM_RAM_RW;
    };
    arg.putInt(0, domid | type << 16);
    return arg.write(vcpu.cpu, va, 16) ? 0 : -Errno.EFAULT;
  }

  private long setUpcallVector(Vcpu vcpu, long va) {
    // struct xen_hvm_evtchn_upcall_vector: vcpu, vector.
    if (!arg.read(vcpu.cpu, va, 8)) {
      return -Errno.EFAULT;
    }
    int id = arg.getInt(0);
    int vector = arg.getByte(4);
    if (vector < 0x10) {
      return -Errno.EINVAL;
    }
    if (id < 0 || id >= domain.vcpus.size()) {
      return -Errno.ENOENT;
    }
    interrupts.setVector(domain.vcpus.get(id), vector);
    return 0;
  }
}
