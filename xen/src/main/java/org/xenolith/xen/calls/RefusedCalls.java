package org.xenolith.xen.calls;

import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;

/**
 * The calls that a domain without privilege is refused. Numbers without a handler are -ENOSYS, as in a Xen without what they are for:
 * xsm_op (FLASK), tmem_op (gone since 4.13), argo_op (CONFIG_ARGO), paging_domctl_cont (internal).
 */
public final class RefusedCalls {
  /** What each interface must be called with, 4.17: else -EACCES (sysctl.h, domctl.h, platform.h). */
  private static final int SYSCTL_VERSION = 0x15, DOMCTL_VERSION = 0x15, PLATFORM_VERSION = 0x0300_0000;

  private final Domain domain;
  private final GuestStruct arg = new GuestStruct(8);

  public RefusedCalls(Domain domain) {
    this.domain = domain;
  }

  /** Puts them into the table. */
  public void register(Hypercalls calls) {
    calls.set(7, (vcpu, args) -> privileged(vcpu, args[0], 4, PLATFORM_VERSION));
    calls.set(35, (vcpu, args) -> privileged(vcpu, args[0], 4, SYSCTL_VERSION));
    calls.set(36, (vcpu, args) -> privileged(vcpu, args[0], 4, DOMCTL_VERSION));
    calls.set(42, (vcpu, args) -> -Errno.EPERM); // hypfs_op
    // Without the vpmu option of Xen's command line there is none (do_xenpmu_op, arch/x86/cpu/vpmu.c).
    calls.set(40, (vcpu, args) -> -Errno.EOPNOTSUPP);
    // Device models are for domains that may control others: first is the target's domid.
    calls.set(41, (vcpu, args) -> (args[0] & 0xffff) == 0 ? -Errno.EPERM : -Errno.ESRCH);
    if (!domain.isContainer()) {
      calls.set(31, (vcpu, args) -> domain.xen.unimplemented("xenoprof_op " + args[0]));
      calls.set(37, (vcpu, args) -> -Errno.EPERM); // kexec_op
      calls.set(48, (vcpu, args) -> -Errno.EPERM); // mca
    }
  }

  /** The version comes first in these structures' second word; whoever has it right is refused for want of privilege. */
  private long privileged(Vcpu vcpu, long va, int at, int version) {
    if (!arg.read(vcpu.cpu, va, 8)) {
      return -Errno.EFAULT;
    }
    return arg.getInt(at) == version ? -Errno.EPERM : -Errno.EACCES;
  }
}
