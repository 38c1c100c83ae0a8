package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.PINNED;
import static org.xenolith.xen.mm.FrameTable.WRITABLE;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.FrameEvent;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercall;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/** HYPERVISOR_mmuext_op: pins, roots, TLB flushes, the LDT, clearing and copying of frames (do_mmuext_op, arch/x86/mm.c). */
final class MmuextOp implements Hypercall {
  /** Commands (public header xen.h, MMUEXT_*); PIN_L1_TABLE to PIN_L4_TABLE are 0 to 3. */
  private static final int PIN_L1 = 0, PIN_L4 = 3, UNPIN = 4, NEW_BASEPTR = 5, TLB_FLUSH_LOCAL = 6, INVLPG_LOCAL = 7, TLB_FLUSH_MULTI = 8;

  private static final int INVLPG_MULTI = 9, TLB_FLUSH_ALL = 10, INVLPG_ALL = 11, FLUSH_CACHE = 12, SET_LDT = 13, NEW_USER_BASEPTR = 15;
  private static final int CLEAR_PAGE = 16, COPY_PAGE = 17, FLUSH_CACHE_GLOBAL = 18, MARK_SUPER = 19, UNMARK_SUPER = 20;

  private static final int OP_SIZE = 24;

  private final PvMmu mmu;
  private final FrameTable frames;
  private final PageTypes types;
  private final Refusals refusals;
  private final GuestStruct op = new GuestStruct(OP_SIZE);
  private final VcpuMask mask = new VcpuMask();

  MmuextOp(PvMmu mmu) {
    this.mmu = mmu;
    this.frames = mmu.frames();
    this.types = mmu.types();
    this.refusals = mmu.refusals();
  }

  @Override
  public long call(Vcpu vcpu, long[] args) {
    Cpu cpu = vcpu.cpu;
    long ops = args[0];
    int count = (int) args[1];
    long doneVa = args[2];
    int foreign = (int) args[3];
    if (count == MmuUpdate.PREEMPTED && ops == 0) {
      return foreign;
    }
    int done = 0;
    if ((count & MmuUpdate.PREEMPTED) != 0) {
      count &= ~MmuUpdate.PREEMPTED;
      done = PartialCount.read(cpu, op, doneVa);
    }
    if (!GuestAccess.accessible(ops, (long) count * OP_SIZE)) {
      return -Errno.EFAULT;
    }
    int owner = ForeignDomains.pageOwner(vcpu, foreign & 0xffff);
    if (owner != vcpu.domain.id) {
      int errno = owner < 0 ? Errno.ESRCH : Errno.EPERM;
      String why = "mmuext_op for domain 0x%x, which is not the caller's DOMID_SELF".formatted(foreign & 0xffff);
      return refusals.report(vcpu, refusals.refuse(Rule.OWN_FRAMES, errno, -1, why));
    }
    int rc = 0;
    int n = 0;
    for (; n < Math.min(count, MmuUpdate.BATCH); n++) {
      mmu.xen().countWork();
      rc = op.read(cpu, ops + (long) n * OP_SIZE, OP_SIZE) ? perform(vcpu, op.getInt(0), op.getLong(8), op.getLong(16)) : -Errno.EFAULT;
      if (rc != 0) {
        refusals.at("mmuext_op %d of %d".formatted(n, count));
        refusals.request(n, count, ops + (long) n * OP_SIZE, op.getLong(0), op.getLong(8), op.getLong(16));
        break;
      }
    }
    PartialCount.write(cpu, op, doneVa, done + n);
    if (rc == 0 && n < count) {
      vcpu.rest = new long[] {ops + (long) n * OP_SIZE, (count - n | MmuUpdate.PREEMPTED) & 0xffff_ffffL, doneVa, foreign};
    }
    return refusals.report(vcpu, rc);
  }

