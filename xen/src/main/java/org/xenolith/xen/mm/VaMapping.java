package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.L1;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/** HYPERVISOR_update_va_mapping and _otherdomain: the L1 entry of a linear address (do_update_va_mapping, arch/x86/mm.c). */
final class VaMapping {
  /** Flush flags (public header xen.h, UVMF_*). */
  private static final int FLUSH_TYPE = 3, FLUSH_TLB = 1, FLUSH_PAGE = 2;

  private static final long LOCAL = 0, ALL = 4;

  private final PvMmu mmu;
  private final Refusals refusals;
  private final VcpuMask mask = new VcpuMask();

  VaMapping(PvMmu mmu) {
    this.mmu = mmu;
    this.refusals = mmu.refusals();
  }

  long own(Vcpu vcpu, long[] args) {
    return refusals.report(vcpu, update(vcpu, args[0], args[1], args[2], vcpu.domain.id));
  }

  long otherDomain(Vcpu vcpu, long[] args) {
    int pageOwner = ForeignDomains.pageOwner(vcpu, (int) args[3] & 0xffff);
    int rc;
    if (pageOwner < 0) {
      String why = "update_va_mapping names a domain that cannot be meant, 0x%x".formatted(args[3] & 0xffff);
      rc = refusals.refuse(Rule.OWN_FRAMES, Errno.ESRCH, -1, why);
    } else if (pageOwner != vcpu.domain.id && pageOwner != FrameTable.DOMID_IO) {
      String why = "update_va_mapping with frames of d%d is for privileged domains".formatted(pageOwner);
      rc = refusals.refuse(Rule.OWN_FRAMES, Errno.EPERM, -1, why);
    } else {
      rc = update(vcpu, args[0], args[1], args[2], pageOwner);
    }
    return refusals.report(vcpu, rc);
  }

  private int update(Vcpu vcpu, long va, long entry, long flags, int pageOwner) {
    long tableMfn = mmu.roots().l1Table(vcpu, va);
    if (tableMfn < 0) {
      refusals.refuse(Rule.VA_UPDATES, Errno.EINVAL, -1, "no L1 table maps va 0x%x".formatted(va));
      refusals.address(va, entry);
      return -Errno.EINVAL;
    }
    PageTypes types = mmu.types();
    FrameTable frames = mmu.frames();
    int rc = types.getPage(tableMfn, vcpu.domain.id);
    if (rc != 0) {
      return rc;
    }
    if (frames.type(tableMfn) == L1 && frames.typeCount(tableMfn) > 0) {
      rc = mmu.updates().update(L1, tableMfn, (int) (va >>> 12) & 511, entry, false, vcpu.domain.id, pageOwner);
    } else {
      String why = "what va 0x%x has for an L1 table is none (%s)".formatted(va, frames.describe(tableMfn));
      rc = refusals.refuse(Rule.VA_UPDATES, Errno.EINVAL, tableMfn, why);
    }
    types.putPage(tableMfn);
    if (rc != 0) {
      refusals.at("for va 0x%x".formatted(va));
      refusals.address(va, entry);
      return rc;
    }
    return flush(vcpu, va, flags);
  }

  private int flush(Vcpu vcpu, long va, long flags) {
    int type = (int) flags & FLUSH_TYPE;
    if (type != FLUSH_TLB && type != FLUSH_PAGE) {
      return 0;
    }
    Domain domain = vcpu.domain;
    long scope = flags & ~FLUSH_TYPE;
    int rc = 0;
    if (scope == LOCAL) {
      mask.only(vcpu);
    } else if (scope == ALL) {
      mask.all(domain);
    } else {
      rc = mask.read(vcpu, scope);
    }
    for (Vcpu v : domain.vcpus) {
      if (mask.has(v)) {
        if (type == FLUSH_TLB) {
          mmu.tlb().flush(v);
        } else if (GuestAccess.accessible(va, 1)) {
          v.cpu.mmu.flushPage(va & -GuestMemory.FRAME_SIZE);
        }
      }
    }
    return rc;
  }
}
