package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.L1;
import static org.xenolith.xen.mm.FrameTable.L4;
import static org.xenolith.xen.mm.FrameTable.VALIDATED;
import static org.xenolith.xen.mm.FrameTable.WRITABLE;

import org.xenolith.cpu.Cpu;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercall;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/** HYPERVISOR_mmu_update: changes of page-table entries and of the machine-to-physical table, in batches (do_mmu_update, mm.c). */
final class MmuUpdate implements Hypercall {
  /** In the count: goes on with an earlier call (public header xen.h, MMU_UPDATE_PREEMPTED). */
  static final int PREEMPTED = 1 << 31;

  private static final int NORMAL = 0, MACHPHYS = 1, PRESERVE_AD = 2, NO_TRANSLATE = 3;
  private static final int REQUEST_SIZE = 16;

  /** Requests done before events are looked at. */
  static final int BATCH = 4096;

  private final PvMmu mmu;
  private final FrameTable frames;
  private final PageTypes types;
  private final Refusals refusals;
  private final GuestStruct request = new GuestStruct(REQUEST_SIZE);
  private boolean flush;

  MmuUpdate(PvMmu mmu) {
    this.mmu = mmu;
    this.frames = mmu.frames();
    this.types = mmu.types();
    this.refusals = mmu.refusals();
  }

  @Override
  public long call(Vcpu vcpu, long[] args) {
    Cpu cpu = vcpu.cpu;
    long requests = args[0];
    int count = (int) args[1];
    long doneVa = args[2];
    int foreign = (int) args[3];
    if (count == PREEMPTED && requests == 0) {
      return foreign;
    }
    int done = 0;
    if ((count & PREEMPTED) != 0) {
      count &= ~PREEMPTED;
      done = PartialCount.read(cpu, request, doneVa);
    }
    if (!GuestAccess.accessible(requests, (long) count * REQUEST_SIZE)) {
      return -Errno.EFAULT;
    }
    Domain domain = vcpu.domain;
    int tableOwner = domain.id;
    if (foreign >>> 16 != 0) {
      tableOwner = ForeignDomains.any(vcpu, (foreign >>> 16) - 1);
      if ((foreign >>> 16) - 1 == ForeignDomains.DOMID_SELF) {
        tableOwner = -Errno.ESRCH;
      }
      if (tableOwner < 0) {
        return refusals.report(vcpu, unknownDomain(foreign));
      }
    }
    int pageOwner = ForeignDomains.pageOwner(vcpu, foreign & 0xffff);
    if (pageOwner < 0) {
      PartialCount.write(cpu, request, doneVa, done);
      return refusals.report(vcpu, unknownDomain(foreign));
    }
    int rc = 0;
    int n = 0;
    flush = false;
    for (; n < Math.min(count, BATCH); n++) {
      mmu.xen().countWork();
      rc = request.read(cpu, requests + (long) n * REQUEST_SIZE, REQUEST_SIZE)
          ? update(domain, request.getLong(0), request.getLong(8), tableOwner, pageOwner)
          : -Errno.EFAULT;
      if (rc != 0) {
        refusals.at("request %d of %d".formatted(n, count));
        refusals.request(n, count, requests + (long) n * REQUEST_SIZE, request.getLong(0), request.getLong(8));
        break;
      }
    }
    if (flush) {
      mmu.tlb().flush(domain);
    }
    PartialCount.write(cpu, request, doneVa, done + n);
    if (rc == 0 && n < count) {
      vcpu.rest = new long[] {requests + (long) n * REQUEST_SIZE, (count - n | PREEMPTED) & 0xffff_ffffL, doneVa, foreign};
    }
    return refusals.report(vcpu, rc);
  }

  private int unknownDomain(int foreign) {
    return refusals.refuse(Rule.OWN_FRAMES, Errno.ESRCH, -1, "mmu_update names a domain that cannot be meant, 0x%x".formatted(foreign));
  }