  private int perform(Vcpu vcpu, int command, long arg1, long arg2) {
    Domain domain = vcpu.domain;
    return switch (command) {
      case PIN_L1, PIN_L1 + 1, PIN_L1 + 2, PIN_L4 -> pin(domain, arg1, command - PIN_L1 + FrameTable.L1);
      case UNPIN -> unpin(domain, arg1);
      case NEW_BASEPTR -> mmu.roots().setKernel(vcpu, arg1);
      case NEW_USER_BASEPTR -> mmu.roots().setUser(vcpu, arg1);
      case TLB_FLUSH_LOCAL -> {
        mmu.tlb().flush(vcpu);
        yield 0;
      }
      case INVLPG_LOCAL -> {
        if (Mmu.canonical(arg1)) {
          vcpu.cpu.mmu.flushPage(arg1);
        }
        yield 0;
      }
      case TLB_FLUSH_MULTI, INVLPG_MULTI -> {
        if (mask.read(vcpu, arg2) != 0) {
          String why = "the vcpu mask of a TLB flush, at 0x%x, is not readable".formatted(arg2);
          yield refusals.refuse(Rule.EXTENDED_OPS, Errno.EINVAL, -1, why);
        }
        yield flush(domain, command == TLB_FLUSH_MULTI, arg1);
      }
      case TLB_FLUSH_ALL, INVLPG_ALL -> {
        mask.all(domain);
        yield flush(domain, command == TLB_FLUSH_ALL, arg1);
      }
      case FLUSH_CACHE, FLUSH_CACHE_GLOBAL ->
          refusals.refuse(Rule.EXTENDED_OPS, Errno.EACCES, -1, "flushing caches is for domains with devices");
      case SET_LDT -> mmu.descriptors().setLdt(vcpu, arg1, (int) arg2);
      case CLEAR_PAGE -> clear(domain, arg1);
      case COPY_PAGE -> copy(domain, arg1, arg2);
      case MARK_SUPER, UNMARK_SUPER ->
          refusals.refuse(Rule.EXTENDED_OPS, Errno.EOPNOTSUPP, -1, "Xen no longer lets a PV guest map large pages");
      default -> refusals.refuse(Rule.EXTENDED_OPS, Errno.ENOSYS, -1, "there is no mmuext_op %d".formatted(command));
    };
  }

  private int pin(Domain domain, long mfn, int level) {
    int rc = types.getPageAndType(mfn, level, domain.id);
    if (rc != 0) {
      refusals.at("while pinning mfn 0x%x as L%d table".formatted(mfn, level));
      if (frames.valid(mfn) && frames.owner(mfn) == domain.id) {
        refusals.debugLine("Error %d while pinning mfn %x".formatted(rc, mfn));
      }
      return rc;
    }
    if (frames.is(mfn, PINNED)) {
      String why = "mfn 0x%x is pinned already (%s)".formatted(mfn, frames.describe(mfn));
      types.putPageAndType(mfn);
      refusals.refuse(Rule.PINNED_ONCE, Errno.EINVAL, mfn, why);
      refusals.debugLine("mfn %x already pinned".formatted(mfn));
      return -Errno.EINVAL;
    }
    frames.set(mfn, PINNED);
    mmu.log().frame(FrameEvent.Kind.PINNED, mfn);
    return 0;
  }

  private int unpin(Domain domain, long mfn) {
    int rc = types.getPage(mfn, domain.id);
    if (rc != 0) {
      refusals.at("while unpinning it");
      refusals.debugLine("mfn %x bad, or bad owner d%d".formatted(mfn, domain.id));
      return rc;
    }
    if (!frames.is(mfn, PINNED)) {
      String why = "mfn 0x%x is not pinned (%s)".formatted(mfn, frames.describe(mfn));
      types.putPage(mfn);
      refusals.refuse(Rule.PINNED_ONCE, Errno.EINVAL, mfn, why);
      refusals.debugLine("mfn %x not pinned".formatted(mfn));
      return -Errno.EINVAL;
    }
    frames.clear(mfn, PINNED);
    mmu.log().frame(FrameEvent.Kind.UNPINNED, mfn);
    types.putPageAndType(mfn);
    types.putPage(mfn);
    return 0;
  }

  private int flush(Domain domain, boolean whole, long va) {
    for (Vcpu v : domain.vcpus) {
      if (mask.has(v)) {
        if (whole) {
          mmu.tlb().flush(v);
        } else if (GuestAccess.accessible(va, 1)) {
          v.cpu.mmu.flushPage(va);
        }
      }
    }
    return 0;
  }

  private int clear(Domain domain, long mfn) {
    int rc = types.getPageAndType(mfn, WRITABLE, domain.id);
    if (rc != 0) {
      refusals.at("while clearing it");
      refusals.debugLine("Error clearing mfn %x".formatted(mfn));
      return rc;
    }
    mmu.xen().memory.fill(mfn << GuestMemory.FRAME_SHIFT, GuestMemory.FRAME_SIZE, (byte) 0);
    types.putPageAndType(mfn);
    return 0;
  }

  private int copy(Domain domain, long toMfn, long fromMfn) {
    int rc = types.getPage(fromMfn, domain.id);
    if (rc != 0) {
      refusals.at("while copying from it");
      refusals.debugLine("Error copying from mfn %x".formatted(fromMfn));
      return rc;
    }
    rc = types.getPageAndType(toMfn, WRITABLE, domain.id);
    if (rc == 0) {
      mmu.xen().memory.copyFrame(fromMfn, toMfn);
      types.putPageAndType(toMfn);
    } else {
      refusals.at("while copying mfn 0x%x to it".formatted(fromMfn));
      refusals.debugLine("Error copying to mfn %x".formatted(toMfn));
    }
    types.putPage(fromMfn);
    return rc;
  }
}
