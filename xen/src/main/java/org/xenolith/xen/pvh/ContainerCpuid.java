package org.xenolith.xen.pvh;

import java.util.Arrays;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.Feature;
import org.xenolith.xen.XenLeaves;

/**
 * The processor as a container's vcpu sees it: what the machine's processor has, less what Xen keeps from containers (the marks in the
 * public header arch-x86/cpufeatureset.h; guest_cpuid, arch/x86/cpuid.c), with the topology that a toolstack makes up
 * (xc_cpuid_apply_policy, libxenguest), and Xen's own leaves. Every CPUID leaves the guest, so it counts.
 */
final class ContainerCpuid implements ProcessorModel {
  private static final int EAX = 0, EBX = 1, ECX = 2, EDX = 3;

  // Features that a container with hardware-assisted paging may see: those marked A, S or H in the header, by leaf and register.
  private static final int LEAF1_EDX = 0x1fcb_fbff, LEAF1_ECX = 0xf7fa_3203;
  private static final int LEAF7_EBX = 0xfdbf_0fab, LEAF7_ECX = 0x0240_5f4f, LEAF7_EDX = 0xbc00_441c;
  private static final int EXTENDED1_ECX = 0x0421_09f3;

  /** Leaf 0x80000001 repeats some bits of leaf 1 on AMD's processors. */
  private static final int EXTENDED1_EDX = 0xee50_0800 | LEAF1_EDX & 0x0183_f3ff;

  private static final int EXTENDED8_EBX = 0x751f_d005;

  private static final int APIC = 1 << 9, HTT = 1 << 28, OSXSAVE = 1 << 27, HYPERVISOR = 1 << 31, CMP_LEGACY = 1 << 1;

  /** Bits of leaf 0x40000004: mappings for devices are right, the vcpu's and the domain's number follow, vcpus have upcall vectors. */
  private static final int IOMMU_MAPPINGS = 1 << 2, VCPU_ID_PRESENT = 1 << 3, DOMID_PRESENT = 1 << 4, UPCALL_VECTOR = 1 << 6;

  private final ProcessorModel machine;
  private final XenLeaves leaves;
  private final int domid;
  private final int vcpu;

  /** Whether the local APIC is switched off in IA32_APIC_BASE. */
  interface Apic {
    boolean enabled();
  }

  private Apic apic = () -> true;

  /** How often CPUID was executed. */
  long executed;

  /** @param machine the machine's processor */
  ContainerCpuid(ProcessorModel machine, int domid, int vcpu) {
    this.machine = machine;
    this.leaves = new XenLeaves(machine);
    this.domid = domid;
    this.vcpu = vcpu;
  }

  void apic(Apic of) {
    apic = of;
  }

  /** The local APIC's number of a vcpu: none is another's second thread. */
  static int apicId(int vcpu) {
    return 2 * vcpu;
  }

  @Override
  public boolean offers(Feature feature) {
    return machine.offers(feature);
  }

  @Override
  public int physicalBits() {
    return machine.physicalBits();
  }

  @Override
  public void cpuid(Cpu cpu, int leaf, int subleaf, int[] result) {
    executed++;
    Arrays.fill(result, 0);
    if (leaf >>> 9 == XenLeaves.BASE >>> 9) {
      if (leaf >>> 8 == XenLeaves.BASE >>> 8) {
        xenLeaf(leaf & 0xff, subleaf, result);
      }
      return;
    }
    machine.cpuid(cpu, leaf, subleaf, result);
    switch (leaf) {
      case 1 -> {
        // Twice as many numbers as there may be processors in a package.
        int threads = Math.max(1, result[EBX] >>> 16 & 0xff);
        threads = (threads & 0x80) != 0 ? threads : 2 * threads;
        result[EBX] = result[EBX] & 0xff00 | threads << 16 | apicId(vcpu) << 24;
        boolean osxsave = (cpu.cr4 & Cpu.CR4_OSXSAVE) != 0;
        result[ECX] = result[ECX] & LEAF1_ECX | HYPERVISOR | (osxsave ? OSXSAVE : 0);
        result[EDX] = result[EDX] & LEAF1_EDX & hidden() | HTT;
      }
      case 5, 6, 0xa -> Arrays.fill(result, 0);
      case 7 -> {
        if (subleaf == 0) {
          result[EBX] &= LEAF7_EBX;
          result[ECX] &= LEAF7_ECX;
          result[EDX] &= LEAF7_EDX;
        }
      }
      case 0xb -> {
        result[ECX] = result[ECX] & ~0xff | subleaf & 0xff;
        result[EDX] = apicId(vcpu);
      }
      case 0x8000_0001 -> {
        result[ECX] &= EXTENDED1_ECX & ~CMP_LEGACY;
        result[EDX] &= EXTENDED1_EDX & hidden();
      }
      // An invariant TSC is offered only to guests that will never migrate, when asked for; and nothing of thermal sensors.
      case 0x8000_0007, 0x8000_000a -> Arrays.fill(result, 0);
      case 0x8000_0008 -> {
        result[EBX] &= EXTENDED8_EBX;
        result[ECX] = cores(result[ECX]);
      }
      default -> {
        // As the machine has it.
      }
    }
  }

  private int hidden() {
    return apic.enabled() ? -1 : ~APIC;
  }

  /** Number of cores less one and bits of an APIC identifier that number them: each twice as large as the machine's, as far as they may. */
  private static int cores(int ecx) {
    int count = ecx & 0xff;
    int bits = ecx >>> 12 & 0xf;
    if (count < 0x7f) {
      bits = bits != 0 && bits < 7 ? bits + 1 : bits;
      count = count << 1 | 1;
    }
    return ecx & ~0xf0ff | bits << 12 | count;
  }

  private void xenLeaf(int index, int subleaf, int[] result) {
    leaves.leaf(index, subleaf, result);
    if (index == 4 && subleaf == 0) {
      result[EAX] = IOMMU_MAPPINGS | VCPU_ID_PRESENT | DOMID_PRESENT | UPCALL_VECTOR;
      result[EBX] = vcpu;
      result[ECX] = domid;
    }
  }
}
