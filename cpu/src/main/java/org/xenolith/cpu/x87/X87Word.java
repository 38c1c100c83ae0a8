package org.xenolith.cpu.x87;

/** Bits of the x87 status, control and tag words. Intel manual volume 1, sections 8.1.3 to 8.1.7. */
public final class X87Word {
  /** Exceptions: flags in the status word, masks in the control word. */
  public static final int INVALID = 1, DENORMAL = 2, ZERO_DIVIDE = 4, OVERFLOW = 8, UNDERFLOW = 16, PRECISION = 32;

  public static final int EXCEPTIONS = 0x3F;

  /** Status: an invalid operation that is a stack overflow (with C1) or underflow (without). */
  public static final int STACK_FAULT = 0x40;

  /** Status: an unmasked exception is pending; bit 15 is always its copy. */
  public static final int SUMMARY = 0x80, BUSY = 0x8000;

  /** Status: condition codes and the top of the stack. */
  public static final int C0 = 0x100, C1 = 0x200, C2 = 0x400, C3 = 0x4000, TOP_SHIFT = 11;

  public static final int CONDITIONS = C0 | C1 | C2 | C3;

  /** Control: precision in bits 9 and 8, rounding in bits 11 and 10. */
  public static final int PRECISION_SHIFT = 8, ROUNDING_SHIFT = 10;

  /** Rounding modes. */
  public static final int NEAREST = 0, DOWN = 1, UP = 2, TOWARD_ZERO = 3;

  /** The control word after FNINIT: extended precision, to nearest, all masked. Bit 6 always reads as 1. */
  public static final int CONTROL_RESET = 0x37F;

  private X87Word() {}
}
