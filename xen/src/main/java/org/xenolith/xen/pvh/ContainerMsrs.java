package org.xenolith.xen.pvh;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Msrs;
import org.xenolith.xen.Domain;
import org.xenolith.xen.XenLeaves;
import org.xenolith.xen.build.HypercallPage;

/**
 * Model-specific registers that Xen answers for itself where a container on a processor of AMD's reads or writes them: guest_rdmsr and
 * guest_wrmsr (arch/x86/msr.c), behind them hvm_msr_read_intercept (arch/x86/hvm/hvm.c) and svm_msr_read_intercept (arch/x86/hvm/svm/svm.c)
 * and their likes for writing; vmce_rdmsr (arch/x86/cpu/mcheck/vmce.c). What those do not name is #GP (without xl's msr_relaxed), so
 * nothing is unknown here.
 */
final class ContainerMsrs {
  /** Machine-check banks that a guest has (GUEST_MC_BANK_NUM); MCG_CAP says no more. */
  private static final int BANKS = 2;

  private static final int MC0_CTL = 0x400, MC31_MISC = 0x47f, MC0_CTL2 = 0x280, MC31_CTL2 = 0x29f, MC4_MISC = 0x413;

  /** Of a threshold register: the firmware has locked it. */
  private static final long LOCKED = 1L << 61;

  /** In PLATFORM_INFO: CPUID can be made to fault, which Xen offers to every container since it sees each CPUID anyway. */
  private static final long CPUID_FAULTING = 1L << 31;

  private static final int DEBUGCTL = 0x1d9, LAST_BRANCH_FROM = 0x1db, LAST_INTERRUPT_TO = 0x1de;

  private final Domain domain;
  private final Cpu cpu;
  private long mcgStatus;

  /**
   * DEBUGCTL and, from the third on, the last branch and interrupt. Xen keeps them in the VMCB, which a processor without LBR
   * virtualisation, such as one of this model's family, never loads: what the guest writes it reads back, and nothing is recorded.
   */
  private final long[] branches = new long[LAST_INTERRUPT_TO - DEBUGCTL + 1];

  ContainerMsrs(Domain domain, Cpu cpu) {
    this.domain = domain;
    this.cpu = cpu;
  }

  /** Whether RDMSR and WRMSR of a register leave the guest: all but those that SVM loads and stores itself (construct_vmcb). */
  static boolean intercepted(int msr) {
    return switch (msr) {
      case Msrs.FS_BASE, Msrs.GS_BASE, Msrs.KERNEL_GS_BASE, Msrs.STAR, Msrs.LSTAR, Msrs.CSTAR, Msrs.SYSCALL_MASK, Msrs.PAT -> false;
      default -> true;
    };
  }

  /** Whether the processor's own register of a number that Xen does not answer for is the container's, too. */
  static boolean ofProcessor(int msr) {
    return msr == Msrs.TSC_ADJUST || msr == Msrs.MTRR_CAP || msr == Msrs.MTRR_DEF_TYPE
        || msr >= Msrs.MTRR_FIRST && msr < Msrs.MTRR_FIRST + 16 || msr == 0x250 || msr == 0x258 || msr == 0x259
        || msr >= 0x268 && msr <= 0x26f;
  }

  /** Reads a register that Xen answers for; false if it does not. */
  boolean read(int msr, long[] value) {
    value[0] = 0;
    switch (msr) {
      // The hypercall page's register: written, never read back.
      case XenLeaves.BASE -> {}
      // MC4_MISC and its like are locked thresholds.
      case MC4_MISC, 0xc000_0408, 0xc000_0409, 0xc000_040a -> value[0] = LOCKED;
      // MCG_CAP, MCG_STATUS; MCG_CTL, P5_MC_ADDR, P5_MC_TYPE.
      case 0x179 -> value[0] = BANKS;
      case 0x17a -> value[0] = mcgStatus;
      case 0x17b, 0, 1 -> {}
      // PLATFORM_INFO, MISC_FEATURES_ENABLES.
      case 0xce -> value[0] = CPUID_FAULTING;
      case 0x140 -> value[0] = cpu.cpuidFaults ? 1 : 0;
      // No microcode was loaded.
      case Msrs.PATCH_LEVEL -> {}
      // HWCR; SYSCFG, TOP_MEM, TOP_MEM2, VM_CR, EX_CFG; INT_PENDING_MSG (K8_ENABLE_C1E), NB_CFG; EBC_FREQUENCY_ID of Intel's.
      case 0xc001_0015, 0xc001_0010, 0xc001_001a, 0xc001_001d, 0xc001_0114, 0xc001_102c, 0xc001_0055, 0xc001_001f, 0x2c -> {}
      // DE_CFG: LFENCE serialises.
      case 0xc001_1029 -> value[0] = 2;
      // VM_HSAVE_PA and TSC_RATIO, of nested guests.
      case 0xc001_0117, 0xc000_0104 -> {}
      // BU_CFG, where the processor has none of its own to show.
      case 0xc001_1023 -> value[0] = 0x1020_0020L;
      default -> {
        if (msr >= MC0_CTL && msr <= MC31_MISC) {
          value[0] = (msr & 3) == 0 && msr < MC0_CTL + 4 * BANKS ? -1 : 0;
        } else if (ofBranches(msr)) {
          value[0] = branches[msr - DEBUGCTL];
        } else {
          return msr >= MC0_CTL2 && msr <= MC31_CTL2 || counter(msr);
        }
      }
    }
    return true;
  }

