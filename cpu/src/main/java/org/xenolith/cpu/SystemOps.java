package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/** Instructions that touch the system: software interrupts, the clock, CPUID, flags, and what only privilege level 0 may. */
final class SystemOps {
  private static final Exit HALT = new Exit.Halt();
  private static final Exit HYPERCALL = new Exit.Hypercall();
  private static final Exit BREAKPOINT = new Exit.Exception(Fault.BP, Fault.NO_ERROR_CODE, 0);
  private static final Exit OVERFLOW = new Exit.Exception(Fault.OF, Fault.NO_ERROR_CODE, 0);

  /** What PAUSE adds to the clock, beside its own count. */
  static final int PAUSE_COUNTS = 40;

  private SystemOps() {}

  // ---- Software interrupts and undefined instructions ----

  static void undefined(Cpu c, Instruction i) {
    throw c.fault(Fault.UD);
  }

  static void tooLong(Cpu c, Instruction i) {
    throw c.fault(Fault.GP, 0);
  }

  static void int3(Cpu c, Instruction i) {
    c.softwareLength = i.length;
    c.leave(BREAKPOINT);
  }

  static void into(Cpu c, Instruction i) {
    if (c.of()) {
      c.softwareLength = i.length;
      c.leave(OVERFLOW);
    }
  }

  /** INT1 (ICEBP) sets no bit of DR6. */
  static void int1(Cpu c, Instruction i) {
    c.softwareLength = i.length;
    c.leave(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 0));
  }

  static void interrupt(Cpu c, Instruction i) {
    c.rip = i.address;
    c.leave(new Exit.SoftwareInterrupt((int) i.imm & 0xff, i.length));
  }

  static void bound(Cpu c, Instruction i) {
    int shift = Operands.shift(i.width);
    long va = c.ea(i);
    long index = c.r[i.reg0] << shift >> shift;
    long lower = c.mmu.read(va, i.width) << shift >> shift;
    long upper = c.mmu.read(va + i.width, i.width) << shift >> shift;
    if (index < lower || index > upper) {
      throw c.fault(Fault.BR);
    }
  }

  // ---- What only privilege level 0 may ----

  static void privileged(Cpu c, Instruction i) {
    if (c.cpl != 0) {
      throw c.fault(Fault.GP, 0);
    }
    throw c.unimplemented("instruction at privilege level 0: " + i);
  }

  /** HLT. A single-step trap ends it at once. */
  static void hlt(Cpu c, Instruction i) {
    c.checkPrivileged();
    if ((c.eflags & Cpu.TF) == 0) {
      c.leave(HALT);
    }
  }

  /** VMMCALL: a guest's hypervisor intercepts it at any privilege, whatever CPUID says of SVM (AMD64 APM volume 2, section 15.13). */
  static void vmmcall(Cpu c, Instruction i) {
    if (!c.hypercalls) {
      throw c.fault(Fault.UD);
    }
    c.leave(HYPERCALL);
  }

  /** CLI and STI. */
  static void interruptFlag(Cpu c, Instruction i) {
    if (c.cpl > (c.eflags & Cpu.IOPL) >>> 12) {
      throw c.fault(Fault.GP, 0);
    }
    switch (i.mnemonic) {
      case CLI -> c.eflags &= ~Cpu.IF;
      default -> {
        if ((c.eflags & Cpu.IF) == 0) {
          c.eflags |= Cpu.IF;
          c.interrupts.hold(Interrupts.OF_STI);
        }
      }
    }
  }

  /** RDPMC starts a block, too. */
  static void rdpmc(Cpu c, Instruction i) {
    long counter = c.r[Cpu.RCX] & 0xffff_ffffL;
    if ((c.cr4 & Cpu.CR4_PCE) == 0 && c.cpl != 0 || counter >= PerformanceCounters.COUNTERS) {
      throw c.fault(Fault.GP, 0);
    }
    long count = c.msrs.counters().read((int) counter);
    c.r[Cpu.RAX] = count & 0xffff_ffffL;
    c.r[Cpu.RDX] = count >>> 32;
  }

  // ---- The processor and its clock ----

  static void cpuid(Cpu c, Instruction i) {
    if (c.cpuidFaults && c.cpl != 0) {
      throw c.fault(Fault.GP, 0);
    }
    int[] result = c.scratch;
    c.model.cpuid(c, (int) c.r[Cpu.RAX], (int) c.r[Cpu.RCX], result);
    c.r[Cpu.RAX] = result[0] & 0xffff_ffffL;
    c.r[Cpu.RBX] = result[1] & 0xffff_ffffL;
    c.r[Cpu.RCX] = result[2] & 0xffff_ffffL;
    c.r[Cpu.RDX] = result[3] & 0xffff_ffffL;
  }

  /** RDTSC and RDTSCP start a block, so that the clock is exact. */
  static void rdtsc(Cpu c, Instruction i) {
    if ((c.cr4 & Cpu.CR4_TSD) != 0 && c.cpl != 0) {
      throw c.fault(Fault.GP, 0);
    }
    long count = c.clock.now + c.tscOffset;
    c.r[Cpu.RAX] = count & 0xffff_ffffL;
    c.r[Cpu.RDX] = count >>> 32;
  }

  static void rdtscp(Cpu c, Instruction i) {
    rdtsc(c, i);
    c.r[Cpu.RCX] = c.tscAux & 0xffff_ffffL;
  }

  static void pause(Cpu c, Instruction i) {
    c.clock.now += PAUSE_COUNTS;
    c.paused();
  }

  // ---- Caches and hints ----

  static void nothing(Cpu c, Instruction i) {}

  /** CLFLUSH faults like a load of a byte. */
  static void flushLine(Cpu c, Instruction i) {
    c.mmu.checkReadable(c.ea(i), 1);
  }
}
