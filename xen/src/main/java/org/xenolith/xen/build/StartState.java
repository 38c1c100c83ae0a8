package org.xenolith.xen.build;

import java.util.Random;
import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;
import org.xenolith.xen.Vcpu;

/** The registers of a PV domain's first vcpu (libxenguest: vcpu_x86_64, xg_dom_x86.c; Xen: arch_set_info_guest, arch/x86/domain.c). */
final class StartState {
  /** Flat selectors in Xen's part of the GDT (public header arch-x86/xen-x86_64.h, FLAT_RING3_CS64 and FLAT_RING3_DS64's SS). */
  private static final int CS = 0xe033, SS = 0xe02b;

  /** What those two descriptors say: 64-bit code and flat data, both of ring 3. */
  private static final int CS_ACCESS = 0xa0fb, SS_ACCESS = 0xc0f3;

  private StartState() {}

  /**
   * @param seed 0: registers that mean nothing are 0; else they hold what it makes up
   */
  static void set(Vcpu vcpu, PvDomain built, long seed) {
    Cpu cpu = vcpu.cpu;
    Random leftovers = new Random(seed);
    for (int n = 0; n < 16; n++) {
      cpu.r[n] = seed == 0 ? 0 : leftovers.nextLong();
    }
    cpu.rip = built.entry();
    cpu.r[Cpu.RSP] = built.stackTop();
    cpu.r[Cpu.RSI] = built.startInfoVa();
    cpu.setRflags(Cpu.IF | 2);
    for (int s = 0; s < 6; s++) {
      cpu.selector[s] = 0;
      cpu.segmentBase[s] = 0;
      cpu.segmentLimit[s] = 0;
      cpu.segmentAccess[s] = 0;
    }
    load(cpu, Instruction.CS, CS, CS_ACCESS);
    load(cpu, Instruction.SS, SS, SS_ACCESS);
    vcpu.pv.kernelSp = built.stackTop();
    vcpu.pv.kernelSs = SS;
    vcpu.kernelMode = true;
    vcpu.initialised = true;
    vcpu.state = Vcpu.State.RUNNABLE;
  }

  private static void load(Cpu cpu, int segment, int selector, int access) {
    cpu.selector[segment] = selector;
    cpu.segmentLimit[segment] = -1;
    cpu.segmentAccess[segment] = access;
  }
}
