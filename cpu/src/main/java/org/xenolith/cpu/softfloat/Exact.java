package org.xenolith.cpu.softfloat;

/**
 * The result of one operation on finite, non-zero numbers before rounding: {@code (-1)^negative * 2^exponent * s}, where s is at least 1
 * and below 2 and is held in 128 bits, {@link #high} (top bit set) and {@link #low}. Bit 0 of low is sticky: it is set when any lower bit
 * of the true result is. That is enough to round to any precision up to 64 bits in every direction. A zero result has high = 0.
 *
 * <p>Operands have a significand of 64 bits with the top bit set (the integer bit), and the exponent of that bit. One reusable object per
 * user; nothing is allocated.
 */
public final class Exact {
  public boolean negative;
  public int exponent;
  public long high;
  public long low;

  public void set(boolean negative, int exponent, long high, long low) {
    this.negative = negative;
    this.exponent = exponent;
    this.high = high;
    this.low = low;
  }

  /** The sum; for a difference negate b. A zero sum leaves the sign to the caller, who knows the rounding direction. */
  public void add(boolean aNegative, int aExponent, long a, boolean bNegative, int bExponent, long b) {
    if (aExponent < bExponent || aExponent == bExponent && Long.compareUnsigned(a, b) < 0) {
      addOrdered(bNegative, bExponent, b, aNegative, aExponent, a);
    } else {
      addOrdered(aNegative, aExponent, a, bNegative, bExponent, b);
    }
  }

  /** Adds with |a| at least |b|. */
  private void addOrdered(boolean aNegative, int aExponent, long a, boolean bNegative, int bExponent, long b) {
    int distance = aExponent - bExponent;
    long bHigh;
    long bLow;
    if (distance == 0) {
      bHigh = b;
      bLow = 0;
    } else if (distance < 64) {
      bHigh = b >>> distance;
      bLow = b << 64 - distance;
    } else if (distance == 64) {
      bHigh = 0;
      bLow = b;
    } else {
      bHigh = 0;
      bLow = distance < 128 ? b >>> distance - 64 | (b << 128 - distance != 0 ? 1 : 0) : 1;
    }
    negative = aNegative;
    exponent = aExponent;
    if (aNegative == bNegative) {
      low = bLow;
      high = a + bHigh;
      if (Long.compareUnsigned(high, a) < 0) {
        low = high << 63 | low >>> 1 | low & 1;
        high = high >>> 1 | Long.MIN_VALUE;
        exponent++;
      }
    } else {
      low = -bLow;
      high = a - bHigh - (bLow != 0 ? 1 : 0);
      normalize();
    }
  }

  /** Shifts left until the top bit is set; bits that enter from the right are 0, which is right because they are known. */
  public void normalize() {
    if (high == 0) {
      if (low == 0) {
        return;
      }
      high = low;
      low = 0;
      exponent -= 64;
    }
    int shift = Long.numberOfLeadingZeros(high);
    if (shift != 0) {
      high = high << shift | low >>> 64 - shift;
      low <<= shift;
      exponent -= shift;
    }
  }

  public void multiply(boolean aNegative, int aExponent, long a, boolean bNegative, int bExponent, long b) {
    negative = aNegative != bNegative;
    high = Math.unsignedMultiplyHigh(a, b);
    low = a * b;
    exponent = aExponent + bExponent + 1;
    if (high >= 0) {
      high = high << 1 | low >>> 63;
      low <<= 1;
      exponent--;
    }
  }

  public void divide(boolean aNegative, int aExponent, long a, boolean bNegative, int bExponent, long b) {
    negative = aNegative != bNegative;
    exponent = aExponent - bExponent;
    long numeratorHigh;
    long numeratorLow;
    if (Long.compareUnsigned(a, b) >= 0) {
      numeratorHigh = a >>> 1;
      numeratorLow = a << 63;
    } else {
      numeratorHigh = a;
      numeratorLow = 0;
      exponent--;
    }
    high = divide128(numeratorHigh, numeratorLow, b);
    long rest = numeratorLow - high * b;
    low = tail(rest, b);
  }

  /** What follows a quotient's last bit: above, at or below one half, or nothing. */
  private static long tail(long rest, long divisor) {
    if (rest == 0) {
      return 0;
    }
    int order = rest < 0 ? 1 : Long.compareUnsigned(rest << 1, divisor);
    return order < 0 ? 1 : order == 0 ? Long.MIN_VALUE : Long.MIN_VALUE | 1;
  }

