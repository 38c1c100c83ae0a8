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

  /** Rights after INIT: present, accessed, readable code or writable data. */
  static final int REAL_CODE = 0x9b, REAL_DATA = 0x93;

  private Segments() {}

  static int dpl(int access) {
    return access >>> 5 & 3;
  }

  // ---- Access outside 64-bit mode ----

  /** The linear address of {@code size} bytes at an offset, or #GP(0) or (for SS) #SS(0). */
  static long linear(Cpu c, int segment, long offset, int size, boolean write) {
    int access = c.segmentAccess[segment];
    boolean ok = (access & PRESENT) != 0;
    if (!c.protectedMode()) {
      // Real mode knows limits only.
      ok = true;
    } else if (write) {
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
          PREFETCHT0, PREFETCHT1, PREFETCHT2, LDMXCSR, FXRSTOR, XRSTOR, LMSW, INVLPG,
          FLD, FILD, FBLD, FLDCW, FLDENV, FRSTOR, FADD, FMUL, FCOM, FCOMP, FSUB,
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

  /** The upper half of a system descriptor, which has 16 bytes in long mode (AMD64 APM volume 2, section 4.8.3). */
  static long upper(Cpu c, int selector) {
    long upper = c.descriptors.read(selector + 8);
    if (upper == -1 || (upper & 0x1f00_0000_0000L) != 0) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    return upper & 0xffff_ffffL;
  }

  /** Marks a descriptor accessed. This may fault: to be done before anything of the transfer happens. */
  static void touch(Cpu c, int selector, long descriptor) {
    if ((access(descriptor) & ACCESSED) == 0) {
      c.descriptors.setAccessed(selector);
    }
  }

  /** Puts a descriptor that was {@link #touch touched} into a segment register. */
  static void put(Cpu c, int segment, int selector, long descriptor) {
    c.selector[segment] = selector;
    c.segmentBase[segment] = base(descriptor);
    c.segmentLimit[segment] = limit(descriptor);
    c.segmentAccess[segment] = access(descriptor) | ACCESSED;
  }

  /** Puts a descriptor into a segment register and marks it accessed. */
  static void set(Cpu c, int segment, int selector, long descriptor) {
    touch(c, selector, descriptor);
    put(c, segment, selector, descriptor);
  }

  /** Real mode's load: the base follows the selector, limit and rights stay (AMD64 APM volume 2, section 4.1). */
  static void setReal(Cpu c, int segment, int selector) {
    c.selector[segment] = selector;
    c.segmentBase[segment] = (long) selector << 4;
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
    if (!c.protectedMode()) {
      setReal(c, segment, selector);
      return;
    }
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

  /** The descriptor of a selector that is the target of a far transfer: code, or a gate. */
  static long targetDescriptor(Cpu c, int selector) {
    if (isNull(selector)) {
      throw c.fault(Fault.GP, 0);
    }
    return descriptor(c, selector, Fault.GP);
  }

  static boolean isCode(int access) {
    return (access & (NOT_SYSTEM | CODE)) == (NOT_SYSTEM | CODE);
  }

  /** Checks that JMP or CALL may enter a code segment, at the current privilege level. */
  static void checkCode(Cpu c, int selector, int access) {
    int dpl = dpl(access);
    boolean privilege = (access & CONFORMING) != 0 ? dpl <= c.cpl : (selector & 3) <= c.cpl && dpl == c.cpl;
    checkCode(c, selector, access, privilege);
  }

  /** Checks that RET or IRET may enter a code segment at the privilege level of its selector, which is not below the current. */
  static void checkReturn(Cpu c, int selector, int access) {
    int rpl = selector & 3;
    int dpl = dpl(access);
    checkCode(c, selector, access, rpl >= c.cpl && ((access & CONFORMING) != 0 ? dpl <= rpl : dpl == rpl));
  }

  private static void checkCode(Cpu c, int selector, int access, boolean privilege) {
    boolean bothSizes = (access & (Cpu.ACCESS_L | Cpu.ACCESS_D)) == (Cpu.ACCESS_L | Cpu.ACCESS_D);
    if (!isCode(access) || !privilege || bothSizes && c.longMode()) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    if ((access & PRESENT) == 0) {
      throw c.fault(Fault.NP, selector & 0xfffc);
    }
  }

  /**
   * Makes data segments null that a return to privilege level {@code level} must not leave behind: those of more privileged levels (AMD64
   * APM volume 3, IRET and RETF).
   */
  static void dropInner(Cpu c, int level) {
    for (int s = 0; s < 6; s++) {
      int access = c.segmentAccess[s];
      boolean conforming = isCode(access) && (access & CONFORMING) != 0;
      if (s != Instruction.CS && s != Instruction.SS && !isNull(c.selector[s]) && !conforming && dpl(access) < level) {
        setNull(c, s, 0);
      }
    }
  }
}
