package org.xenolith.cpu.sse;

/** The bits of MXCSR. Intel manual volume 1, section 10.2.3. */
public final class Mxcsr {
  /** Exception flags; each has its mask 7 bits higher. */
  public static final int INVALID = 1, DENORMAL = 2, ZERO_DIVIDE = 4, OVERFLOW = 8, UNDERFLOW = 16, PRECISION = 32;

  public static final int FLAGS = 0x3F, MASK_SHIFT = 7;

  public static final int DENORMALS_ARE_ZEROS = 1 << 6, FLUSH_TO_ZERO = 1 << 15, ROUNDING_SHIFT = 13;

  /** Bits that may be set (MXCSR_MASK of the FXSAVE image); others fault in LDMXCSR and FXRSTOR. */
  public static final int WRITABLE = 0xFFFF;

  /** The value after reset: all exceptions masked, round to nearest. */
  public static final int RESET = 0x1F80;

  private Mxcsr() {}
}
