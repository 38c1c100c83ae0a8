package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * The stack. Its pointer is RSP in 64-bit mode, else ESP or SP by the B bit of SS. A non-canonical stack address is #SS(0), which {@link
 * Cpu} sees to.
 */
final class Stack {
  private Stack() {}

  // ---- For all instructions that use the stack ----

  /** Pushes {@code width} bytes. */
  static void push(Cpu c, int width, long value) {
    long pointer = pointer(c, -width);
    c.mmu.write(address(c, pointer, width, true), width, value);
    setPointer(c, pointer);
  }

  /** What is {@code depth} bytes above the top of the stack, zero-extended. */
  static long peek(Cpu c, int depth, int width) {
    return c.mmu.read(address(c, pointer(c, depth), width, false), width);
  }

  /** Moves the stack pointer by {@code bytes}. */
  static void adjust(Cpu c, long bytes) {
    setPointer(c, pointer(c, bytes));
  }

  /** The stack pointer plus {@code bytes}, wrapped to its width. */
  static long pointer(Cpu c, long bytes) {
    return c.r[Cpu.RSP] + bytes & mask(c);
  }

  static void setPointer(Cpu c, long pointer) {
    if (c.mode == CpuMode.LONG64) {
      c.r[Cpu.RSP] = pointer;
    } else {
      Operands.setRegister(c, Cpu.RSP, width(c), pointer);
    }
  }

  /** Width of the stack pointer in bytes. */
  static int width(Cpu c) {
    return c.mode == CpuMode.LONG64 ? 8 : (c.segmentAccess[Instruction.SS] & Cpu.ACCESS_D) != 0 ? 4 : 2;
  }

  static long mask(Cpu c) {
    return -1L >>> Operands.shift(width(c));
  }

  /** The linear address of a stack pointer. */
  static long address(Cpu c, long pointer, int size, boolean write) {
    return c.mode == CpuMode.LONG64 ? pointer : Segments.linear(c, Instruction.SS, pointer, size, write);
  }

  // ---- PUSH and POP ----

  static Op push(Instruction i) {
    int register = i.reg0;
    if (i.width == 8 && i.kind0 == OperandKind.GPR) {
      return (c, n) -> {
        long sp = c.r[Cpu.RSP] - 8;
        c.mmu.write64(sp, c.r[register]);
        c.r[Cpu.RSP] = sp;
      };
    }
    return switch (i.kind0) {
      case SEG -> (c, n) -> push(c, n.width, c.selector[n.reg0]);
      default -> (c, n) -> push(c, n.width, Operands.read0(c, n));
    };
  }

  static Op pop(Instruction i) {
    int register = i.reg0;
    if (i.width == 8 && i.kind0 == OperandKind.GPR) {
      return (c, n) -> {
        long sp = c.r[Cpu.RSP];
        long value = c.mmu.read64(sp);
        c.r[Cpu.RSP] = sp + 8;
        c.r[register] = value;
      };
    }
    return switch (i.kind0) {
      case SEG -> SegmentOps::pop;
      case MEM -> Stack::popMemory;
      default -> (c, n) -> {
        long value = peek(c, 0, n.width);
        adjust(c, n.width);
        Operands.write0(c, n, value);
      };
    };
  }

  /** The destination's address is computed with the stack pointer as it is after the pop. */
  private static void popMemory(Cpu c, Instruction i) {
    long value = peek(c, 0, i.width);
    long before = c.r[Cpu.RSP];
    adjust(c, i.width);
    long after = c.r[Cpu.RSP];
    long va = c.ea(i);
    c.r[Cpu.RSP] = before;
    c.mmu.write(va, i.width, value);
    c.r[Cpu.RSP] = after;
  }

  static void pusha(Cpu c, Instruction i) {
    int width = i.width;
    // All eight or none.
    long lowest = pointer(c, -8L * width);
    for (int k = 7; k >= 0; k--) {
      c.mmu.checkWritable(address(c, pointer(c, (k - 8L) * width), width, true), width);
    }
    for (int k = 7; k >= 0; k--) {
      c.mmu.write(address(c, pointer(c, (k - 8L) * width), width, true), width, c.r[7 - k]);
    }
    setPointer(c, lowest);
  }

