package org.xenolith.isa;

import static org.xenolith.isa.Instruction.NO_REGISTER;

/** An operand to be encoded: a register, memory, or a number. */
public final class Operand {
  /** What it is. Memory is {@link OperandKind#MEM}. */
  public final OperandKind kind;

  /** Register number, as {@link Instruction#reg0} has them. */
  public final int register;

  /** For {@link OperandKind#MEM}: base register or {@link Instruction#NO_REGISTER}. */
  public final int base;

  /** For {@link OperandKind#MEM}: index register or {@link Instruction#NO_REGISTER}; never rsp. */
  public final int index;

  /** For {@link OperandKind#MEM}: 0 to 3. */
  public final int shift;

  /** For {@link OperandKind#MEM}: whether the displacement counts from the next instruction. */
  public final boolean ripRelative;

  /** For {@link OperandKind#MEM}: segment to override with, or -1. */
  public final int segment;

  /** Immediate, displacement, or offset. */
  public final long value;

  /** Selector of a far pointer. */
  public final int selector;

  private Operand(
      OperandKind kind, int register, int base, int index, int shift, boolean ripRelative, int segment, long value, int selector) {
    this.kind = kind;
    this.register = register;
    this.base = base;
    this.index = index;
    this.shift = shift;
    this.ripRelative = ripRelative;
    this.segment = segment;
    this.value = value;
    this.selector = selector;
  }

  /** A register of a kind: {@link OperandKind#GPR}, {@link OperandKind#XMM} and so on. */
  public static Operand register(OperandKind kind, int number) {
    return new Operand(kind, number, NO_REGISTER, NO_REGISTER, 0, false, -1, 0, 0);
  }

  /** General register {@code number} of the width that the row and operand size give. */
  public static Operand gpr(int number) {
    return register(OperandKind.GPR, number);
  }

  /** An SSE register. */
  public static Operand xmm(int number) {
    return register(OperandKind.XMM, number);
  }

  /** An immediate or a port number. */
  public static Operand imm(long value) {
    return number(OperandKind.IMM, value);
  }

  /** A branch displacement, counted from the next instruction. */
  public static Operand relative(long displacement) {
    return number(OperandKind.REL, displacement);
  }

  /** An absolute offset for the forms of MOV without ModRM. */
  public static Operand moffs(long offset) {
    return number(OperandKind.MOFFS, offset);
  }

  /** A far pointer. */
  public static Operand far(int selector, long offset) {
    return new Operand(OperandKind.FAR, 0, NO_REGISTER, NO_REGISTER, 0, false, -1, offset, selector);
  }

  /** Memory at a register and a displacement. */
  public static Operand mem(int base, long displacement) {
    return mem(base, NO_REGISTER, 0, displacement);
  }

  /** Memory at base + (index << shift) + displacement. */
  public static Operand mem(int base, int index, int shift, long displacement) {
    return new Operand(OperandKind.MEM, 0, base, index, shift, false, -1, displacement, 0);
  }

  /** Memory at a displacement from the next instruction. */
  public static Operand ripRelative(long displacement) {
    return new Operand(OperandKind.MEM, 0, NO_REGISTER, NO_REGISTER, 0, true, -1, displacement, 0);
  }

  /** The same memory in segment {@link Instruction#FS} or the like. */
  public Operand in(int segment) {
    return new Operand(kind, register, base, index, shift, ripRelative, segment, value, selector);
  }

  private static Operand number(OperandKind kind, long value) {
    return new Operand(kind, NO_REGISTER, NO_REGISTER, NO_REGISTER, 0, false, -1, value, 0);
  }

  @Override
  public String toString() {
    return switch (kind) {
      case MEM ->
          "mem(" + (ripRelative ? "rip" : base) + "," + index + "," + shift + "," + value + (segment < 0 ? "" : ",seg" + segment) + ")";
      case IMM, IMM2, REL, MOFFS -> kind + "(" + value + ")";
      case FAR -> "far(" + selector + "," + value + ")";
      default -> kind + "(" + register + ")";
    };
  }
}
