package org.xenolith.cpu.x87;

import static org.xenolith.cpu.x87.X87Arithmetic.BIAS;
import static org.xenolith.cpu.x87.X87Arithmetic.EXPONENT;
import static org.xenolith.cpu.x87.X87Arithmetic.INTEGER_BIT;
import static org.xenolith.cpu.x87.X87Arithmetic.SIGN;
import static org.xenolith.cpu.x87.X87Word.DENORMAL;
import static org.xenolith.cpu.x87.X87Word.PRECISION;
import static org.xenolith.cpu.x87.X87Word.ZERO_DIVIDE;

/**
 * FSIN, FCOS, FPTAN, FPATAN, F2XM1, FYL2X and FYL2XP1. Processors differ in the last bit of these, so this project has its own method, the
 * same on every host: reduction and power series in 128-bit significands ({@link Wide}), then one rounding to 64 bits by the rounding mode.
 * The error before that rounding is below 2^-110 of the result, so a result is the correctly rounded one except where the true value lies
 * that close to the middle between two numbers. Angles are reduced by 2/pi to 320 bits, exact enough for the whole range below 2^63, where
 * processors use a shorter pi. Special operands follow Intel manual volume 2 and volume 1, section 8.3.
 */
final class X87Transcendentals {
  private static final Wide ONE = new Wide(0, INTEGER_BIT, 0);
  private static final Wide TWO = new Wide(1, INTEGER_BIT, 0);
  private static final Wide PI = new Wide(1, 0xC90FDAA22168C234L, 0xC4C6628B80DC1CD1L);
  private static final Wide HALF_PI = new Wide(0, 0xC90FDAA22168C234L, 0xC4C6628B80DC1CD1L);
  private static final Wide QUARTER_PI = new Wide(-1, 0xC90FDAA22168C234L, 0xC4C6628B80DC1CD1L);
  private static final Wide LN_2 = new Wide(-1, 0xB17217F7D1CF79ABL, 0xC9E3B39803F2F6AFL);
  private static final Wide TWO_OVER_LN_2 = new Wide(1, 0xB8AA3B295C17F0BBL, 0xBE87FED0691D3E89L);

  /** 2/pi as a fraction of 320 bits, the most significant first. */
  private static final long[] TWO_OVER_PI = {
    0xA2F9836E4E441529L, 0xFC2757D1F534DDC0L, 0xDB6295993C439041L, 0xFE5163ABDEBBC561L, 0xB7246E3A424DD2E0L
  };

  /** atan(i / 16) for i from 1 to 16. */
  private static final Wide[] ARCTANGENTS = {
    new Wide(-5, 0xFFAADDB967EF4E36L, 0xCB2792DC0E2E0D51L),
    new Wide(-4, 0xFEADD4D5617B6E32L, 0xC897989F3E888EF8L),
    new Wide(-3, 0xBDCBDA5E72D81134L, 0x7B0B4F881C9C7488L),
    new Wide(-3, 0xFADBAFC96406EB15L, 0x6DC79EF5F7A217E6L),
    new Wide(-2, 0x9B13B9B83F5E5E69L, 0xC5ABB498D27AF328L),
    new Wide(-2, 0xB7B0CA0F26F78473L, 0x8AA32122DCFE4483L),
    new Wide(-2, 0xD327761E611FE5B6L, 0x427C95E9001E7136L),
    new Wide(-2, 0xED63382B0DDA7B45L, 0x6FE445ECBC3A8D03L),
    new Wide(-1, 0x832BF4A6D9867E2AL, 0x4B6A09CB61A515C1L),
    new Wide(-1, 0x8F005D5EF7F59F9BL, 0x5C835E1665C43748L),
    new Wide(-1, 0x9A2F80E671BDDA20L, 0x4226F8E2204FF3BDL),
    new Wide(-1, 0xA4BC7D1934F70924L, 0x19A87F2A457DAC9FL),
    new Wide(-1, 0xAEAC4C38B4D8C080L, 0x14725E2F3E52070AL),
    new Wide(-1, 0xB8053E2BC2319E73L, 0xCB2DA55210A4443DL),
    new Wide(-1, 0xC0CE85B8AC526640L, 0x89DD62C46E92FA25L),
    new Wide(-1, 0xC90FDAA22168C234L, 0xC4C6628B80DC1CD1L)
  };

