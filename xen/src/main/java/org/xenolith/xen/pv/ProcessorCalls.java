package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Fault;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Instruction;
import org.xenolith.xen.Errno;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;

/** stack_switch, fpu_taskswitch, set_debugreg, get_debugreg and set_segment_base (pv/misc-hypercalls.c). */
final class ProcessorCalls {
  private static final int SEGBASE_FS = 0, SEGBASE_GS_USER = 1, SEGBASE_GS_KERNEL = 2, SEGBASE_GS_USER_SEL = 3;

  private ProcessorCalls() {}

  static void register(Hypercalls calls) {
    calls.set(3, ProcessorCalls::stackSwitch);
    calls.set(5, ProcessorCalls::fpuTaskSwitch);
    calls.set(8, (vcpu, args) -> DebugRegisters.set(vcpu, (int) args[0], args[1]));
    calls.set(9, (vcpu, args) -> DebugRegisters.readable(vcpu, (int) args[0]) ? DebugRegisters.get(vcpu, (int) args[0]) : -Errno.ENODEV);
    calls.set(25, ProcessorCalls::setSegmentBase);
  }

  private static long stackSwitch(Vcpu vcpu, long[] args) {
    vcpu.pv.kernelSs = (int) args[0] & 0xffff | 3;
    vcpu.pv.kernelSp = args[1];
    return 0;
  }

  private static long fpuTaskSwitch(Vcpu vcpu, long[] args) {
    boolean set = (int) args[0] != 0;
    vcpu.pv.taskSwitched = set;
    vcpu.cpu.cr0 = set ? vcpu.cpu.cr0 | Cpu.CR0_TS : vcpu.cpu.cr0 & ~Cpu.CR0_TS;
    return 0;
  }

  private static long setSegmentBase(Vcpu vcpu, long[] args) {
    Cpu cpu = vcpu.cpu;
    long base = args[1];
    int which = (int) args[0];
    if (which >= SEGBASE_FS && which <= SEGBASE_GS_KERNEL && !Mmu.canonical(base)) {
      return -Errno.EINVAL;
    }
    switch (which) {
      case SEGBASE_FS -> cpu.segmentBase[Instruction.FS] = base;
      case SEGBASE_GS_USER -> cpu.kernelGsBase = base;
      case SEGBASE_GS_KERNEL -> cpu.segmentBase[Instruction.GS] = base;
      case SEGBASE_GS_USER_SEL -> loadUserGs(cpu, (int) base & 0xffff);
      default -> {
        return -Errno.EINVAL;
      }
    }
    cpu.refresh();
    return 0;
  }

  /** Loads GS for the guest's user mode; a selector that does not do becomes null, as guests rely on. */
  private static void loadUserGs(Cpu cpu, int wanted) {
    int selector = wanted > 3 ? wanted | 3 : wanted;
    long base = 0;
    int limit = 0;
    int rights = 0;
    if (selector > 3) {
      long descriptor = -1;
      try {
        descriptor = cpu.descriptors.read(selector);
      } catch (Fault f) {
        selector = 0;
      }
      int r = descriptor == -1 ? 0 : Selectors.rights(descriptor);
      // Data, or code that can be read, of privilege 3 and present.
      boolean usable = (r & 0x90) == 0x90 && ((r & 8) == 0 || (r & 2) != 0) && ((r >>> 5 & 3) == 3 || (r & 0xc) == 0xc);
      if (usable) {
        base = Selectors.base(descriptor);
        limit = Selectors.limit(descriptor);
        rights = r | 1;
        cpu.descriptors.setAccessed(selector);
      } else {
        selector = 0;
      }
    }
    cpu.selector[Instruction.GS] = selector;
    cpu.segmentLimit[Instruction.GS] = limit;
    cpu.segmentAccess[Instruction.GS] = rights;
    cpu.kernelGsBase = base;
  }
}
