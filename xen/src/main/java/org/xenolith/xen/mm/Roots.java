package org.xenolith.xen.mm;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.FrameEvent;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.Vcpu;

/** The page-table roots that vcpus run on, and walks of the guest's tables from them. */
public final class Roots {
  private final PvMmu mmu;

  Roots(PvMmu mmu) {
    this.mmu = mmu;
  }

  /**
   * Gives a vcpu its first roots (arch_set_info_guest, arch/x86/domain.c): each becomes an L4 table, held for the vcpu.
   *
   * @param userMfn the user's root, or 0
   * @return 0 or a negated {@link Errno}
   */
  public int install(Vcpu vcpu, long kernelMfn, long userMfn) {
    PageTypes types = mmu.types();
    Domain domain = vcpu.domain;
    boolean strict = (domain.assists & Domain.ASSIST_M2P_STRICT) != 0;
    int rc = types.getPageAndType(kernelMfn, FrameTable.L4, domain.id);
    if (rc == 0 && !strict) {
      types.tables().showM2p(kernelMfn);
    }
    if (rc == 0 && userMfn != 0) {
      rc = types.getPageAndType(userMfn, FrameTable.L4, domain.id);
      if (rc != 0) {
        types.putPageAndType(kernelMfn);
      } else if (strict) {
        types.tables().hideM2p(userMfn);
      }
    }
    if (rc == 0) {
      vcpu.kernelRootMfn = kernelMfn;
      vcpu.userRootMfn = userMfn;
      load(vcpu);
      mmu.tlb().flush(vcpu);
    }
    return (int) mmu.refusals().report(vcpu, rc);
  }

  /** Makes the vcpu's processor use the root of the mode it is in. The TLB keeps what it holds of that root. */
  public void load(Vcpu vcpu) {
    vcpu.cpu.cr3 = vcpu.rootMfn() << GuestMemory.FRAME_SHIFT;
  }

  /** A guest's write to CR3: as MMUEXT_NEW_BASEPTR; a negated {@link Errno} if it is refused. */
  public int setKernelRoot(Vcpu vcpu, long mfn) {
    return (int) mmu.refusals().report(vcpu, setKernel(vcpu, mfn));
  }

  /** MMUEXT_NEW_BASEPTR: a new root for the vcpu's kernel mode (new_guest_cr3). */
  int setKernel(Vcpu vcpu, long mfn) {
    long old = vcpu.kernelRootMfn;
    if (mfn != old) {
      PageTypes types = mmu.types();
      int rc = types.getPageAndType(mfn, FrameTable.L4, vcpu.domain.id);
      if (rc != 0) {
        mmu.refusals().at("so it cannot be the vcpu's root");
        mmu.refusals().debugLine("Error while installing new baseptr %x".formatted(mfn));
        return rc;
      }
      mmu.descriptors().dropLdt(vcpu);
      if ((vcpu.domain.assists & Domain.ASSIST_M2P_STRICT) == 0) {
        types.tables().showM2p(mfn);
      }
      vcpu.kernelRootMfn = mfn;
      mmu.log().frame(FrameEvent.Kind.ROOT, mfn);
      load(vcpu);
      if (old != 0) {
        vcpu.cpu.mmu.share(old << GuestMemory.FRAME_SHIFT, mfn << GuestMemory.FRAME_SHIFT);
        mmu.log().frame(FrameEvent.Kind.NO_ROOT, old);
        types.putPageAndType(old);
      }
    }
    flushRoots(vcpu);
    return 0;
  }

  /** MMUEXT_NEW_USER_BASEPTR: a new root for the vcpu's user mode; 0 takes it away. */
  int setUser(Vcpu vcpu, long mfn) {
    long old = vcpu.userRootMfn;
    if (mfn == old) {
      return 0;
    }
    PageTypes types = mmu.types();
    if (mfn != 0) {
      int rc = types.getPageAndType(mfn, FrameTable.L4, vcpu.domain.id);
      if (rc != 0) {
        mmu.refusals().at("so it cannot be the vcpu's user root");
        mmu.refusals().debugLine("Error %d installing new mfn %x".formatted(rc, mfn));
        return rc;
      }
      if ((vcpu.domain.assists & Domain.ASSIST_M2P_STRICT) != 0) {
        types.tables().hideM2p(mfn);
      }
    }
    vcpu.userRootMfn = mfn;
    if (mfn != 0) {
      mmu.log().frame(FrameEvent.Kind.ROOT, mfn);
    }
    load(vcpu);
    if (old != 0) {
      mmu.log().frame(FrameEvent.Kind.NO_ROOT, old);
      types.putPageAndType(old);
    }
    flushRoots(vcpu);
    return 0;
  }

  /**
   * A processor's TLB keeps nothing across a load of CR3 by Xen, and guests count on that when they switch to a root. Translations of
   * roots that are not in use may stay: they are dropped when their root comes into use. What is certain to be found again stays, too.
   */
  private static void flushRoots(Vcpu vcpu) {
    vcpu.cpu.mmu.flushChanged(vcpu.kernelRootMfn << GuestMemory.FRAME_SHIFT);
    if (vcpu.userRootMfn != 0) {
      vcpu.cpu.mmu.flushChanged(vcpu.userRootMfn << GuestMemory.FRAME_SHIFT);
    }
  }

  /** Gives up the vcpu's roots when it is reset or its domain ends (vcpu_destroy_pagetables). */
  public void drop(Vcpu vcpu) {
    if (vcpu.kernelRootMfn != 0) {
      mmu.types().putPageAndType(vcpu.kernelRootMfn);
    }
    if (vcpu.userRootMfn != 0) {
      mmu.types().putPageAndType(vcpu.userRootMfn);
    }
    vcpu.kernelRootMfn = 0;
    vcpu.userRootMfn = 0;
  }

  /** The frame that is the L1 table for a guest's linear address under the vcpu's current root, or -1 (map_guest_l1e, pv/mm.c). */
  long l1Table(Vcpu vcpu, long va) {
    return l1Table(vcpu.rootMfn(), va);
  }

  /** Like {@link #l1Table(Vcpu, long)}, under the root {@code rootMfn}. */
  long l1Table(long rootMfn, long va) {
    if (!GuestAccess.accessible(va, 1)) {
      return -1;
    }
    GuestMemory memory = mmu.xen().memory;
    long mfn = rootMfn;
    for (int shift = 39; shift > 12; shift -= 9) {
      long entry = memory.readLong(PageTables.slotPa(mfn, (int) (va >>> shift) & 511));
      if ((entry & (Pte.PRESENT | Pte.LARGE)) != Pte.PRESENT || !memory.isRam(Pte.mfn(entry))) {
        return -1;
      }
      mfn = Pte.mfn(entry);
    }
    return mfn;
  }

  /** The slot for a guest's linear address in the L1 table under the vcpu's kernel root, with its entry; null if there is no table. */
  public Breach.Slot kernelL1Slot(Vcpu vcpu, long va) {
    long table = l1Table(vcpu.kernelRootMfn, va);
    int slot = (int) (va >>> 12) & 511;
    return table < 0 ? null : new Breach.Slot(1, table, slot, mmu.xen().memory.readLong(PageTables.slotPa(table, slot)));
  }

  /** The L1 entry of a guest's linear address under the vcpu's kernel root; 0 if there is none (guest_get_eff_kern_l1e, pv/mm.h). */
  public long kernelL1Entry(Vcpu vcpu, long va) {
    long table = l1Table(vcpu.kernelRootMfn, va);
    return table < 0 ? 0 : mmu.xen().memory.readLong(PageTables.slotPa(table, (int) (va >>> 12) & 511));
  }
}