  private int update(Domain domain, long pointer, long value, int tableOwner, int pageOwner) {
    int command = (int) pointer & 7;
    return switch (command) {
      case NORMAL, PRESERVE_AD, NO_TRANSLATE -> {
        boolean foreign = tableOwner != domain.id || pageOwner != domain.id && pageOwner != FrameTable.DOMID_IO;
        yield foreign ? notPrivileged(tableOwner, pageOwner) : updateTable(domain, pointer & ~7L, value, command, pageOwner);
      }
      case MACHPHYS -> {
        boolean foreign = tableOwner != domain.id || pageOwner != domain.id && pageOwner != FrameTable.DOMID_IO;
        yield foreign ? notPrivileged(tableOwner, pageOwner) : updateM2p(pointer & ~7L, value, pageOwner);
      }
      default -> refusals.refuse(Rule.ENTRY_UPDATES, Errno.ENOSYS, -1, "mmu_update has no type %d".formatted(command));
    };
  }

  private int notPrivileged(int tableOwner, int pageOwner) {
    String why = "mmu_update of tables of d%d with frames of d%d is for privileged domains".formatted(tableOwner, pageOwner);
    return refusals.refuse(Rule.OWN_FRAMES, Errno.EPERM, -1, why);
  }

  private int updateTable(Domain domain, long pa, long value, int command, int pageOwner) {
    long mfn = pa >>> 12;
    int rc = types.getPage(mfn, domain.id);
    if (rc != 0) {
      refusals.at("so no entry at 0x%x can be updated".formatted(pa));
      refusals.debugLine("Could not get page for normal update");
      return rc;
    }
    int type = frames.type(mfn);
    if (frames.is(mfn, VALIDATED) && frames.typeCount(mfn) > 0) {
      if (type >= L1 && type <= L4) {
        rc = updateEntry(domain, mfn, type, (int) (pa & 0xfff) >>> 3, value, command == PRESERVE_AD, pageOwner);
      } else if (type == WRITABLE) {
        mmu.xen().memory.writeLong(pa, value);
      } else {
        String why = "mmu_update of 0x%x, which is neither in a page table nor in a writable frame (%s)";
        rc = refusals.refuse(Rule.ENTRY_UPDATES, Errno.EINVAL, mfn, why.formatted(pa, frames.describe(mfn)));
      }
    } else {
      rc = types.getType(mfn, WRITABLE);
      if (rc == 0) {
        mmu.xen().memory.writeLong(pa, value);
        types.putType(mfn);
      }
    }
    types.putPage(mfn);
    return rc;
  }

  private int updateEntry(Domain domain, long mfn, int level, int slot, long value, boolean preserveAd, int pageOwner) {
    if (level == L1) {
      return mmu.updates().update(level, mfn, slot, value, preserveAd, domain.id, pageOwner);
    }
    if (pageOwner != domain.id) {
      String why = "mmu_update of L%d table mfn 0x%x with frames of another domain".formatted(level, mfn);
      return refusals.refuse(Rule.ENTRY_UPDATES, Errno.EINVAL, mfn, why);
    }
    // The table must stay one while its entry changes, even if that entry held the last use of it.
    frames.setTypeCount(mfn, frames.typeCount(mfn) + 1);
    int rc = mmu.updates().update(level, mfn, slot, value, preserveAd, domain.id, pageOwner);
    types.putType(mfn);
    flush |= rc == 0;
    return rc;
  }

  private int updateM2p(long pa, long pfn, int pageOwner) {
    long mfn = pa >>> 12;
    int rc = types.getPage(mfn, pageOwner);
    if (rc != 0) {
      refusals.at("so its machine-to-physical entry cannot be set");
      refusals.debugLine("Could not get page for mach->phys update");
      return rc;
    }
    mmu.m2p().set(mfn, pfn);
    types.putPage(mfn);
    return 0;
  }
}