  /**
   * The 64-bit quotient of a 128-bit numerator and a divisor with its top bit set, for high below divisor: schoolbook division in two
   * digits of 32 bits (Knuth, The Art of Computer Programming, volume 2, 4.3.1, algorithm D).
   */
  public static long divide128(long high, long low, long divisor) {
    long d1 = divisor >>> 32;
    long d0 = divisor & 0xFFFFFFFFL;
    long q1 = digit(high, low >>> 32, divisor, d1, d0);
    long rest = (high << 32 | low >>> 32) - q1 * divisor;
    long q0 = digit(rest, low & 0xFFFFFFFFL, divisor, d1, d0);
    return q1 << 32 | q0;
  }

  /** One 32-bit digit: the quotient of (high * 2^32 + next) and the divisor. */
  private static long digit(long high, long next, long divisor, long d1, long d0) {
    long q = Long.divideUnsigned(high, d1);
    long r = high - q * d1;
    while (q > 0xFFFFFFFFL || Long.compareUnsigned(q * d0, r << 32 | next) > 0) {
      q--;
      r += d1;
      if (r > 0xFFFFFFFFL) {
        break;
      }
    }
    return q;
  }

  /** The square root of a positive number. */
  public void squareRoot(int aExponent, long a) {
    negative = false;
    exponent = aExponent >> 1;
    // The radicand as a 128-bit integer in [2^126, 2^128): its root has exactly 64 bits.
    long radicandHigh;
    long radicandLow;
    if ((aExponent & 1) == 0) {
      radicandHigh = a >>> 1;
      radicandLow = a << 63;
    } else {
      radicandHigh = a;
      radicandLow = 0;
    }
    // The upper 32 bits of the root are the root of the upper 64 bits; the estimate in double is at most one off.
    long top = (long) Math.sqrt((radicandHigh >>> 11) * 0x1p11);
    while (top > 0xFFFFFFFFL || Long.compareUnsigned(top * top, radicandHigh) > 0) {
      top--;
    }
    while (top < 0xFFFFFFFFL && Long.compareUnsigned((top + 1) * (top + 1), radicandHigh) <= 0) {
      top++;
    }
    long rest = radicandHigh - top * top; // at most 2 * top, 33 bits
    // The lower 32 bits: (rest * 2^32 + next 32 bits) / (2 * top); the estimate is at most one or two too great.
    long nextHigh = rest >>> 32;
    long dividend = rest << 32 | radicandLow >>> 32;
    long bottom;
    if (nextHigh != 0) {
      // The dividend has 65 bits: halve it, which loses only its lowest bit.
      bottom = Long.divideUnsigned(dividend >>> 1 | Long.MIN_VALUE, top);
    } else {
      bottom = Long.divideUnsigned(dividend >>> 1, top);
    }
    bottom = Math.min(bottom, 0xFFFFFFFFL);
    long root = top << 32 | bottom;
    long squareHigh = Math.unsignedMultiplyHigh(root, root);
    long squareLow = root * root;
    while (Long.compareUnsigned(squareHigh, radicandHigh) > 0
        || squareHigh == radicandHigh && Long.compareUnsigned(squareLow, radicandLow) > 0) {
      root--;
      squareHigh = Math.unsignedMultiplyHigh(root, root);
      squareLow = root * root;
    }
    high = root;
    // remainder in [0, 2 * root]: above root means above one half (the half itself is not a root of any integer).
    long restHigh = radicandHigh - squareHigh - (Long.compareUnsigned(radicandLow, squareLow) < 0 ? 1 : 0);
    long restLow = radicandLow - squareLow;
    if (restHigh == 0 && restLow == 0) {
      low = 0;
    } else {
      low = restHigh != 0 || Long.compareUnsigned(restLow, root) > 0 ? Long.MIN_VALUE | 1 : 1;
    }
  }

  /** Shifts right, the exponent rising, with the lost bits kept in the sticky bit. */
  public void denormalize(int shift) {
    exponent += shift;
    if (shift >= 128) {
      low = (high | low) != 0 ? 1 : 0;
      high = 0;
    } else if (shift > 64) {
      low = high >>> shift - 64 | ((high << 128 - shift | low) != 0 ? 1 : 0);
      high = 0;
    } else if (shift == 64) {
      low = high | (low != 0 ? 1 : 0);
      high = 0;
    } else if (shift > 0) {
      low = high << 64 - shift | low >>> shift | (low << 64 - shift != 0 ? 1 : 0);
      high >>>= shift;
    }
  }
}
