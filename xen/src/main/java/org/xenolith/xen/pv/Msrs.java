package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Fault;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Feature;
import org.xenolith.isa.Instruction;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.build.HypercallPage;
import org.xenolith.xen.mm.PvMmu;

/**
 * Model-specific registers as a PV domU without privilege gets them: guest_rdmsr and guest_wrmsr (arch/x86/msr.c), and behind them read_msr
 * and write_msr (pv/emul-priv-op.c). What those
 * four do not name is #GP for a PV domain, so nothing is unknown here; or with xl's msr_relaxed, if the processor has it, reads as 0 and
 * swallows what is written (read_msr's and write_msr's default).
 */
final class Msrs {
  private static final int AMD_EBX = 0x6874_7541, HYGON_EBX = 0x6f67_7948, INTEL_EBX = 0x756e_6547;

  private static final long APIC_ENABLED = 0x800, APIC_BOOT = 0x100, APIC_BASE = 0xfee0_0000L;

  /** The page attribute table that Xen runs with (asm-x86/processor.h, XEN_MSR_PAT). */
  private static final long PAT = 0x0501_0007_0406L;

  private static final int APIC_BASE_MSR = 0x1b;

  private final long[] probed = new long[1];
  private final boolean amd;
  private final boolean intel;

  /** What {@link #read} read. */
  long value;

  Msrs(Cpu cpu) {
    int[] r = new int[4];
    cpu.model.cpuid(cpu, 0, 0, r);
    amd = r[1] == AMD_EBX || r[1] == HYGON_EBX;
    intel = r[1] == INTEL_EBX;
  }

  /**
   * Reads a register; false where the guest is to get #GP. While it has no handler for that, Xen has mercy: what the processor has reads
   * as 0 (the end of read_msr).
   */
  boolean read(Vcpu vcpu, int msr) {
    if (answered(vcpu, msr)) {
      return true;
    }
    value = 0;
    return vcpu.pv.trapAddress[Fault.GP] == 0 && msr >>> 16 != 0x4000 && ofProcessor(vcpu, msr);
  }

  private boolean answered(Vcpu vcpu, int msr) {
    Cpu cpu = vcpu.cpu;
    value = 0;
    switch (msr) {
      case 0x10 -> value = cpu.clock.now + cpu.tscOffset; // TSC
      case APIC_BASE_MSR -> value = APIC_BASE | APIC_ENABLED | (vcpu.id == 0 ? APIC_BOOT : 0);
      case 0x277 -> value = PAT;
      case 0xc000_0080 -> value = cpu.efer;
      case 0xc000_0100 -> value = cpu.segmentBase[Instruction.FS];
      case 0xc000_0101 -> value = cpu.segmentBase[Instruction.GS];
      case 0xc000_0102 -> value = cpu.kernelGsBase;
      case 0xc000_0103 -> { // TSC_AUX
        if (!cpu.model.offers(Feature.RDTSCP) && !cpu.model.offers(Feature.RDPID)) {
          return false;
        }
        value = cpu.tscAux;
      }
      // Without CPUID faulting both say so: PLATFORM_INFO, MISC_FEATURES_ENABLES.
      case 0xce, 0x140 -> value = 0;
      // The hypercall page's register; written, never read back.
      case 0x4000_0000 -> value = 0;
      // PERF_CAPABILITIES: none.
      case 0x345 -> value = 0;
      // MCG_CAP, MCG_STATUS, MCG_CTL: two banks, as vmce_init_vcpu gives them.
      case 0x179 -> value = amd ? 2 : 0x0100_0802L;
      case 0x17a, 0x17b -> value = 0;
      // Machine check of the Pentium: P5_MC_ADDR and P5_MC_TYPE.
      case 0, 1 -> value = 0;
      case 0x8b -> { // Microcode revision.
        if (!amd && !intel) {
          return false;
        }
        value = 0;
      }
      case 0x1a0 -> { // MISC_ENABLE: branch trace and precise events unavailable, xTPR disabled.
        if (!intel) {
          return false;
        }
        value = 1 << 11 | 1 << 12 | 1 << 23 | 1;
      }
      case 0x17 -> { // PLATFORM_ID
        if (!intel) {
          return false;
        }
      }
      case 0x3a -> { // FEATURE_CONTROL: locked.
        if (!intel) {
          return false;
        }
        value = 1;
      }
      case 0x198, 0x199, 0x19c -> { // PERF_STATUS, PERF_CTL, THERM_STATUS read as zero.
        if (!intel) {
          return false;
        }
      }
      case 0xc001_0015 -> { // HWCR
        if (!amd) {
          return false;
        }
      }
      case 0xc001_1029 -> { // DE_CFG: LFENCE serialises.
        if (!amd) {
          return false;
        }
        value = 2;
      }
      case 0xc001_001f -> value = 0; // NB_CFG
      default -> {
        if (msr >= 0x280 && msr <= 0x29f) {
          value = 0; // MCi_CTL2
        } else if (msr >= 0x400 && msr <= 0x47f) {
          value = (msr & 3) == 0 ? -1 : 0; // MCi_CTL reads all ones; STATUS, ADDR and MISC are zero.
        } else if (amd && (msr >= 0xc001_0041 && msr <= 0xc001_0042 || msr >= 0xc001_0061 && msr <= 0xc001_006b)) {
          value = 0; // FID_VID and the P-states: the frequency is not the guest's to see.
        } else if (amd && counter(msr)) {
          value = 0; // Without the vpmu option of Xen's command line, counters stand still (vpmu_do_msr).
        } else {
          return relaxed(vcpu, msr);
        }
      }
    }
    return true;
  }

