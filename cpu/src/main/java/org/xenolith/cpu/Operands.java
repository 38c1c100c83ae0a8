package org.xenolith.cpu;

import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Reads and writes integer operands of any kind and width: the general way, for all that has no method of its own. */
public final class Operands {
  private Operands() {}

  /** What an instruction computes of its destination and source: sets flags and returns the new destination. */
  @FunctionalInterface
  interface Binary {
    /**
     * @param shift 64 minus the width in bits: 0, 32, 48 or 56
     * @return the result, zero-extended
     */
    long apply(Cpu c, long a, long b, int shift);
  }

  /** What an instruction computes of its one operand. */
  @FunctionalInterface
  interface Unary {
    long apply(Cpu c, long a, int shift);
  }

  static int shift(int width) {
    return 64 - 8 * width;
  }

  /** Operand 0, of the instruction's width, zero-extended. */
  public static long read0(Cpu c, Instruction i) {
    return read(c, i, i.kind0, i.reg0, i.width);
  }

  /** Operand 1, of the instruction's width, zero-extended; an immediate is sign-extended. */
  public static long read1(Cpu c, Instruction i) {
    return read(c, i, i.kind1, i.reg1, i.width);
  }

  /** An operand of {@code width} (1, 2, 4 or 8) bytes, zero-extended; an immediate as it is. */
  public static long read(Cpu c, Instruction i, OperandKind kind, int register, int width) {
    return switch (kind) {
      case GPR -> c.r[register] & -1L >>> shift(width);
      case GPR_HIGH_BYTE -> c.r[register] >>> 8 & 0xff;
      case MEM, MOFFS -> c.mmu.read(c.ea(i), width);
      case IMM -> i.imm;
      default -> throw new IllegalStateException("operand " + kind + " of " + i);
    };
  }

  /** Writes operand 0, of the instruction's width. */
  public static void write0(Cpu c, Instruction i, long value) {
    write(c, i, i.kind0, i.reg0, i.width, value);
  }

  /** Writes the low {@code width} bytes of {@code value} to a register or memory operand. */
  public static void write(Cpu c, Instruction i, OperandKind kind, int register, int width, long value) {
    switch (kind) {
      case GPR -> setRegister(c, register, width, value);
      case GPR_HIGH_BYTE -> c.r[register] = c.r[register] & ~0xff00L | (value & 0xff) << 8;
      case MEM, MOFFS -> c.mmu.write(c.ea(i), width, value);
      default -> throw new IllegalStateException("operand " + kind + " of " + i);
    }
  }

  /** Writes a general register as an instruction of that width does: 4 bytes clear the upper half, 1 and 2 leave the rest alone. */
  public static void setRegister(Cpu c, int register, int width, long value) {
    long[] r = c.r;
    switch (width) {
      case 8 -> r[register] = value;
      case 4 -> r[register] = value & 0xffff_ffffL;
      case 2 -> r[register] = r[register] & ~0xffffL | value & 0xffff;
      default -> r[register] = r[register] & ~0xffL | value & 0xff;
    }
  }

  /** destination = f(destination, source). */
  static void update(Cpu c, Instruction i, Binary f) {
    int width = i.width;
    if (i.kind0 == OperandKind.MEM) {
      long va = c.ea(i);
      long a = c.mmu.readForWrite(va, width);
      c.mmu.write(va, width, f.apply(c, a, read1(c, i), shift(width)));
    } else {
      write0(c, i, f.apply(c, read0(c, i), read1(c, i), shift(width)));
    }
  }

  /** f(destination, source), for flags only. */
  static void compare(Cpu c, Instruction i, Binary f) {
    f.apply(c, read0(c, i), read1(c, i), shift(i.width));
  }

  /** operand = f(operand). */
  static void update(Cpu c, Instruction i, Unary f) {
    int width = i.width;
    if (i.kind0 == OperandKind.MEM) {
      long va = c.ea(i);
      long a = c.mmu.readForWrite(va, width);
      c.mmu.write(va, width, f.apply(c, a, shift(width)));
    } else {
      write0(c, i, f.apply(c, read0(c, i), shift(width)));
    }
  }
}
