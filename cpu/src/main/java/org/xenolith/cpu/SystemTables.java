package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Instructions on the registers of descriptor tables and of the task (AMD64 APM volume 2, section 4.6 and 12.2). */
final class SystemTables {
  /** Types of system descriptors. A TSS's second bit tells that it is busy. */
  static final int TSS16 = 1, LDT = 2, BUSY = 2, TSS32 = 9;

  private SystemTables() {}

  // ---- Stores: any privilege level, with CR4.UMIP only 0 ----

  private static void checkUmip(Cpu c) {
    if ((c.cr4 & Cpu.CR4_UMIP) != 0 && c.cpl != 0) {
      throw c.fault(Fault.GP, 0);
    }
  }

  static void smsw(Cpu c, Instruction i) {
    checkUmip(c);
    c.platform.privileged(Platform.Privileged.CONTROL_REGISTER, 0);
    store(c, i, c.cr0);
  }

  static void sldt(Cpu c, Instruction i) {
    c.checkProtected();
    checkUmip(c);
    store(c, i, c.ldtSelector);
  }

  static void str(Cpu c, Instruction i) {
    c.checkProtected();
    checkUmip(c);
    store(c, i, c.taskSelector);
  }

  private static void store(Cpu c, Instruction i, long value) {
    Operands.write(c, i, i.kind0, i.reg0, i.kind0 == OperandKind.MEM ? 2 : i.width, value);
  }

  static void sgdt(Cpu c, Instruction i) {
    checkUmip(c);
    storeTable(c, i, c.gdtBase, c.gdtLimit);
  }

  static void sidt(Cpu c, Instruction i) {
    checkUmip(c);
    storeTable(c, i, c.idtBase, c.idtLimit);
  }

  private static void storeTable(Cpu c, Instruction i, long base, int limit) {
    int width = c.mode == CpuMode.LONG64 ? 8 : 4;
    long va = c.ea(i);
    c.mmu.checkWritable(va, 2 + width);
    c.mmu.write16(va, limit);
    c.mmu.write(va + 2, width, base);
  }

  // ---- Loads: privilege level 0 ----

  static void lgdt(Cpu c, Instruction i) {
    long base = tableBase(c, i);
    c.gdtLimit = c.mmu.read16(c.ea(i));
    c.gdtBase = base;
  }

  static void lidt(Cpu c, Instruction i) {
    long base = tableBase(c, i);
    c.idtLimit = c.mmu.read16(c.ea(i));
    c.idtBase = base;
  }

  /** The base in a pseudo-descriptor: 8 bytes in 64-bit mode, else 4, of which an operand size of 16 bits leaves out the last. */
  private static long tableBase(Cpu c, Instruction i) {
    c.checkPrivileged();
    boolean wide = c.mode == CpuMode.LONG64;
    c.mmu.checkReadable(c.ea(i), wide ? 10 : 6);
    long base = c.mmu.read(c.ea(i, 2), wide ? 8 : 4);
    if (!Mmu.canonical(base)) {
      throw c.fault(Fault.GP, 0);
    }
    boolean narrow = !wide && (i.mode == CpuMode.CODE16) != i.has(Instruction.OPERAND_SIZE);
    return narrow ? base & 0xff_ffff : base;
  }

  static void lldt(Cpu c, Instruction i) {
    c.checkProtected();
    c.checkPrivileged();
    int selector = (int) Operands.read(c, i, i.kind0, i.reg0, 2);
    if (Segments.isNull(selector)) {
      c.ldtSelector = selector;
      c.ldtAccess = 0;
      return;
    }
    long descriptor = system(c, selector);
    int access = Segments.access(descriptor);
    if ((access & 0x1f) != LDT) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    checkPresent(c, selector, access);
    long base = base(c, selector, descriptor);
    c.ldtSelector = selector;
    c.ldtBase = base;
    c.ldtLimit = Segments.limit(descriptor);
    c.ldtAccess = access;
  }

  /** Marks the task state segment busy. */
  static void ltr(Cpu c, Instruction i) {
    c.checkProtected();
    c.checkPrivileged();
    int selector = (int) Operands.read(c, i, i.kind0, i.reg0, 2);
    if (Segments.isNull(selector)) {
      throw c.fault(Fault.GP, 0);
    }
    long descriptor = system(c, selector);
    int access = Segments.access(descriptor);
    int type = access & 0x1f;
    if (type != TSS32 && (type != TSS16 || c.longMode())) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    checkPresent(c, selector, access);
    long base = base(c, selector, descriptor);
    long va = c.gdtBase + (selector & ~7) + 5;
    SystemAccess.write(c, va, 1, SystemAccess.read(c, va, 1) | BUSY);
    c.taskSelector = selector;
    c.taskBase = base;
    c.taskLimit = Segments.limit(descriptor);
    c.taskAccess = access | BUSY;
  }

  /** The descriptor of a selector, which must be of the global table. */
  private static long system(Cpu c, int selector) {
    if ((selector & 4) != 0) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    return Segments.descriptor(c, selector, Fault.GP);
  }

  private static void checkPresent(Cpu c, int selector, int access) {
    if ((access & Segments.PRESENT) == 0) {
      throw c.fault(Fault.NP, selector & 0xfffc);
    }
  }

  /** The base of a system segment: in long mode its descriptor has 16 bytes. */
  private static long base(Cpu c, int selector, long descriptor) {
    if (!c.longMode()) {
      return Segments.base(descriptor);
    }
    long base = Segments.base(descriptor) | Segments.upper(c, selector) << 32;
    if (!Mmu.canonical(base)) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    return base;
  }
}
