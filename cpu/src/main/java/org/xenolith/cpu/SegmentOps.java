package org.xenolith.cpu;

import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Instructions on segment registers and selectors. */
final class SegmentOps {
  private SegmentOps() {}

  /** MOV to a segment register. */
  static void load(Cpu c, Instruction i) {
    int selector = (int) Operands.read(c, i, i.kind1, i.reg1, 2);
    Segments.load(c, i.reg0, selector);
    loaded(c, i.reg0);
  }

  static void pop(Cpu c, Instruction i) {
    int selector = (int) Stack.peek(c, 0, 2);
    // The stack pointer moves by the width of the stack segment that was.
    long pointer = Stack.pointer(c, i.width);
    int width = Stack.width(c);
    Segments.load(c, i.reg0, selector);
    Operands.setRegister(c, Cpu.RSP, width, pointer);
    loaded(c, i.reg0);
  }

  private static void loaded(Cpu c, int segment) {
    c.segmentsChanged();
    if (segment == Instruction.SS) {
      c.interrupts.hold(Interrupts.OF_STACK);
    }
  }

  /** MOV from a segment register: 16 bits to memory, zero-extended to a register. */
  static void store(Cpu c, Instruction i) {
    Operands.write(c, i, i.kind0, i.reg0, i.kind0 == OperandKind.MEM ? 2 : i.width, c.selector[i.reg1]);
  }

  /** LSS, LFS, LGS, LES, LDS. */
  static void loadFar(Cpu c, Instruction i) {
    int segment = switch (i.mnemonic) {
      case LES -> Instruction.ES;
      case LDS -> Instruction.DS;
      case LSS -> Instruction.SS;
      case LFS -> Instruction.FS;
      default -> Instruction.GS;
    };
    long va = c.ea(i);
    long offset = c.mmu.read(va, i.width);
    int selector = c.mmu.read16(c.ea(i, i.width));
    Segments.load(c, segment, selector);
    Operands.setRegister(c, i.reg0, i.width, offset);
    c.segmentsChanged();
  }

  // ---- Questions about selectors: ZF tells whether the selector is good ----

  private static void answer(Cpu c, boolean good) {
    c.setArithmeticFlags(c.arithmeticFlags() & ~Cpu.ZF | (good ? Cpu.ZF : 0));
  }

  private static long look(Cpu c, int selector) {
    c.checkProtected();
    return Segments.isNull(selector) ? -1 : c.descriptors.read(selector);
  }

  private static boolean visible(Cpu c, int selector, int access) {
    boolean conforming = (access & (Segments.NOT_SYSTEM | Segments.CODE | Segments.CONFORMING))
        == (Segments.NOT_SYSTEM | Segments.CODE | Segments.CONFORMING);
    return conforming || Segments.dpl(access) >= c.cpl && Segments.dpl(access) >= (selector & 3);
  }

  /** LDT, available or busy TSS: what LSL knows; LAR knows call gates, too. Legacy mode has those of 16 bits, and task gates. */
  private static boolean knownSystem(Cpu c, int access, boolean gates) {
    return switch (access & 0xf) {
      case 2, 9, 11 -> true;
      case 12 -> gates;
      case 1, 3 -> !c.longMode();
      case 4, 5 -> gates && !c.longMode();
      default -> false;
    };
  }

  static void lar(Cpu c, Instruction i) {
    int selector = (int) Operands.read(c, i, i.kind1, i.reg1, 2);
    long descriptor = look(c, selector);
    int access = Segments.access(descriptor);
    boolean good = descriptor != -1 && visible(c, selector, access)
        && ((access & Segments.NOT_SYSTEM) != 0 || knownSystem(c, access, true));
    if (good) {
      Operands.setRegister(c, i.reg0, i.width, descriptor >>> 32 & 0x00ff_ff00);
    }
    answer(c, good);
  }

  static void lsl(Cpu c, Instruction i) {
    int selector = (int) Operands.read(c, i, i.kind1, i.reg1, 2);
    long descriptor = look(c, selector);
    int access = Segments.access(descriptor);
    boolean good = descriptor != -1 && visible(c, selector, access)
        && ((access & Segments.NOT_SYSTEM) != 0 || knownSystem(c, access, false));
    if (good) {
      Operands.setRegister(c, i.reg0, i.width, Segments.limit(descriptor) & 0xffff_ffffL);
    }
    answer(c, good);
  }

  static void verr(Cpu c, Instruction i) {
    int selector = (int) Operands.read(c, i, i.kind0, i.reg0, 2);
    long descriptor = look(c, selector);
    int access = Segments.access(descriptor);
    answer(c, descriptor != -1 && (access & Segments.NOT_SYSTEM) != 0 && visible(c, selector, access)
        && (access & (Segments.CODE | Segments.READABLE)) != Segments.CODE);
  }

  static void verw(Cpu c, Instruction i) {
    int selector = (int) Operands.read(c, i, i.kind0, i.reg0, 2);
    long descriptor = look(c, selector);
    int access = Segments.access(descriptor);
    answer(c, descriptor != -1 && visible(c, selector, access)
        && (access & (Segments.NOT_SYSTEM | Segments.CODE | Segments.WRITABLE)) == (Segments.NOT_SYSTEM | Segments.WRITABLE));
  }

  /** Outside 64-bit mode only. Memory is written only if the privilege level is raised. */
  static void arpl(Cpu c, Instruction i) {
    c.checkProtected();
    long source = c.r[i.reg1] & 3;
    boolean memory = i.kind0 == OperandKind.MEM;
    long va = memory ? c.ea(i) : 0;
    long value = memory ? c.mmu.read16(va) : c.r[i.reg0] & 0xffff;
    boolean raise = (value & 3) < source;
    if (raise) {
      value = value & ~3L | source;
      if (memory) {
        c.mmu.write(va, 2, value);
      } else {
        Operands.setRegister(c, i.reg0, 2, value);
      }
    }
    answer(c, raise);
  }
}