  /** What {@link #write} made of a write. */
  enum Written {
    DONE,
    /** #GP(0). */
    REFUSED,
    /** Xen does not answer for the register. */
    ELSEWHERE
  }

  /** Writes a register that Xen answers for. */
  Written write(int msr, long value) {
    switch (msr) {
      case XenLeaves.BASE -> {
        return done(hypercallPage(value));
      }
      case 0x17a -> mcgStatus = value;
      // MCG_CAP, MCG_CTL; thresholds: dropped.
      case 0x179, 0x17b, MC4_MISC, 0xc000_0408, 0xc000_0409, 0xc000_040a -> {}
      // MISC_FEATURES_ENABLES.
      case 0x140 -> {
        if ((value & ~1) != 0) {
          return Written.REFUSED;
        }
        cpu.cpuidFaults = value == 1;
      }
      // PATCH_LOADER, DE_CFG; SYSCFG, TOP_MEM, TOP_MEM2, VM_CR, EX_CFG; NB_CFG: dropped.
      case 0xc001_0020, 0xc001_1029, 0xc001_0010, 0xc001_001a, 0xc001_001d, 0xc001_0114, 0xc001_102c, 0xc001_001f -> {}
      // VM_HSAVE_PA, TSC_RATIO: there are no nested guests.
      case 0xc001_0117, 0xc000_0104 -> {
        return done(value == 0);
      }
      // PLATFORM_INFO, PATCH_LEVEL, HWCR, INT_PENDING_MSG, EBC_FREQUENCY_ID, P5_MC_ADDR, P5_MC_TYPE, BU_CFG.
      case 0xce, Msrs.PATCH_LEVEL, 0xc001_0015, 0xc001_0055, 0x2c, 0, 1, 0xc001_1023 -> {
        return Written.REFUSED;
      }
      default -> {
        if (msr >= MC0_CTL && msr <= MC31_MISC) {
          return done((msr & 3) == 0 || value == 0 || msr >= MC0_CTL + 4 * BANKS);
        }
        if (ofBranches(msr)) {
          branches[msr - DEBUGCTL] = value;
          return Written.DONE;
        }
        return msr >= MC0_CTL2 && msr <= MC31_CTL2 || counter(msr) ? Written.DONE : Written.ELSEWHERE;
      }
    }
    return Written.DONE;
  }

  private static boolean ofBranches(int msr) {
    return msr == DEBUGCTL || msr >= LAST_BRANCH_FROM && msr <= LAST_INTERRUPT_TO;
  }

  private static Written done(boolean accepted) {
    return accepted ? Written.DONE : Written.REFUSED;
  }

  /** AMD's performance counters and what selects their events: without the vpmu option of Xen's command line they stand still. */
  private static boolean counter(int msr) {
    return msr >= 0xc001_0000 && msr <= 0xc001_0007 || msr >= 0xc001_0200 && msr <= 0xc001_020b;
  }

  /** Writing the number of a frame to the hypercall page's register has Xen fill that frame (guest_wrmsr_xen). */
  private boolean hypercallPage(long value) {
    if ((value & GuestMemory.FRAME_SIZE - 1) != 0) {
      return false;
    }
    long mfn = domain.frames.hold(value >>> GuestMemory.FRAME_SHIFT);
    if (mfn < 0) {
      return false;
    }
    domain.xen.memory.write(mfn << GuestMemory.FRAME_SHIFT, HypercallPage.containerContents(), 0, GuestMemory.FRAME_SIZE);
    domain.frames.release(mfn);
    return true;
  }
}
