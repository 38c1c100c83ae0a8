package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Mmu;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.Feature;
import org.xenolith.isa.Instruction;
import org.xenolith.xen.Vcpu;

/**
 * Model-specific registers as a PV domU without privilege gets them: guest_rdmsr and guest_wrmsr (arch/x86/msr.c), and behind them read_msr
 * and write_msr (pv/emul-priv-op.c). Each is implemented, known to be absent (#GP), or unknown.
 */
final class Msrs {
  /** Results: done; #GP(0) for the guest; not in any list. */
  enum Answer {
    DONE,
    FAULT,
    UNKNOWN
  }

  private static final int AMD_EBX = 0x6874_7541, HYGON_EBX = 0x6f67_7948, INTEL_EBX = 0x756e_6547;

  private static final long APIC_ENABLED = 0x800, APIC_BOOT = 0x100, APIC_BASE = 0xfee0_0000L;

  /** The page attribute table that Xen runs with (asm-x86/processor.h, XEN_MSR_PAT). */
  private static final long PAT = 0x0501_0007_0406L;

  private final boolean amd;
  private final boolean intel;

  /** What {@link #read} read. */
  long value;

  Msrs(ProcessorModel model) {
    int[] r = new int[4];
    model.cpuid(0, 0, r);
    amd = r[1] == AMD_EBX || r[1] == HYGON_EBX;
    intel = r[1] == INTEL_EBX;
  }

  Answer read(Vcpu vcpu, int msr) {
    Cpu cpu = vcpu.cpu;
    value = 0;
    switch (msr) {
      case 0x10 -> value = cpu.clock.now + cpu.tscOffset; // TSC
      case 0x1b -> value = APIC_BASE | APIC_ENABLED | (vcpu.id == 0 ? APIC_BOOT : 0); // APIC_BASE
      case 0x277 -> value = PAT;
      case 0xc000_0080 -> value = cpu.efer;
      case 0xc000_0100 -> value = cpu.segmentBase[Instruction.FS];
      case 0xc000_0101 -> value = cpu.segmentBase[Instruction.GS];
      case 0xc000_0102 -> value = cpu.kernelGsBase;
      case 0xc000_0103 -> { // TSC_AUX
        if (!cpu.model.offers(Feature.RDTSCP) && !cpu.model.offers(Feature.RDPID)) {
          return Answer.FAULT;
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
          return Answer.FAULT;
        }
        value = 0;
      }
      case 0x1a0 -> { // MISC_ENABLE: branch trace and precise events unavailable, xTPR disabled.
        if (!intel) {
          return Answer.FAULT;
        }
        value = 1 << 11 | 1 << 12 | 1 << 23 | 1;
      }
      case 0x17 -> { // PLATFORM_ID
        if (!intel) {
          return Answer.FAULT;
        }
      }
      case 0x3a -> { // FEATURE_CONTROL: locked.
        if (!intel) {
          return Answer.FAULT;
        }
        value = 1;
      }
      case 0x198, 0x199, 0x19c -> { // PERF_STATUS, PERF_CTL, THERM_STATUS read as zero.
        if (!intel) {
          return Answer.FAULT;
        }
      }
      case 0xc001_0015 -> { // HWCR
        if (!amd) {
          return Answer.FAULT;
        }
      }
      case 0xc001_1029 -> { // DE_CFG: LFENCE serialises.
        if (!amd) {
          return Answer.FAULT;
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
        } else {
          return known(msr) ? Answer.FAULT : Answer.UNKNOWN;
        }
      }
    }
    return Answer.DONE;
  }

