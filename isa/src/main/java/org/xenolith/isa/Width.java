package org.xenolith.isa;

/**
 * The size of an operand as a row of the table tells it: the size letters of Intel SDM volume 2, appendix A.2.2, with {@link #N} and
 * {@link #T} added.
 */
public enum Width {
  /** No size: the operand is an address, or an area whose size the instruction knows. */
  NONE(0),
  /** 8 bits. */
  B(1),
  /** 16 bits. */
  W(2),
  /** 32 bits. */
  D(4),
  /** 64 bits. */
  Q(8),
  /** 80 bits, an x87 extended real or packed decimal. */
  T(10),
  /** 128 bits. */
  DQ(16),
  /** 256 bits. */
  QQ(32),
  /** 128 bits of single-precision numbers. */
  PS(16),
  /** 128 bits of double-precision numbers. */
  PD(16),
  /** One single-precision number, 32 bits. */
  SS(4),
  /** One double-precision number, 64 bits. */
  SD(8),
  /** The vector length of a VEX or EVEX instruction, which is not told further. */
  X(0),
  /** 16, 32 or 64 bits: the operand size. */
  V(0),
  /** 16 bits for an operand size of 16, else 32. */
  Z(0),
  /** 64 bits for an operand size of 64, else 32. */
  Y(0),
  /** 64 bits in 64-bit mode, else 32. */
  N(0),
  /** A far pointer: selector of 16 bits and offset of the operand size, but never over 32 bits (AMD; Intel has 64 with REX.W). */
  P(0),
  /** A pair of the operand size (BOUND). */
  A(0),
  /** A pseudo-descriptor: limit of 16 bits and base of 64 bits in 64-bit mode, else 32. */
  S(0);

  private final int fixed;

  Width(int fixed) {
    this.fixed = fixed;
  }

  /** The width in bytes for an operand size in bytes and a mode; 0 for {@link #NONE}. */
  public int bytes(int operandSize, CpuMode mode) {
    return switch (this) {
      case V -> operandSize;
      case Z -> Math.min(operandSize, 4);
      case Y -> Math.max(operandSize, 4);
      case N -> mode == CpuMode.LONG64 ? 8 : 4;
      case P -> 2 + Math.min(operandSize, 4);
      case A -> 2 * operandSize;
      case S -> mode == CpuMode.LONG64 ? 10 : 6;
      default -> fixed;
    };
  }

  /** Whether {@link #bytes} gives the same for every operand size and mode. */
  public boolean isFixed() {
    return ordinal() < X.ordinal();
  }
}