  /** |log2(j / 32)| for j from 24 to 48. */
  private static final Wide[] LOGARITHMS = {
    new Wide(-2, 0xD47FCB8C0852F0C0L, 0xBFE9DBEBF2E8A45EL),
    new Wide(-2, 0xB6587B432E47501BL, 0x6D40900B25024B32L),
    new Wide(-2, 0x995FF71B8773432DL, 0x124BC6F1ACF95DC4L),
    new Wide(-3, 0xFAFEC54831F1A484L, 0x7F7B2787B173DA32L),
    new Wide(-3, 0xC544C055FDE99333L, 0x54DBF16FB0695EE3L),
    new Wide(-3, 0x916D6E1559A4B696L, 0x91D79938E7226384L),
    new Wide(-4, 0xBEB024B67DDA6339L, 0xDA288FC615A727DCL),
    new Wide(-5, 0xBB9CA64ECAC6AAEFL, 0x2E1C07F0438EBAC0L),
    new Wide(0, 0, 0),
    new Wide(-5, 0xB5D69BAC77EC3989L, 0xB03784B5BE084906L),
    new Wide(-4, 0xB31FB7D64898B3E6L, 0x629C130A22BAD61EL),
    new Wide(-3, 0x8462C466D3CF1CB1L, 0x3DE37E852A9455EAL),
    new Wide(-3, 0xAE00D1CFDEB43CFDL, 0x00589050345D6E89L),
    new Wide(-3, 0xD67AF16DA7649F7FL, 0x08F65E00C1B1A5A9L),
    new Wide(-3, 0xFDE0B5C81340511DL, 0x46CCC53C2779AF92L),
    new Wide(-2, 0x92203D587039CC12L, 0x2DCA5D22601DFDDFL),
    new Wide(-2, 0xA4D3C25E68DC57F2L, 0x495FB7FA6D7EDA67L),
    new Wide(-2, 0xB7110E6CE866F2BCL, 0x6A905A27B81E2219L),
    new Wide(-2, 0xC8DDD448F8B845A5L, 0x95A82B5C34E2AC31L),
    new Wide(-2, 0xDA3F5FB9C4150520L, 0xA377C7EC513C756EL),
    new Wide(-2, 0xEB3A9F01975077F1L, 0xF5F0CC82AAA9AD7EL),
    new Wide(-2, 0xFBD42B4658367670L, 0xC98C002287AD91ABL),
    new Wide(-1, 0x86082806B1D532C4L, 0x12BA94DB12EF0AA8L),
    new Wide(-1, 0x8DF988F4AE806F1DL, 0xA89D4EE66C3700E4L),
    new Wide(-1, 0x95C01A39FBD6879FL, 0xA00B120A068BADD1L)
  };

  private static final int FIRST_LOGARITHM = 24;

  private final X87Arithmetic arithmetic;
  private final Wide x = new Wide();
  private final Wide y = new Wide();
  private final Wide square = new Wide();
  private final Wide sum = new Wide();
  private final Wide term = new Wide();
  private final Wide sine = new Wide();
  private final Wide cosine = new Wide();
  private final Wide point = new Wide();
  private final long[] product = new long[6];

  /** Which multiple of pi/2 (modulo 4) was taken off an angle; the rest is in {@link #x}. */
  private int quadrant;

  X87Transcendentals(X87Arithmetic arithmetic) {
    this.arithmetic = arithmetic;
  }

  private void load(Wide to, int se, long sig) {
    to.set((se & SIGN) != 0, X87Arithmetic.exponent(se, sig), X87Arithmetic.normalized(sig), 0);
  }

  /** Rounds a result. No result but the special ones is exact, so a sticky bit stands for what truncation lost. */
  private void store(Wide result) {
    arithmetic.exact.set(result.negative, result.exponent, result.high, result.low | 1);
    arithmetic.round(64);
  }

