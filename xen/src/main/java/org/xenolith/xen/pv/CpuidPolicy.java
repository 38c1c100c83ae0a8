package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.Feature;
import org.xenolith.xen.XenLeaves;

/**
 * The processor as a PV vcpu sees it: what the machine's processor has, less what Xen keeps from PV guests (the marks in the public header
 * arch-x86/cpufeatureset.h; guest_cpuid, arch/x86/cpuid.c), and Xen's own leaves.
 */
public final class CpuidPolicy implements ProcessorModel {
  private static final int EAX = 0, EBX = 1, ECX = 2, EDX = 3;

  // Features that a PV guest may see: those marked A in the header, by leaf and register.
  private static final int LEAF1_EDX = 0x1fc9_cbf5, LEAF1_ECX = 0xf6d8_3203;
  private static final int LEAF7_EBX = 0xf1af_0b29, LEAF7_ECX = 0x0240_5f43, LEAF7_EDX = 0xac80_4410;
  private static final int EXTENDED1_ECX = 0x4421_09e3;

  /** Leaf 0x80000001 repeats some bits of leaf 1 on AMD's processors. */
  private static final int EXTENDED1_EDX = 0xea50_0800 | LEAF1_EDX & 0x0183_f3ff;

  private static final int EXTENDED8_EBX = 0x6400_1005;

  private static final int OSXSAVE = 1 << 27, HYPERVISOR = 1 << 31;

  private final ProcessorModel machine;
  private final XenLeaves leaves;
  private final int machineBits;

  /**
   * @param machine the machine's processor
   * @param frames machine frames of RAM
   */
  public CpuidPolicy(ProcessorModel machine, long frames) {
    this.machine = machine;
    this.leaves = new XenLeaves(machine);
    this.machineBits = 64 - Long.numberOfLeadingZeros(frames - 1) + 12;
  }

  @Override
  public boolean offers(Feature feature) {
    return machine.offers(feature);
  }

  @Override
  public int physicalBits() {
    return machine.physicalBits();
  }

  /** CPUID, by the instruction or by the forced-emulation prefix, in the guest's kernel or user mode (CPUID faulting). */
  @Override
  public void cpuid(Cpu cpu, int leaf, int subleaf, int[] result) {
    result[EAX] = 0;
    result[EBX] = 0;
    result[ECX] = 0;
    result[EDX] = 0;
    if (leaf >>> 9 == 0x4000_0000 >>> 9) {
      if (leaf >>> 8 == 0x4000_0000 >>> 8) {
        xenLeaf(leaf & 0xff, subleaf, result);
      }
      return;
    }
    machine.cpuid(cpu, leaf, subleaf, result);
    switch (leaf) {
      case 1 -> {
        // No APIC identifiers: a PV guest has no APIC.
        result[EBX] &= 0x00ff_ffff;
        result[ECX] = result[ECX] & LEAF1_ECX | HYPERVISOR | ((cpu.cr4 & Cpu.CR4_OSXSAVE) != 0 ? OSXSAVE : 0);
        result[EDX] &= LEAF1_EDX;
      }
      case 5, 6, 0xa, 0xb -> {
        result[EAX] = 0;
        result[EBX] = 0;
        result[ECX] = 0;
        result[EDX] = 0;
      }
      case 7 -> {
        if (subleaf == 0) {
          result[EBX] &= LEAF7_EBX;
          result[ECX] &= LEAF7_ECX;
          result[EDX] &= LEAF7_EDX;
        }
      }
      case 0x8000_0001 -> {
        result[ECX] &= EXTENDED1_ECX;
        result[EDX] &= EXTENDED1_EDX;
      }
      case 0x8000_0007 -> {
        // An invariant TSC is offered only to guests that will never migrate, when asked for (xl's nomigrate).
        result[EAX] = 0;
        result[EBX] = 0;
        result[ECX] = 0;
        result[EDX] = 0;
      }
      case 0x8000_0008 -> result[EBX] &= EXTENDED8_EBX;
      case 0x8000_000a -> {
        result[EAX] = 0;
        result[EBX] = 0;
        result[ECX] = 0;
        result[EDX] = 0;
      }
      default -> {
        // As the machine has it.
      }
    }
  }

  /** Xen's leaves (cpuid_hypervisor_leaves, arch/x86/traps.c). */
  private void xenLeaf(int index, int subleaf, int[] result) {
    leaves.leaf(index, subleaf, result);
    switch (index) {
      case 2 -> result[ECX] = 1; // MMU_PT_UPDATE_PRESERVE_AD
      case 5 -> {
        if (subleaf == 0) {
          result[EBX] = machineBits;
        }
      }
      default -> {
        // As everybody has it. Leaf 4 is for hardware containers.
      }
    }
  }
}