  boolean write(Vcpu vcpu, int msr, long v) {
    Cpu cpu = vcpu.cpu;
    switch (msr) {
      case 0xc000_0080 -> { // EFER: Linux writes back what it read.
        return v == cpu.efer;
      }
      case 0xc000_0100, 0xc000_0101, 0xc000_0102 -> {
        if (!Mmu.canonical(v)) {
          return false;
        }
        if (msr == 0xc000_0102) {
          cpu.kernelGsBase = v;
        } else {
          cpu.segmentBase[msr == 0xc000_0100 ? Instruction.FS : Instruction.GS] = v;
          cpu.refresh();
        }
      }
      case 0xc000_0103 -> {
        if (!cpu.model.offers(Feature.RDTSCP) && !cpu.model.offers(Feature.RDPID) || v >>> 32 != 0) {
          return false;
        }
        cpu.tscAux = v;
      }
      case 0x140 -> { // MISC_FEATURES_ENABLES has no bit that exists.
        return v == 0;
      }
      case 0x8b -> { // Intel: software writes 0 before it reads the microcode's revision.
        return intel && v == 0;
      }
      case 0x1a0 -> { // MISC_ENABLE: writes of anything else are dropped.
        return intel;
      }
      case 0x199 -> { // PERF_CTL: dropped.
        return intel;
      }
      case 0x4000_0000 -> {
        return hypercallPage(vcpu, v);
      }
      // MCG_CAP, MCG_STATUS, MCG_CTL.
      case 0x179, 0x17a, 0x17b -> {}
      // MPERF and APERF belong to whoever controls frequencies: dropped.
      case 0xe7, 0xe8 -> {}
      case 0x19a, 0x1b0 -> { // THERM_CONTROL, ENERGY_PERF_BIAS: dropped.
        return intel;
      }
      case 0xc001_0015, 0xc001_1029 -> { // HWCR, DE_CFG: dropped.
        return amd;
      }
      case 0xc001_001f -> {} // NB_CFG: dropped.
      default -> {
        if (msr >= 0x280 && msr <= 0x29f) {
          return true;
        }
        if (msr >= 0x400 && msr <= 0x47f) {
          // CTL sticks to all ones; STATUS, ADDR and MISC take only zero.
          return (msr & 3) == 0 || v == 0;
        }
        if (amd && (msr >= 0xc001_0041 && msr <= 0xc001_0042 || msr >= 0xc001_0061 && msr <= 0xc001_006b)) {
          return true;
        }
        return amd && counter(msr) || relaxed(vcpu, msr);
      }
    }
    return true;
  }

  /** Nobody answers for a register: whether the domain is to believe that it is 0. */
  private boolean relaxed(Vcpu vcpu, int msr) {
    return vcpu.domain.msrRelaxed && ofProcessor(vcpu, msr);
  }

  /** Whether the processor has a register: Xen tries (rdmsr_safe). */
  private boolean ofProcessor(Vcpu vcpu, int msr) {
    return msr == APIC_BASE_MSR || vcpu.cpu.msrs.read(msr, probed);
  }

  /** AMD's performance counters and what selects their events. */
  private static boolean counter(int msr) {
    return msr >= 0xc001_0000 && msr <= 0xc001_0007 || msr >= 0xc001_0200 && msr <= 0xc001_020b;
  }

  /** Writing the number of a frame to the hypercall page's register has Xen fill that frame (guest_wrmsr_xen). */
  private static boolean hypercallPage(Vcpu vcpu, long v) {
    PvMmu mmu = vcpu.domain.xen.mmu;
    long mfn = v >>> GuestMemory.FRAME_SHIFT;
    if ((v & GuestMemory.FRAME_SIZE - 1) != 0 || !mmu.getWritablePage(vcpu.domain, mfn)) {
      return false;
    }
    vcpu.cpu.memory.write(mfn << GuestMemory.FRAME_SHIFT, HypercallPage.contents(), 0, GuestMemory.FRAME_SIZE);
    mmu.putWritablePage(mfn);
    return true;
  }
}