  Answer write(Vcpu vcpu, int msr, long v) {
    Cpu cpu = vcpu.cpu;
    switch (msr) {
      case 0xc000_0080 -> { // EFER: Linux writes back what it read.
        return v == cpu.efer ? Answer.DONE : Answer.FAULT;
      }
      case 0xc000_0100, 0xc000_0101, 0xc000_0102 -> {
        if (!Mmu.canonical(v)) {
          return Answer.FAULT;
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
          return Answer.FAULT;
        }
        cpu.tscAux = v;
      }
      case 0x140 -> { // MISC_FEATURES_ENABLES has no bit that exists.
        return v == 0 ? Answer.DONE : Answer.FAULT;
      }
      case 0x8b -> { // Intel: software writes 0 before it reads the microcode's revision.
        return intel && v == 0 ? Answer.DONE : Answer.FAULT;
      }
      case 0x1a0 -> { // MISC_ENABLE: writes of anything else are dropped.
        return intel ? Answer.DONE : Answer.FAULT;
      }
      case 0x199 -> { // PERF_CTL: dropped.
        return intel ? Answer.DONE : Answer.FAULT;
      }
      // MCG_CAP, MCG_STATUS, MCG_CTL.
      case 0x179, 0x17a, 0x17b -> {}
      // MPERF and APERF belong to whoever controls frequencies: dropped.
      case 0xe7, 0xe8 -> {}
      case 0x19a, 0x1b0 -> { // THERM_CONTROL, ENERGY_PERF_BIAS: dropped.
        return intel ? Answer.DONE : Answer.FAULT;
      }
      case 0xc001_0015, 0xc001_1029 -> { // HWCR, DE_CFG: dropped.
        return amd ? Answer.DONE : Answer.FAULT;
      }
      case 0xc001_001f -> {} // NB_CFG: dropped.
      default -> {
        if (msr >= 0x280 && msr <= 0x29f) {
          return Answer.DONE;
        }
        if (msr >= 0x400 && msr <= 0x47f) {
          // CTL sticks to all ones; STATUS, ADDR and MISC take only zero.
          return (msr & 3) == 0 || v == 0 ? Answer.DONE : Answer.FAULT;
        }
        if (amd && (msr >= 0xc001_0041 && msr <= 0xc001_0042 || msr >= 0xc001_0061 && msr <= 0xc001_006b)) {
          return Answer.DONE;
        }
        return known(msr) ? Answer.FAULT : Answer.UNKNOWN;
      }
    }
    return Answer.DONE;
  }

  /**
   * Registers that processors of our kind have, or that kernels probe for, and that Xen answers with #GP: not offered to guests, offered by
   * features that this processor lacks, or left to read_msr's default.
   */
  private static boolean known(int msr) {
    return switch (msr) {
      case 0x06, 0x0d, 0x20, 0x33, 0x34, 0x35, 0x3b, 0x48, 0x49, 0x4e, 0x4f, 0x79, 0x7a, 0x8c, 0x8d, 0x8e, 0x8f, 0xcd, 0xcf, 0xe7, 0xe8,
          0xfe, 0x10a, 0x10b, 0x10f, 0x119, 0x11e, 0x122, 0x123, 0x13c, 0x150, 0x151, 0x174, 0x175, 0x176, 0x180, 0x19a, 0x19b, 0x19d,
          0x1a1, 0x1a2, 0x1a4, 0x1a6, 0x1a7, 0x1aa, 0x1ad, 0x1b0, 0x1b1, 0x1b2, 0x1c4, 0x1c5, 0x1c8, 0x1c9, 0x1d7, 0x1d8, 0x1d9, 0x1db,
          0x1dc, 0x1dd, 0x1de, 0x1fc, 0x250, 0x258, 0x259, 0x2ff, 0x4d0, 0x570, 0x571, 0x572, 0x6a0, 0x6a2, 0x6e0, 0x6e1, 0x770, 0x771,
          0x772, 0x774, 0xd90, 0xda0, 0xc80, 0xc8f, 0xc90 -> true;
      // SYSCALL's own registers belong to Xen, as do the machine's memory layout and the security processor's.
      case 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0xc000_0104, 0xc000_0108 -> true;
      default ->
          msr >= 0x40 && msr <= 0x47 // branch records
              || msr >= 0xc1 && msr <= 0xc8 || msr >= 0x186 && msr <= 0x18d // performance counters
              || msr >= 0x200 && msr <= 0x20f || msr >= 0x268 && msr <= 0x26f // memory types
              || msr >= 0x300 && msr <= 0x3ff // fixed counters, precise events, their control
              || msr >= 0x480 && msr <= 0x493 // VMX
              || msr >= 0x4c1 && msr <= 0x4c8
              || msr >= 0x560 && msr <= 0x587 // trace
              || msr >= 0x600 && msr <= 0x6cf // power limits, branch records
              || msr >= 0x6a4 && msr <= 0x6a8 // shadow stacks
              || msr >= 0x800 && msr <= 0xbff // x2APIC
              || msr >= 0x4000_0001 && msr <= 0x4000_02ff // hypervisors' registers that Xen does not have
              || msr >= 0xc000_0000 && msr <= 0xc000_00ff
              || msr >= 0xc000_0280 && msr <= 0xc000_0410 // AMD: machine check, performance
              || msr >= 0xc000_2000 && msr <= 0xc000_2fff // AMD: scalable machine check
              || msr >= 0xc001_0000 && msr <= 0xc001_02ff // AMD: performance counters, memory layout, SVM, power
              || msr >= 0xc001_1000 && msr <= 0xc001_10ff; // AMD: configuration of units
    };
  }
}