  private void noteDenormals(int aSe, long a, int bSe, long b) {
    if (X87Arithmetic.isDenormal(aSe, a) || X87Arithmetic.isDenormal(bSe, b)) {
      arithmetic.exceptions |= DENORMAL;
    }
  }

  // Sine, cosine, tangent.

  /** Whether an angle is finite and its magnitude 2^63 or more, which the instructions leave alone. */
  boolean isOutOfRange(int se, long sig) {
    int biased = se & EXPONENT;
    return biased != EXPONENT && sig < 0 && biased >= BIAS + 63;
  }

  void sine(int se, long sig) {
    if (isSpecialAngle(se, sig)) {
      return;
    }
    if (sig == 0) {
      arithmetic.set(se, 0);
      return;
    }
    reduce(se, sig);
    Wide result = (quadrant & 1) == 0 ? sineOfRest() : cosineOfRest();
    result.negative ^= (quadrant & 2) != 0;
    store(result);
  }

  void cosine(int se, long sig) {
    if (isSpecialAngle(se, sig)) {
      return;
    }
    if (sig == 0) {
      arithmetic.set(BIAS, INTEGER_BIT);
      return;
    }
    reduce(se, sig);
    Wide result = (quadrant & 1) == 0 ? cosineOfRest() : sineOfRest();
    result.negative ^= (quadrant + 1 & 2) != 0;
    store(result);
  }

  void tangent(int se, long sig) {
    if (isSpecialAngle(se, sig)) {
      return;
    }
    if (sig == 0) {
      arithmetic.set(se, 0);
      return;
    }
    reduce(se, sig);
    sineOfRest();
    cosineOfRest();
    if ((quadrant & 1) == 0) {
      sine.divide(sine, cosine);
    } else {
      sine.divide(cosine, sine);
      sine.negative = !sine.negative;
    }
    store(sine);
  }

  private boolean isSpecialAngle(int se, long sig) {
    if (arithmetic.special(se, sig)) {
      return true;
    }
    if (X87Arithmetic.isInfinite(se, sig)) {
      arithmetic.setInvalid();
      return true;
    }
    noteDenormals(se, sig, se, sig);
    return false;
  }

  /** Splits an angle into a multiple of pi/2 and a rest between -pi/4 and pi/4. */
  private void reduce(int se, long sig) {
    load(x, se, sig);
    quadrant = 0;
    boolean negative = x.negative;
    x.negative = false;
    if (x.isLess(QUARTER_PI)) {
      x.negative = negative;
      return;
    }
    // The angle times 2/pi, as an integer of 384 bits with 383 - exponent fraction bits.
    multiplyByTwoOverPi(x.high);
    int shift = x.exponent - 1; // leaves two integer bits
    if (shift >= 0) {
      shiftProductLeft(shift);
    } else {
      shiftProductRight(-shift);
    }
    quadrant = (int) (product[0] >>> 62);
    product[0] &= -1L >>> 2;
    boolean above = product[0] >>> 61 != 0;
    if (above) {
      // Nearer to the next multiple: the rest is negative.
      quadrant++;
      negateProduct();
      product[0] &= -1L >>> 2;
    }
    int zeros = 0;
    while (product[0] == 0) {
      shiftProductLeft(64);
      zeros += 64;
    }
    int lead = Long.numberOfLeadingZeros(product[0]);
    shiftProductLeft(lead);
    zeros += lead;
    x.set(above, 1 - zeros, product[0], product[1]);
    x.multiply(x, HALF_PI);
    if (negative) {
      x.negative = !x.negative;
      quadrant = -quadrant;
    }
    quadrant &= 3;
  }

  private void multiplyByTwoOverPi(long m) {
    long carry = 0;
    for (int i = 4; i >= 0; i--) {
      long low = m * TWO_OVER_PI[i] + carry;
      long high = Math.unsignedMultiplyHigh(m, TWO_OVER_PI[i]) + (Long.compareUnsigned(low, carry) < 0 ? 1 : 0);
      product[i + 1] = low;
      carry = high;
    }
    product[0] = carry;
  }

