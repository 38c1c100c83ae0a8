package org.xenolith.xen;

import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.Feature;
import org.xenolith.xen.time.TimeKeeper;

/**
 * CPUID leaves 0x40000000 to 0x40000003, as PV guests and containers get them alike (public header arch-x86/cpuid.h;
 * cpuid_hypervisor_leaves, arch/x86/traps.c).
 */
public final class XenLeaves {
  /** The version that XENVER_version and leaf 0x40000001 tell. */
  public static final int MAJOR = 4, MINOR = 17;

  /** The first leaf, and the model-specific register for the hypercall page. */
  public static final int BASE = 0x4000_0000;

  private static final int EAX = 0, EBX = 1, ECX = 2, EDX = 3;
  private static final int TSC_KHZ = 1_000_000;

  private final ProcessorModel machine;

  /** @param machine the machine's processor */
  public XenLeaves(ProcessorModel machine) {
    this.machine = machine;
  }

  /**
   * Fills in a leaf; {@code result} holds zeroes.
   *
   * @param index the leaf less {@link #BASE}
   */
  public void leaf(int index, int subleaf, int[] result) {
    switch (index) {
      case 0 -> {
        result[EAX] = 0x4000_0005;
        result[EBX] = 0x566e_6558; // XenV
        result[ECX] = 0x65584d4d; // MMXe
        result[EDX] = 0x4d4d_566e; // nVMM
      }
      case 1 -> result[EAX] = MAJOR << 16 | MINOR;
      case 2 -> {
        result[EAX] = 1;
        result[EBX] = BASE;
      }
      case 3 -> time(subleaf, result);
      default -> {
        // Leaves 4 and 5 depend on the guest's kind; the rest does not exist.
      }
    }
  }

  private void time(int subleaf, int[] result) {
    switch (subleaf) {
      case 0 -> {
        // The TSC is safe and RDTSCP exists; nothing is emulated.
        result[EAX] = 2 | (machine.offers(Feature.RDTSCP) ? 4 : 0);
        result[ECX] = TSC_KHZ;
        result[EDX] = 1;
      }
      case 1 -> {
        result[ECX] = TimeKeeper.TSC_TO_NS_MULTIPLIER;
        result[EDX] = TimeKeeper.TSC_TO_NS_SHIFT;
      }
      case 2 -> result[EAX] = TSC_KHZ;
      default -> {
        // No more of them.
      }
    }
  }
}
