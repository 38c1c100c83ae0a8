package org.xenolith.cpu.sse;

/**
 * RCPSS and RSQRTSS. Processors differ in the bits they return within the promised relative error of 1.5 * 2^-12, so this project defines
 * its own: the exact value with its significand truncated to 12 bits after the integer bit (error below 2^-12), the same on every host.
 * Denormal operands count as zeros, tiny results become zero, MXCSR is neither read nor written. Intel manual volume 2, RCPPS and RSQRTPS.
 */
public final class Approximations {
  private static final int SIGN = 0x80000000, INFINITY = 0x7F800000, QUIET = 0x00400000, INDEFINITE = 0xFFC00000;

  /** The significand's upper bits: sign, exponent and 12 fraction bits. */
  private static final int KEPT = 0xFFFFF800;

  private Approximations() {}

  public static int reciprocal(int a) {
    int sign = a & SIGN;
    int magnitude = a & ~SIGN;
    if (magnitude > INFINITY) {
      return a | QUIET;
    }
    if (magnitude == INFINITY) {
      return sign;
    }
    if (magnitude < 0x00800000) {
      return sign | INFINITY;
    }
    // 1/m for a significand m of 24 bits, in integers: 2^(23 + 24) / m has 24 or 25 bits.
    int significand = magnitude & 0x007FFFFF | 0x00800000;
    int exponent = (magnitude >>> 23) - 127;
    long quotient = (1L << 47) / significand;
    int resultExponent = -exponent;
    if (quotient < 1L << 24) {
      resultExponent--;
    } else {
      quotient >>>= 1;
    }
    return pack(sign, resultExponent, (int) quotient);
  }

  public static int reciprocalSquareRoot(int a) {
    int sign = a & SIGN;
    int magnitude = a & ~SIGN;
    if (magnitude > INFINITY) {
      return a | QUIET;
    }
    if (magnitude < 0x00800000) {
      return sign | INFINITY;
    }
    if (sign != 0) {
      return INDEFINITE;
    }
    if (magnitude == INFINITY) {
      return 0;
    }
    // With x = m * 2^(2k), m in [1, 4): the greatest r with r * r * m <= 1, r in (1/2, 1] in steps of 2^-13.
    int exponent = (magnitude >>> 23) - 127;
    long m = (magnitude & 0x007FFFFFL | 0x00800000L) << (exponent & 1); // 23 fraction bits
    int low = 1 << 12;
    int high = 1 << 13;
    long one = 1L << 26 + 23;
    while (low < high) {
      int middle = low + high + 1 >>> 1;
      if ((long) middle * middle * m <= one) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    int resultExponent = -(exponent >> 1);
    if (low == 1 << 13) {
      return pack(0, resultExponent, 1 << 23);
    }
    return pack(0, resultExponent - 1, low << 11);
  }

  private static int pack(int sign, int exponent, int significand) {
    if (exponent < -126) {
      return sign;
    }
    return sign | (exponent + 127 << 23 | significand & 0x007FFFFF) & KEPT;
  }
}
