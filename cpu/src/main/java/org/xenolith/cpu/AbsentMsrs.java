package org.xenolith.cpu;

/**
 * Model-specific registers that kernels try on the chance that there is one, and that the modelled processor (AMD family 0Fh with what
 * {@link AmdModel} offers) has not: RDMSR and WRMSR raise #GP(0). Names as in Linux, arch/x86/include/asm/msr-index.h.
 */
final class AbsentMsrs {
  /** First and last of each run of registers, in order as unsigned numbers. */
  private static final int[] RANGES = {
    0x17, 0x17, // IA32_PLATFORM_ID: Intel's
    0x1b, 0x1b, // APIC_BASE: where the platform has no local APIC
    0x33, 0x34, // TEST_CTRL, SMI_COUNT: Intel's
    0x3a, 0x3a, // IA32_FEAT_CTL: Intel's
    0x48, 0x49, // IA32_SPEC_CTRL, IA32_PRED_CMD: no IBRS, IBPB, STIBP or SSBD in CPUID
    0x4e, 0x4f, // MSR_PPIN_CTL, MSR_PPIN: Intel's
    0x79, 0x79, // IA32_UCODE_WRITE: Intel's
    0xc1, 0xc8, // performance counters: Intel's architectural ones
    0xcd, 0xcf, // FSB_FREQ, PLATFORM_INFO, IA32_CORE_CAPS: Intel's
    0xe1, 0xe2, // IA32_UMWAIT_CONTROL, PKG_CST_CONFIG_CONTROL: Intel's
    0xe7, 0xe8, // MPERF, APERF: not in CPUID
    0x10a, 0x10b, // IA32_ARCH_CAPABILITIES, IA32_FLUSH_CMD: not in CPUID
    0x119, 0x119, // BBL_CR_CTL: Intel's
    0x11e, 0x11e, // BBL_CR_CTL3: Intel's
    0x122, 0x123, // IA32_TSX_CTRL, IA32_MCU_OPT_CTRL: Intel's
    0x140, 0x140, // MISC_FEATURES_ENABLES: Intel's
    0x186, 0x18d, // event selectors: Intel's architectural ones
    0x198, 0x1a0, // PERF_STATUS to IA32_MISC_ENABLE: Intel's
    0x1a2, 0x1ad, // temperature target, prefetch, offcore, turbo: Intel's
    0x1b0, 0x1b2, // IA32_ENERGY_PERF_BIAS, package thermal status: Intel's
    0x1c4, 0x1c9, // IA32_XFD, LBR_SELECT, LASTBRANCH_TOS: Intel's
    0x1fc, 0x1fc, // POWER_CTL: Intel's
    0x280, 0x29f, // MCi_CTL2: Intel's
    0x309, 0x30c, // fixed counters: Intel's
    0x345, 0x345, // IA32_PERF_CAPABILITIES: no PDCM in CPUID
    0x38d, 0x390, // global control of counters: Intel's
    0x414, 0x47f, // machine-check banks beyond MCG_CAP
    0x480, 0x491, // VMX
    0x4c1, 0x4c8, // full-width aliases of counters: Intel's
    0x570, 0x587, // processor trace: Intel's
    0x600, 0x6bf, // debug store, power limits, last branches, CET
    0x6e0, 0x6e0, // IA32_TSC_DEADLINE, likewise
    0x770, 0x777, // hardware P-states: Intel's
    0x800, 0x8ff, // x2APIC, likewise
    0xd90, 0xd90, // IA32_BNDCFGS: MPX
    0xda0, 0xda0, // IA32_XSS: no XSAVES
    0x4000_0000, 0x4000_ffff, // hypervisors': where the platform has none
    0xc000_00e7, 0xc000_00e9, // read-only MPERF and APERF, IRPERF: not in CPUID
    0xc000_0104, 0xc000_0104, // TSC_RATIO: SVM
    0xc000_010e, 0xc000_010f, // last branch stack of version 2
    0xc000_0300, 0xc000_0302, // counters of version 2
    0xc000_0408, 0xc000_040f, // MC4_MISC of family 10h
    0xc000_2000, 0xc000_2fff, // scalable machine check
    0xc001_0041, 0xc001_0042, // FIDVID: no power management in CPUID
    0xc001_0058, 0xc001_0058, // MMIO_CONF_BASE: family 10h
    0xc001_0061, 0xc001_006b, // P-states: family 10h
    0xc001_0114, 0xc001_011f, // SVM, SEV, VIRT_SPEC_CTRL
    0xc001_0130, 0xc001_0131, // SEV
    0xc001_0140, 0xc001_0141, // OSVW: not in CPUID
    0xc001_0200, 0xc001_020b, // core counters of family 15h
    0xc001_0230, 0xc001_024f, // L2 and northbridge counters
    0xc001_0280, 0xc001_0280, // PTSC
    0xc001_0292, 0xc001_029b, // power: family 17h
    0xc001_02b0, 0xc001_02b4, // CPPC
    0xc001_02f0, 0xc001_02f1, // PPIN
    0xc001_1004, 0xc001_1005, // CPUID overrides: later families
    0xc001_100c, 0xc001_100d, // NODE_ID, and CPUID's extended override
    0xc001_1019, 0xc001_101b, // address masks of breakpoints
    0xc001_1020, 0xc001_1023, // LS_CFG, IC_CFG, DC_CFG, TW_CFG: later families
    0xc001_1027, 0xc001_102c, // address mask of breakpoint 0, FP_CFG, DE_CFG, BU_CFG2, EX_CFG: later families
    0xc001_1030, 0xc001_103d, // IBS
  };

  private AbsentMsrs() {}

  static boolean contains(int msr) {
    for (int n = 0; n < RANGES.length; n += 2) {
      if (Integer.compareUnsigned(msr, RANGES[n]) >= 0 && Integer.compareUnsigned(msr, RANGES[n + 1]) <= 0) {
        return true;
      }
    }
    return false;
  }
}
