package org.xenolith.xen.mm;

import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.Vcpu;

/**
 * Which domain a hypercall's domain argument means, for a domain without privileges (Xen: get_pg_owner, arch/x86/mm.c, and the default
 * policy of include/xsm/dummy.h).
 */
final class ForeignDomains {
  static final int DOMID_SELF = 0x7ff0;

  private ForeignDomains() {}

  /**
   * The owner of the pages that a hypercall speaks of.
   *
   * @return a domain id, {@link FrameTable#DOMID_IO} or {@link FrameTable#DOMID_XEN}; or -ESRCH, also for the caller's own number
   */
  static int pageOwner(Vcpu vcpu, int domid) {
    if (domid == DOMID_SELF) {
      return vcpu.domain.id;
    }
    if (domid == vcpu.domain.id) {
      return -Errno.ESRCH;
    }
    return domid == FrameTable.DOMID_IO || domid == FrameTable.DOMID_XEN || exists(vcpu, domid) ? domid : -Errno.ESRCH;
  }

  /** The domain that a number means, the caller's own included, or -ESRCH (rcu_lock_domain_by_any_id). */
  static int any(Vcpu vcpu, int domid) {
    if (domid == DOMID_SELF || domid == vcpu.domain.id) {
      return vcpu.domain.id;
    }
    return exists(vcpu, domid) ? domid : -Errno.ESRCH;
  }

  /** Domain 0 always exists: whoever started this one. */
  private static boolean exists(Vcpu vcpu, int domid) {
    Domain domain = vcpu.domain.xen.domain(domid);
    return domid == 0 || domain != null;
  }
}