  private void shiftProductLeft(int bits) {
    int words = bits >> 6;
    int rest = bits & 63;
    for (int i = 0; i < 6; i++) {
      long here = i + words < 6 ? product[i + words] : 0;
      long next = i + words + 1 < 6 ? product[i + words + 1] : 0;
      product[i] = rest == 0 ? here : here << rest | next >>> 64 - rest;
    }
  }

  /** By 1 or 2. */
  private void shiftProductRight(int bits) {
    for (int i = 5; i > 0; i--) {
      product[i] = product[i] >>> bits | product[i - 1] << 64 - bits;
    }
    product[0] >>>= bits;
  }

  private void negateProduct() {
    boolean carry = true;
    for (int i = 5; i >= 0; i--) {
      product[i] = ~product[i] + (carry ? 1 : 0);
      carry = carry && product[i] == 0;
    }
  }

  /** x - x^3/3! + x^5/5! - ... of the rest, from the innermost factor outwards. */
  private Wide sineOfRest() {
    square.multiply(x, x);
    sum.set(ONE);
    for (int n = 34; n > 0; n -= 2) {
      term.multiply(square, sum);
      term.divideBy(n * (n + 1));
      sum.subtract(ONE, term);
    }
    sine.multiply(x, sum);
    return sine;
  }

  private Wide cosineOfRest() {
    square.multiply(x, x);
    sum.set(ONE);
    for (int n = 35; n > 0; n -= 2) {
      term.multiply(square, sum);
      term.divideBy(n * (n + 1));
      sum.subtract(ONE, term);
    }
    cosine.set(sum);
    return cosine;
  }

  // Arctangent.

  /** FPATAN: the angle of the point (x, y), y being ST(1) and x ST(0). */
  void arctangent(int ySe, long ySig, int xSe, long xSig) {
    if (arithmetic.special(xSe, xSig, ySe, ySig)) {
      return;
    }
    noteDenormals(xSe, xSig, ySe, ySig);
    boolean negative = (ySe & SIGN) != 0;
    boolean left = (xSe & SIGN) != 0;
    boolean yInfinite = X87Arithmetic.isInfinite(ySe, ySig);
    boolean xInfinite = X87Arithmetic.isInfinite(xSe, xSig);
    boolean yZero = X87Arithmetic.isZero(ySe, ySig);
    boolean xZero = X87Arithmetic.isZero(xSe, xSig);
    if (yInfinite && xInfinite) {
      sum.set(QUARTER_PI);
      if (left) {
        sum.add(sum, HALF_PI);
      }
    } else if (yZero || xInfinite) {
      if (!left) {
        arithmetic.set(ySe & SIGN, 0);
        return;
      }
      sum.set(PI);
    } else if (xZero || yInfinite) {
      sum.set(HALF_PI);
    } else {
      load(x, xSe, xSig);
      load(y, ySe, ySig);
      x.negative = false;
      y.negative = false;
      boolean steep = x.isLess(y);
      if (steep) {
        point.divide(x, y);
      } else {
        point.divide(y, x);
      }
      arctangentOfPoint();
      if (steep) {
        if (left) {
          sum.add(HALF_PI, sum);
        } else {
          sum.subtract(HALF_PI, sum);
        }
      } else if (left) {
        sum.subtract(PI, sum);
      }
    }
    sum.negative = negative;
    store(sum);
  }

  /** The arctangent of {@link #point} (0 to 1) into {@link #sum}: nearest table value c and the series of (p - c) / (1 + p c). */
  private void arctangentOfPoint() {
    // The nearest sixteenth.
    int sixteenths = point.exponent < -5 ? 0 : (int) ((point.high >>> 58 - point.exponent) + 1 >>> 1);
    if (sixteenths == 0) {
      x.set(point);
    } else {
      y.set(sixteenths);
      y.divideBy(16);
      x.subtract(point, y);
      term.multiply(point, y);
      term.add(ONE, term);
      x.divide(x, term);
    }
    square.multiply(x, x);
    sum.setZero();
    for (int n = 29; n > 0; n -= 2) {
      // 1/n - square * (1/(n + 2) - ...)
      term.multiply(square, sum);
      y.set(ONE);
      y.divideBy(n);
      sum.subtract(y, term);
    }
    sum.multiply(x, sum);
    if (sixteenths > 0) {
      sum.add(ARCTANGENTS[sixteenths - 1], sum);
    }
  }

