package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/**
 * What a segment register's hidden part means: limits and rights outside 64-bit mode, and loads from descriptors (AMD64 APM volume 2,
 * chapter 4). Rights are bits 40 to 55 of a descriptor, moved to bit 0.
 */
final class Segments {
  static final int ACCESSED = 1, WRITABLE = 2, READABLE = 2, EXPAND_DOWN = 4, CONFORMING = 4, CODE = 8, NOT_SYSTEM = 0x10, PRESENT = 0x80;
  static final int GRANULAR = 1 << 15;

  private Segments() {}

  static int dpl(int access) {
    return access >>> 5 & 3;
  }

  // ---- Access outside 64-bit mode ----

  /** The linear address of {@code size} bytes at an offset, or #GP(0) or (for SS) #SS(0). */
  static long linear(Cpu c, int segment, long offset, int size, boolean write) {
    int access = c.segmentAccess[segment];
    boolean ok = (access & PRESENT) != 0;
    if (write) {
      ok &= (access & (CODE | WRITABLE)) == WRITABLE;
    } else {
      ok &= (access & (CODE | READABLE)) != CODE;
    }
    long limit = c.segmentLimit[segment] & 0xffff_ffffL;
    long last = offset + size - 1;
    if ((access & (CODE | EXPAND_DOWN)) == EXPAND_DOWN) {
      long top = (access & Cpu.ACCESS_D) != 0 ? 0xffff_ffffL : 0xffff;
      ok &= offset > limit && last <= top;
    } else {
      ok &= last <= limit;
    }
    if (!ok) {
      throw c.fault(segment == Instruction.SS ? Fault.SS : Fault.GP, 0);
    }
    return offset + c.segmentBase[segment] & 0xffff_ffffL;
  }

  /** Whether an instruction writes to its memory operand; one that reads and writes does. */
  static boolean writes(Instruction i) {
    if (i.kind0 != OperandKind.MEM && i.kind0 != OperandKind.MOFFS) {
      return i.mnemonic == Mnemonic.XCHG;
    }
    return switch (i.mnemonic) {
      case CMP, TEST, BT, PUSH, JMP, CALL, JMPF, CALLF, MUL, IMUL, DIV, IDIV, VERR, VERW, NOP, CLFLUSH, PREFETCH, PREFETCHW, PREFETCHNTA,
          PREFETCHT0, PREFETCHT1, PREFETCHT2, LDMXCSR, FXRSTOR, FLD, FILD, FBLD, FLDCW, FLDENV, FRSTOR, FADD, FMUL, FCOM, FCOMP, FSUB,
          FSUBR, FDIV, FDIVR, FIADD, FIMUL, FICOM, FICOMP, FISUB, FISUBR, FIDIV, FIDIVR -> false;
      default -> true;
    };
  }

  // ---- Descriptors ----

  static int access(long descriptor) {
    return (int) (descriptor >>> 40) & 0xf0ff;
  }

  static long base(long descriptor) {
    return descriptor >>> 16 & 0xff_ffff | descriptor >>> 32 & 0xff00_0000L;
  }

  static int limit(long descriptor) {
    int limit = (int) (descriptor & 0xffff | descriptor >>> 32 & 0xf_0000);
    return (access(descriptor) & GRANULAR) != 0 ? limit << 12 | 0xfff : limit;
  }

  static boolean isNull(int selector) {
    return (selector & 0xfffc) == 0;
  }

  /** The descriptor of a selector that is not null, or the fault with the selector as error code. */
  static long descriptor(Cpu c, int selector, int vector) {
    long descriptor = c.descriptors.read(selector);
    if (descriptor == -1) {
      throw c.fault(vector, selector & 0xfffc);
    }
    return descriptor;
  }

  /** Puts a descriptor into a segment register and marks it accessed. */
  static void set(Cpu c, int segment, int selector, long descriptor) {
    if ((access(descriptor) & ACCESSED) == 0) {
      c.descriptors.setAccessed(selector);
    }
    c.selector[segment] = selector;
    c.segmentBase[segment] = base(descriptor);
    c.segmentLimit[segment] = limit(descriptor);
    c.segmentAccess[segment] = access(descriptor) | ACCESSED;
  }

