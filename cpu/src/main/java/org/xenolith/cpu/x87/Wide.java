package org.xenolith.cpu.x87;

import org.xenolith.cpu.softfloat.Exact;

/**
 * A number with a significand of 128 bits, for the intermediate steps of the transcendental instructions: {@code (-1)^negative * 2^exponent
 * * s} with s at least 1 and below 2 in {@link #high} and {@link #low}; zero has high = 0. Results are truncated; each operation errs by
 * less than 2^-125 of its result. Operations write this object and may have it as an operand, too.
 */
final class Wide {
  boolean negative;
  int exponent;
  long high;
  long low;

  Wide() {}

  Wide(int exponent, long high, long low) {
    set(false, exponent, high, low);
  }

  void set(boolean negative, int exponent, long high, long low) {
    this.negative = negative;
    this.exponent = exponent;
    this.high = high;
    this.low = low;
  }

  void set(Wide a) {
    set(a.negative, a.exponent, a.high, a.low);
  }

  void setZero() {
    set(false, 0, 0, 0);
  }

  /** A small positive integer. */
  void set(long integer) {
    int shift = Long.numberOfLeadingZeros(integer);
    set(false, 63 - shift, integer << shift, 0);
  }

  boolean isZero() {
    return high == 0;
  }

  /** Whether the magnitude is below that of b. */
  boolean isLess(Wide b) {
    if (isZero() || b.isZero()) {
      return isZero() && !b.isZero();
    }
    if (exponent != b.exponent) {
      return exponent < b.exponent;
    }
    return high != b.high ? Long.compareUnsigned(high, b.high) < 0 : Long.compareUnsigned(low, b.low) < 0;
  }

  void add(Wide a, Wide b) {
    addSigned(a, b, b.negative);
  }

  void subtract(Wide a, Wide b) {
    addSigned(a, b, !b.negative);
  }

  private void addSigned(Wide a, Wide b, boolean bNegative) {
    if (a.isLess(b)) {
      addOrdered(b, bNegative, a, a.negative);
    } else {
      addOrdered(a, a.negative, b, bNegative);
    }
  }

  /** Adds numbers with these signs instead of their own, for |a| at least |b|. */
  private void addOrdered(Wide a, boolean sign, Wide b, boolean bSign) {
    boolean same = sign == bSign;
    int exp = a.exponent;
    long aHigh = a.high;
    long aLow = a.low;
    if (b.isZero()) {
      set(sign, exp, aHigh, aLow);
      return;
    }
    int distance = exp - b.exponent;
    long bHigh;
    long bLow;
    boolean lost;
    if (distance == 0) {
      bHigh = b.high;
      bLow = b.low;
      lost = false;
    } else if (distance < 64) {
      bHigh = b.high >>> distance;
      bLow = b.high << 64 - distance | b.low >>> distance;
      lost = b.low << 64 - distance != 0;
    } else if (distance < 128) {
      bHigh = 0;
      bLow = distance == 64 ? b.high : b.high >>> distance - 64;
      lost = b.low != 0 || distance > 64 && b.high << 128 - distance != 0;
    } else {
      bHigh = 0;
      bLow = 0;
      lost = true;
    }
    if (same) {
      long sumLow = aLow + bLow;
      long carry = Long.compareUnsigned(sumLow, aLow) < 0 ? 1 : 0;
      long sumHigh = aHigh + bHigh;
      boolean over = Long.compareUnsigned(sumHigh, aHigh) < 0;
      sumHigh += carry;
      over |= carry != 0 && sumHigh == 0;
      if (over) {
        sumLow = sumHigh << 63 | sumLow >>> 1;
        sumHigh = sumHigh >>> 1 | Long.MIN_VALUE;
        exp++;
      }
      set(sign, exp, sumHigh, sumLow);
      return;
    }
    // What b lost below the last bit borrows one from it: the difference is truncated, too.
    if (lost) {
      bLow++;
      if (bLow == 0) {
        bHigh++;
      }
    }
    long differenceHigh = aHigh - bHigh - (Long.compareUnsigned(aLow, bLow) < 0 ? 1 : 0);
    set(sign, exp, differenceHigh, aLow - bLow);
    normalize();
  }

  private void normalize() {
    if (high == 0) {
      if (low == 0) {
        setZero();
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

  void multiply(Wide a, Wide b) {
    if (a.isZero() || b.isZero()) {
      setZero();
      return;
    }
    long productHigh = Math.unsignedMultiplyHigh(a.high, b.high);
    long productLow = a.high * b.high;
    long cross = Math.unsignedMultiplyHigh(a.high, b.low);
    productLow += cross;
    if (Long.compareUnsigned(productLow, cross) < 0) {
      productHigh++;
    }
    cross = Math.unsignedMultiplyHigh(a.low, b.high);
    productLow += cross;
    if (Long.compareUnsigned(productLow, cross) < 0) {
      productHigh++;
    }
    int exp = a.exponent + b.exponent + 1;
    boolean sign = a.negative != b.negative;
    set(sign, exp, productHigh, productLow);
    normalize();
  }

  /** Long division, one bit at a time. b is not zero. */
  void divide(Wide a, Wide b) {
    if (a.isZero()) {
      setZero();
      return;
    }
    long restHigh = a.high;
    long restLow = a.low;
    long bHigh = b.high;
    long bLow = b.low;
    int exp = a.exponent - b.exponent;
    boolean sign = a.negative != b.negative;
    long quotientHigh = 0;
    long quotientLow = 0;
    boolean carry = false;
    // The first bit may be 0: 129 steps give 128 bits in either case.
    boolean first = !isBelow(restHigh, restLow, bHigh, bLow);
    int steps = first ? 128 : 129;
    for (int i = 0; i < steps; i++) {
      quotientHigh = quotientHigh << 1 | quotientLow >>> 63;
      quotientLow <<= 1;
      if (carry || !isBelow(restHigh, restLow, bHigh, bLow)) {
        restHigh = restHigh - bHigh - (Long.compareUnsigned(restLow, bLow) < 0 ? 1 : 0);
        restLow -= bLow;
        quotientLow |= 1;
      }
      carry = restHigh < 0;
      restHigh = restHigh << 1 | restLow >>> 63;
      restLow <<= 1;
    }
    set(sign, first ? exp : exp - 1, quotientHigh, quotientLow);
  }

  private static boolean isBelow(long aHigh, long aLow, long bHigh, long bLow) {
    return aHigh != bHigh ? Long.compareUnsigned(aHigh, bHigh) < 0 : Long.compareUnsigned(aLow, bLow) < 0;
  }

  /** Divides by a small positive integer. */
  void divideBy(int n) {
    if (isZero()) {
      return;
    }
    int lead = 31 - Integer.numberOfLeadingZeros(n);
    long divisor = (long) n << 63 - lead;
    long numeratorHigh = high;
    long numeratorLow = low;
    exponent -= lead;
    if (Long.compareUnsigned(numeratorHigh, divisor) >= 0) {
      numeratorLow = numeratorLow >>> 1 | numeratorHigh << 63;
      numeratorHigh >>>= 1;
    } else {
      exponent--;
    }
    high = Exact.divide128(numeratorHigh, numeratorLow, divisor);
    low = Exact.divide128(numeratorLow - high * divisor, 0, divisor);
  }
}