  // Exponential and logarithms.

  /** F2XM1. From 1 upwards and below -1, where the manuals leave the result undefined, the operand itself is the result. */
  void powerOfTwoMinusOne(int se, long sig) {
    if (arithmetic.special(se, sig)) {
      return;
    }
    if (X87Arithmetic.isInfinite(se, sig)) {
      if ((se & SIGN) != 0) {
        arithmetic.set(SIGN | BIAS, INTEGER_BIT);
      } else {
        arithmetic.set(se, sig);
      }
      return;
    }
    noteDenormals(se, sig, se, sig);
    if (sig == 0) {
      arithmetic.set(se, sig);
      return;
    }
    load(x, se, sig);
    if (x.exponent >= 0) {
      boolean minusOne = x.negative && x.exponent == 0 && x.high == INTEGER_BIT;
      arithmetic.exceptions |= PRECISION;
      arithmetic.set(minusOne ? SIGN | BIAS - 1 : se, sig);
      return;
    }
    // e^t - 1 = t (1 + t/2 (1 + t/3 (1 + ...)))
    x.multiply(x, LN_2);
    sum.set(ONE);
    for (int n = 34; n > 1; n--) {
      term.multiply(x, sum);
      term.divideBy(n);
      sum.add(ONE, term);
    }
    sum.multiply(x, sum);
    store(sum);
  }

  /** FYL2X: y times the binary logarithm of x. */
  void logarithm(int xSe, long xSig, int ySe, long ySig) {
    if (arithmetic.special(xSe, xSig, ySe, ySig)) {
      return;
    }
    boolean yZero = X87Arithmetic.isZero(ySe, ySig);
    boolean yInfinite = X87Arithmetic.isInfinite(ySe, ySig);
    int ySign = ySe & SIGN;
    if (X87Arithmetic.isZero(xSe, xSig)) {
      if (yZero) {
        arithmetic.setInvalid();
        return;
      }
      if (!yInfinite) {
        arithmetic.exceptions |= ZERO_DIVIDE;
      }
      arithmetic.set(ySign ^ SIGN | EXPONENT, INTEGER_BIT);
      return;
    }
    if ((xSe & SIGN) != 0) {
      arithmetic.setInvalid();
      return;
    }
    if (X87Arithmetic.isInfinite(xSe, xSig)) {
      if (yZero) {
        arithmetic.setInvalid();
      } else {
        noteDenormals(ySe, ySig, ySe, ySig);
        arithmetic.set(ySign | EXPONENT, INTEGER_BIT);
      }
      return;
    }
    load(x, xSe, xSig);
    boolean isOne = x.exponent == 0 && x.high == INTEGER_BIT;
    if (yInfinite) {
      if (isOne) {
        arithmetic.setInvalid();
      } else {
        noteDenormals(xSe, xSig, xSe, xSig);
        arithmetic.set((x.exponent < 0 ? ySign ^ SIGN : ySign) | EXPONENT, INTEGER_BIT);
      }
      return;
    }
    noteDenormals(xSe, xSig, ySe, ySig);
    if (isOne || yZero) {
      arithmetic.set(x.exponent < 0 ? ySign ^ SIGN : ySign, 0);
      return;
    }
    load(y, ySe, ySig);
    if (x.high == INTEGER_BIT) {
      multiplyExactly(x.exponent, ySe, ySig);
      return;
    }
    logarithmOfX();
    sum.multiply(sum, y);
    store(sum);
  }