  static void popa(Cpu c, Instruction i) {
    int width = i.width;
    // All eight or none. RSP is not an element of the frame's that counts, so it can be read from while the others are loaded.
    for (int k = 0; k < 8; k++) {
      c.mmu.checkReadable(address(c, pointer(c, (long) k * width), width, false), width);
    }
    for (int k = 0; k < 8; k++) {
      if (7 - k != Cpu.RSP) {
        Operands.setRegister(c, 7 - k, width, peek(c, k * width, width));
      }
    }
    adjust(c, 8L * width);
  }

  // ---- Flags ----

  static void pushf(Cpu c, Instruction i) {
    push(c, i.width, c.rflags() & ~(Cpu.VM | Cpu.RF));
  }

  static void popf(Cpu c, Instruction i) {
    long value = peek(c, 0, i.width);
    adjust(c, i.width);
    c.setRflags(flags(c, value, i.width));
  }

  /**
   * RFLAGS after POPF and IRET have popped a value. What they may change: IF by IOPL, IOPL at privilege 0 only, the upper half by 32 and
   * 64 bits only; RF becomes 0.
   */
  static long flags(Cpu c, long value, int width) {
    int mayChange = Cpu.ARITHMETIC | Cpu.TF | Cpu.DF | Cpu.NT | Cpu.AC | Cpu.ID;
    if (c.cpl <= (c.eflags & Cpu.IOPL) >>> 12) {
      mayChange |= Cpu.IF;
    }
    if (c.cpl == 0) {
      mayChange |= Cpu.IOPL;
    }
    if (width == 2) {
      mayChange &= 0xffff;
    }
    return (c.rflags() & ~mayChange | value & mayChange) & ~Cpu.RF;
  }

  // ---- Frames ----

  static void enter(Cpu c, Instruction i) {
    int width = i.width;
    int level = i.imm2 & 31;
    long frame = pointer(c, -width);
    long base = c.r[Cpu.RBP];
    long last = frame - (level > 0 ? (long) level * width : 0) - (i.imm & 0xffff) & mask(c);
    // All of the new frame must be writable before anything changes, a word at the final stack pointer, too.
    c.mmu.checkWritable(address(c, frame, width, true), width);
    for (int k = 1; k < level; k++) {
      c.mmu.checkReadable(address(c, base - (long) k * width & mask(c), width, false), width);
      c.mmu.checkWritable(address(c, frame - (long) k * width & mask(c), width, true), width);
    }
    if (level > 0) {
      c.mmu.checkWritable(address(c, frame - (long) level * width & mask(c), width, true), width);
    }
    c.mmu.checkWritable(address(c, last, width, true), width);
    c.mmu.write(address(c, frame, width, true), width, base);
    for (int k = 1; k < level; k++) {
      long outer = c.mmu.read(address(c, base - (long) k * width & mask(c), width, false), width);
      c.mmu.write(address(c, frame - (long) k * width & mask(c), width, true), width, outer);
    }
    if (level > 0) {
      c.mmu.write(address(c, frame - (long) level * width & mask(c), width, true), width, frame);
    }
    Operands.setRegister(c, Cpu.RBP, width, frame);
    setPointer(c, last);
  }

  static Op leave(Instruction i) {
    if (i.width == 8) {
      return (c, n) -> {
        long frame = c.r[Cpu.RBP];
        c.r[Cpu.RBP] = c.mmu.read64(frame);
        c.r[Cpu.RSP] = frame + 8;
      };
    }
    return (c, n) -> {
      long frame = c.r[Cpu.RBP] & mask(c);
      long value = c.mmu.read(address(c, frame, n.width, false), n.width);
      setPointer(c, frame + n.width & mask(c));
      Operands.setRegister(c, Cpu.RBP, n.width, value);
    };
  }
}
