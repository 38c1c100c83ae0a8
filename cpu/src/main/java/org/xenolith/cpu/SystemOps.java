package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Instructions that touch the system: software interrupts, system calls, the clock, CPUID, flags, and what only privilege level 0 may. */
final class SystemOps {
  private static final Exit SYSCALL = new Exit.Syscall();
  private static final Exit SYSENTER = new Exit.Sysenter();

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
    c.leave(new Exit.Exception(Fault.BP, Fault.NO_ERROR_CODE, 0));
  }

  static void into(Cpu c, Instruction i) {
    if (c.of()) {
      c.leave(new Exit.Exception(Fault.OF, Fault.NO_ERROR_CODE, 0));
    }
  }

  /** INT1 (ICEBP) sets no bit of DR6. */
  static void int1(Cpu c, Instruction i) {
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

  // ---- System calls ----

  static void syscall(Cpu c, Instruction i) {
    if ((c.efer & Cpu.EFER_SCE) == 0) {
      throw c.fault(Fault.UD);
    }
    c.r[Cpu.RCX] = c.rip;
    c.r[Cpu.R11] = c.rflags() & ~Cpu.RF;
    c.leave(SYSCALL);
  }

  /** AMD64 APM volume 3: no such instruction in long mode, compatibility mode included. */
  static void sysenter(Cpu c, Instruction i) {
    if ((c.efer & Cpu.EFER_LMA) != 0) {
      throw c.fault(Fault.UD);
    }
    c.rip = i.address;
    c.leave(SYSENTER);
  }

  static void sysexit(Cpu c, Instruction i) {
    // AMD's processors have no SYSEXIT in long mode, and look at the privilege first.
    if (c.cpl == 0 && (c.efer & Cpu.EFER_LMA) != 0) {
      throw c.fault(Fault.UD);
    }
    privileged(c, i);
  }

  // ---- What only privilege level 0 may ----

  static void privileged(Cpu c, Instruction i) {
    if (c.cpl != 0) {
      throw c.fault(Fault.GP, 0);
    }
    throw c.unimplemented("instruction at privilege level 0: " + i);
  }

  /** CLAC and STAC: #UD outside level 0 (AMD64 APM volume 3). */
  static void privilegedUndefined(Cpu c, Instruction i) {
    if (c.cpl != 0) {
      throw c.fault(Fault.UD);
    }
    privileged(c, i);
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
          c.shadowNext();
        }
      }
    }
  }

  /** IN, OUT, INS, OUTS: by IOPL; there is no I/O permission bitmap. */
  static void inputOutput(Cpu c, Instruction i) {
    if (c.cpl > (c.eflags & Cpu.IOPL) >>> 12) {
      throw c.fault(Fault.GP, 0);
    }
    throw c.unimplemented("port access: " + i);
  }

  /** RDPMC: the model has no counters, and CR4.PCE does not exist. */
  static void rdpmc(Cpu c, Instruction i) {
    throw c.fault(Fault.GP, 0);
  }

  /** SGDT, SIDT, SLDT, STR, SMSW: no UMIP, so any level may. */
  static void smsw(Cpu c, Instruction i) {
    boolean memory = i.kind0 == OperandKind.MEM;
    Operands.write(c, i, i.kind0, i.reg0, memory ? 2 : i.width, c.cr0);
  }

  static void sldt(Cpu c, Instruction i) {
    Operands.write(c, i, i.kind0, i.reg0, i.kind0 == OperandKind.MEM ? 2 : i.width, c.ldtSelector);
  }

  static void str(Cpu c, Instruction i) {
    Operands.write(c, i, i.kind0, i.reg0, i.kind0 == OperandKind.MEM ? 2 : i.width, c.taskSelector);
  }

  static void sgdt(Cpu c, Instruction i) {
    storeTable(c, i, c.gdtBase, c.gdtLimit);
  }

  static void sidt(Cpu c, Instruction i) {
    storeTable(c, i, c.idtBase, c.idtLimit);
  }

  private static void storeTable(Cpu c, Instruction i, long base, int limit) {
    int width = c.mode == CpuMode.LONG64 ? 8 : 4;
    long va = c.ea(i);
    c.mmu.checkWritable(va, 2 + width);
    c.mmu.write16(va, limit);
    c.mmu.write(va + 2, width, base);
  }

  // ---- The processor and its clock ----

  static void cpuid(Cpu c, Instruction i) {
    int[] result = c.scratch;
    c.model.cpuid((int) c.r[Cpu.RAX], (int) c.r[Cpu.RCX], result);
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
  }

  // ---- Caches and hints ----

  static void nothing(Cpu c, Instruction i) {}

  /** CLFLUSH faults like a load of a byte. */
  static void flushLine(Cpu c, Instruction i) {
    c.mmu.checkReadable(c.ea(i), 1);
  }
}