  /** y times an integer, the logarithm of a power of two. The result may be exact; the precision exception comes all the same. */
  private void multiplyExactly(int power, int ySe, long ySig) {
    int magnitude = Math.abs(power);
    long factor = (long) magnitude << 32 + Integer.numberOfLeadingZeros(magnitude);
    int factorExponent = 31 - Integer.numberOfLeadingZeros(magnitude);
    int yExponent = X87Arithmetic.exponent(ySe, ySig);
    arithmetic.exact.multiply(power < 0, factorExponent, factor, (ySe & SIGN) != 0, yExponent, X87Arithmetic.normalized(ySig));
    arithmetic.round(64);
    arithmetic.exceptions |= PRECISION;
  }

  /** FYL2XP1: y times the binary logarithm of x + 1. */
  void logarithmPlusOne(int xSe, long xSig, int ySe, long ySig) {
    if (arithmetic.special(xSe, xSig, ySe, ySig)) {
      return;
    }
    boolean xZero = X87Arithmetic.isZero(xSe, xSig);
    boolean yZero = X87Arithmetic.isZero(ySe, ySig);
    boolean xInfinite = X87Arithmetic.isInfinite(xSe, xSig);
    boolean yInfinite = X87Arithmetic.isInfinite(ySe, ySig);
    int sign = (xSe ^ ySe) & SIGN;
    if (xInfinite && ((xSe & SIGN) != 0 || yZero) || yInfinite && xZero) {
      arithmetic.setInvalid();
      return;
    }
    noteDenormals(xSe, xSig, ySe, ySig);
    if (xInfinite || yInfinite) {
      arithmetic.set(sign | EXPONENT, INTEGER_BIT);
      return;
    }
    if (xZero || yZero) {
      arithmetic.set(sign, 0);
      return;
    }
    load(x, xSe, xSig);
    load(y, ySe, ySig);
    if (x.negative && x.exponent >= 0) {
      // 1 + x is not positive.
      if (x.exponent == 0 && x.high == INTEGER_BIT) {
        arithmetic.exceptions |= ZERO_DIVIDE;
        arithmetic.set(ySe & SIGN ^ SIGN | EXPONENT, INTEGER_BIT);
      } else {
        arithmetic.setInvalid();
      }
      return;
    }
    if (x.exponent < -6) {
      // log2(1 + x) = 2/ln 2 * artanh(x / (2 + x)); 1 + x itself would lose the lower bits of a small x.
      term.add(TWO, x);
      x.divide(x, term);
      artanhOfX();
    } else {
      x.add(ONE, x);
      logarithmOfX();
    }
    sum.multiply(sum, y);
    store(sum);
  }

  /** The binary logarithm of {@link #x}, positive, into {@link #sum}. */
  private void logarithmOfX() {
    int power = x.exponent;
    x.exponent = 0;
    if (Long.compareUnsigned(x.high, 0xC000000000000000L) >= 0) {
      // Keep the significand between 3/4 and 3/2, so that the power is 0 around 1.
      x.exponent = -1;
      power++;
    }
    // The nearest j/32, and x/(j/32) through artanh((x - c) / (x + c)).
    int j = (int) ((x.high >>> 57 - x.exponent) + 1 >>> 1);
    point.set(j);
    point.divideBy(32);
    term.add(x, point);
    x.subtract(x, point);
    x.divide(x, term);
    artanhOfX();
    term.set(LOGARITHMS[j - FIRST_LOGARITHM]);
    term.negative = j < 32;
    sum.add(term, sum);
    if (power != 0) {
      term.set(Math.abs(power));
      term.negative = power < 0;
      sum.add(term, sum);
    }
  }

  /** 2/ln 2 times the inverse hyperbolic tangent of {@link #x} (at most 1/47) into {@link #sum}. */
  private void artanhOfX() {
    square.multiply(x, x);
    sum.setZero();
    for (int n = 25; n > 0; n -= 2) {
      term.multiply(square, sum);
      point.set(ONE);
      point.divideBy(n);
      sum.add(point, term);
    }
    sum.multiply(x, sum);
    sum.multiply(sum, TWO_OVER_LN_2);
  }
}
