package org.xenolith.xen.pv;

import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;

/** The forms that event_channel_op and physdev_op had before interface 0x00030202, and hvm_op, which is for containers. */
final class OldCalls {
  private final Domain domain;
  private final GuestStruct arg = new GuestStruct(32);

  OldCalls(Domain domain) {
    this.domain = domain;
  }

  void register(Hypercalls calls) {
    calls.set(16, this::eventChannelCompat);
    calls.set(19, this::physdevCompat);
    calls.set(34, this::hvmOp);
  }

  /** event_channel_op before interface 0x00030202: the operation is the structure's first word (common/compat). */
  private long eventChannelCompat(Vcpu vcpu, long[] args) {
    if (!arg.read(vcpu.cpu, args[0], 4)) {
      return -Errno.EFAULT;
    }
    // The operation's structure lies 8 bytes on, and is written back there.
    return domain.channels.call(vcpu, new long[] {arg.getInt(0), args[0] + 8, 0, 0, 0});
  }

  private long physdevCompat(Vcpu vcpu, long[] args) {
    if (!arg.read(vcpu.cpu, args[0], 4)) {
      return -Errno.EFAULT;
    }
    return domain.xen.hypercalls.call(vcpu, 33, new long[] {arg.getInt(0), args[0] + 8, 0, 0, 0});
  }

  /** hvm_op (arch/x86/hvm/hvm.c): a PV domain has no parameters and no container. */
  private long hvmOp(Vcpu vcpu, long[] args) {
    switch ((int) args[0]) {
      case 0, 1 -> { // set_param, get_param
        if (!arg.read(vcpu.cpu, args[1], 16)) {
          return -Errno.EFAULT;
        }
        int domid = arg.getShort(0);
        return domid == 0x7ff0 || domid == domain.id ? -Errno.EINVAL : domid == 0 ? -Errno.EPERM : -Errno.ESRCH;
      }
      case 5 -> { // flush_tlbs: of containers
        return -Errno.EINVAL;
      }
      case 9 -> { // pagetable_dying: of containers
        if (!arg.read(vcpu.cpu, args[1], 16)) {
          return -Errno.EFAULT;
        }
        int domid = arg.getShort(0);
        return domid == 0x7ff0 || domid == domain.id ? -Errno.EINVAL : domid == 0 ? -Errno.EOPNOTSUPP : -Errno.ESRCH;
      }
      case 10 -> { // get_time
        arg.putLong(0, domain.xen.clock.now);
        return arg.write(vcpu.cpu, args[1], 8) ? 0 : -Errno.EFAULT;
      }
      case 15, 23 -> { // get_mem_type, set_evtchn_upcall_vector: of containers
        return -Errno.EINVAL;
      }
      case 11 -> { // xentrace: into a buffer that nobody reads
        if (!arg.read(vcpu.cpu, args[1], 32)) {
          return -Errno.EFAULT;
        }
        int extra = arg.getShort(2);
        return extra % 4 != 0 || extra > 28 || arg.getShort(0) >>> 12 != 0 ? -Errno.EINVAL : 0;
      }
      case 24 -> { // guest_request_vm_event: nobody asked for them
        return args[1] == 0 ? 0 : -Errno.EINVAL;
      }
      case 25 -> { // altp2m
        return domain.xen.unimplemented("hvm_op " + args[0]);
      }
      default -> {
        return -Errno.ENOSYS;
      }
    }
  }
}
