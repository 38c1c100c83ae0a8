package org.xenolith.cpu.sse;

/** An IEEE 754 interchange format of at most 64 bits. Values are raw bits in the low end of a long. */
final class BinaryFormat {
  static final BinaryFormat SINGLE = new BinaryFormat(24, 8);
  static final BinaryFormat DOUBLE = new BinaryFormat(53, 11);

  /** Bits of the significand with its integer bit. */
  final int precision;

  final int fractionBits;
  final int bias;
  final long fractionMask;
  final long exponentMask;
  final long sign;
  final long infinity;
  final long quiet;

  /** The default NaN, "QNaN floating-point indefinite". */
  final long indefinite;

  private BinaryFormat(int precision, int exponentBits) {
    this.precision = precision;
    fractionBits = precision - 1;
    bias = (1 << exponentBits - 1) - 1;
    fractionMask = (1L << fractionBits) - 1;
    exponentMask = (1L << exponentBits) - 1;
    sign = 1L << fractionBits + exponentBits;
    infinity = exponentMask << fractionBits;
    quiet = 1L << fractionBits - 1;
    indefinite = sign | infinity | quiet;
  }

  boolean isNegative(long bits) {
    return (bits & sign) != 0;
  }

  long magnitude(long bits) {
    return bits & sign - 1;
  }

  boolean isNan(long bits) {
    return magnitude(bits) > infinity;
  }

  boolean isSignalling(long bits) {
    return isNan(bits) && (bits & quiet) == 0;
  }

  boolean isInfinite(long bits) {
    return magnitude(bits) == infinity;
  }

  boolean isZero(long bits) {
    return magnitude(bits) == 0;
  }

  boolean isDenormal(long bits) {
    return (bits & infinity) == 0 && (bits & fractionMask) != 0;
  }

  /** Neither zero, denormal, infinite nor NaN. */
  boolean isNormal(long bits) {
    long exponent = bits >>> fractionBits & exponentMask;
    return exponent != 0 && exponent != exponentMask;
  }

  /** The unbiased exponent of a finite, non-zero number's leading bit. */
  int exponent(long bits) {
    int exponent = (int) (bits >>> fractionBits & exponentMask);
    if (exponent == 0) {
      return 1 - bias + 63 - fractionBits - Long.numberOfLeadingZeros(bits & fractionMask);
    }
    return exponent - bias;
  }

  /** The significand of a finite, non-zero number, its leading bit in bit 63. */
  long significand(long bits) {
    long fraction = bits & fractionMask;
    if ((bits & infinity) == 0) {
      return fraction << Long.numberOfLeadingZeros(fraction);
    }
    return (fraction | 1L << fractionBits) << 63 - fractionBits;
  }
}