  /**
   * A null selector: unusable outside 64-bit mode. The base stays, as on AMD processors before Zen 2 (those that do not set
   * NullSelectorClearsBase in CPUID 0x80000021).
   */
  static void setNull(Cpu c, int segment, int selector) {
    c.selector[segment] = selector;
    c.segmentLimit[segment] = 0;
    c.segmentAccess[segment] = 0;
  }

  /** MOV, POP, LDS and so on to ES, DS, FS, GS, SS. The caller calls {@link Cpu#refresh} when all is done. */
  static void load(Cpu c, int segment, int selector) {
    if (segment == Instruction.SS) {
      loadStack(c, selector);
      return;
    }
    if (isNull(selector)) {
      setNull(c, segment, selector);
      return;
    }
    long descriptor = descriptor(c, selector, Fault.GP);
    int access = access(descriptor);
    boolean data = (access & (NOT_SYSTEM | CODE)) == NOT_SYSTEM;
    boolean readableCode = (access & (NOT_SYSTEM | CODE | READABLE)) == (NOT_SYSTEM | CODE | READABLE);
    boolean conforming = readableCode && (access & CONFORMING) != 0;
    int dpl = dpl(access);
    if (!data && !readableCode || !conforming && (dpl < c.cpl || dpl < (selector & 3))) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    if ((access & PRESENT) == 0) {
      throw c.fault(Fault.NP, selector & 0xfffc);
    }
    set(c, segment, selector, descriptor);
  }

  private static void loadStack(Cpu c, int selector) {
    if (isNull(selector)) {
      if (c.mode != CpuMode.LONG64 || c.cpl == 3 || (selector & 3) != c.cpl) {
        throw c.fault(Fault.GP, 0);
      }
      setNull(c, Instruction.SS, selector);
      return;
    }
    set(c, Instruction.SS, selector, stackDescriptor(c, selector, c.cpl, Fault.GP));
  }

  /** The descriptor of a selector for SS at a privilege level. */
  static long stackDescriptor(Cpu c, int selector, int cpl, int vector) {
    long descriptor = descriptor(c, selector, vector);
    int access = access(descriptor);
    boolean writableData = (access & (NOT_SYSTEM | CODE | WRITABLE)) == (NOT_SYSTEM | WRITABLE);
    if (!writableData || (selector & 3) != cpl || dpl(access) != cpl) {
      throw c.fault(vector, selector & 0xfffc);
    }
    if ((access & PRESENT) == 0) {
      throw c.fault(Fault.SS, selector & 0xfffc);
    }
    return descriptor;
  }

  /** The descriptor of a selector for CS, for a transfer that keeps the privilege level (JMP, CALL; a return has its own rule for RPL). */
  static long codeDescriptor(Cpu c, int selector, boolean isReturn) {
    if (isNull(selector)) {
      throw c.fault(Fault.GP, 0);
    }
    long descriptor = descriptor(c, selector, Fault.GP);
    int access = access(descriptor);
    if ((access & NOT_SYSTEM) == 0 && !isReturn) {
      gate(c, access, selector);
    }
    boolean code = (access & (NOT_SYSTEM | CODE)) == (NOT_SYSTEM | CODE);
    int rpl = selector & 3;
    int dpl = dpl(access);
    boolean conforming = (access & CONFORMING) != 0;
    boolean privilege;
    if (isReturn) {
      privilege = rpl == c.cpl && (conforming ? dpl <= rpl : dpl == rpl);
    } else {
      privilege = conforming ? dpl <= c.cpl : rpl <= c.cpl && dpl == c.cpl;
    }
    boolean bothSizes = (access & (Cpu.ACCESS_L | Cpu.ACCESS_D)) == (Cpu.ACCESS_L | Cpu.ACCESS_D);
    if (!code || !privilege || bothSizes && (c.efer & Cpu.EFER_LMA) != 0) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    if ((access & PRESENT) == 0) {
      throw c.fault(Fault.NP, selector & 0xfffc);
    }
    return descriptor;
  }

  /** A call gate of 64 bits (type 12) is a thing of its own; other system descriptors cannot be transferred to in long mode. */
  private static void gate(Cpu c, int access, int selector) {
    if ((access & 0xf) != 12 || dpl(access) < c.cpl || dpl(access) < (selector & 3)) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    if ((access & PRESENT) == 0) {
      throw c.fault(Fault.NP, selector & 0xfffc);
    }
    throw c.unimplemented("transfer through call gate, selector 0x" + Integer.toHexString(selector));
  }
}
