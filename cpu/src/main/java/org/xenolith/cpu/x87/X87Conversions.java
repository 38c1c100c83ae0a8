package org.xenolith.cpu.x87;

import static org.xenolith.cpu.x87.X87Arithmetic.BIAS;
import static org.xenolith.cpu.x87.X87Arithmetic.EXPONENT;
import static org.xenolith.cpu.x87.X87Arithmetic.INTEGER_BIT;
import static org.xenolith.cpu.x87.X87Arithmetic.QUIET_BIT;
import static org.xenolith.cpu.x87.X87Arithmetic.SIGN;
import static org.xenolith.cpu.x87.X87Word.DOWN;
import static org.xenolith.cpu.x87.X87Word.INVALID;
import static org.xenolith.cpu.x87.X87Word.NEAREST;
import static org.xenolith.cpu.x87.X87Word.OVERFLOW;
import static org.xenolith.cpu.x87.X87Word.PRECISION;
import static org.xenolith.cpu.x87.X87Word.UNDERFLOW;
import static org.xenolith.cpu.x87.X87Word.UP;

import org.xenolith.cpu.softfloat.Exact;

/**
 * Between extended numbers and the formats of memory operands: single, double, integers, packed decimal. Exceptions go to the arithmetic.
 */
public final class X87Conversions {
  private static final long DECIMAL_LIMIT = 1_000_000_000_000_000_000L;

  private final X87Arithmetic arithmetic;

  /** Bits 79 to 64 of the last packed decimal. */
  public int decimalHigh;

  public X87Conversions(X87Arithmetic arithmetic) {
    this.arithmetic = arithmetic;
  }

  /** Widens a single into the arithmetic's result as it is: signalling NaNs stay so, a denormal is noted in denormalInMemory. */
  public void fromSingle(int bits) {
    widen(bits < 0, bits >>> 23 & 0xFF, (bits & 0x7FFFFFL) << 40, 0xFF, 127);
  }

  /** Widens a double likewise. */
  public void fromDouble(long bits) {
    widen(bits < 0, (int) (bits >>> 52) & 0x7FF, bits << 11 & Long.MAX_VALUE, 0x7FF, 1023);
  }

  private void widen(boolean negative, int exponent, long fraction, int greatest, int bias) {
    int sign = negative ? SIGN : 0;
    if (exponent == greatest) {
      arithmetic.set(sign | EXPONENT, INTEGER_BIT | fraction);
    } else if (exponent != 0) {
      arithmetic.set(sign | exponent - bias + BIAS, INTEGER_BIT | fraction);
    } else if (fraction == 0) {
      arithmetic.set(sign, 0);
    } else {
      arithmetic.denormalInMemory = true;
      int shift = Long.numberOfLeadingZeros(fraction);
      arithmetic.set(sign | 1 - bias + BIAS - shift, fraction << shift);
    }
  }

  /** Widens an integer. */
  public void fromInteger(long value) {
    arithmetic.fromInteger(value);
  }

  /** Rounds to a single. With an unmasked overflow, underflow or invalid operand the value has no meaning and must not be stored. */
  public int toSingle(int se, long sig) {
    return (int) narrow(se, sig, 24, 127);
  }

  public long toDouble(int se, long sig) {
    return narrow(se, sig, 53, 1023);
  }

  private long narrow(int se, long sig, int bits, int bias) {
    int fractionBits = bits - 1;
    long infinity = (2L * bias + 1) << fractionBits;
    long sign = (se & SIGN) != 0 ? infinity + (1L << fractionBits) : 0;
    if (X87Arithmetic.isUnsupported(se, sig)) {
      arithmetic.exceptions |= INVALID;
      return infinity + (1L << fractionBits) | infinity | 1L << fractionBits - 1;
    }
    if (X87Arithmetic.isNan(se, sig)) {
      if (X87Arithmetic.isSignalling(se, sig)) {
        arithmetic.exceptions |= INVALID;
      }
      return sign | infinity | (sig | QUIET_BIT) << 1 >>> 65 - bits;
    }
    if (X87Arithmetic.isInfinite(se, sig)) {
      return sign | infinity;
    }
    if (sig == 0) {
      return sign;
    }
    Exact exact = arithmetic.exact;
    exact.set((se & SIGN) != 0, X87Arithmetic.exponent(se, sig), X87Arithmetic.normalized(sig), 0);
    return sign | pack(bits, bias, infinity);
  }

  /** Rounds the exact value's magnitude to a format. Tininess is found after rounding. */
  private long pack(int bits, int bias, long infinity) {
    Exact exact = arithmetic.exact;
    int mode = arithmetic.roundingMode();
    int exponent = exact.exponent;
    long kept = exact.high >>> 64 - bits;
    long lost = exact.high << bits;
    boolean up = lost != 0 && X87Arithmetic.roundsUp(mode, exact.negative, kept & 1, lost, 0);
    if (up) {
      kept++;
      if (kept >>> bits != 0) {
        kept >>>= 1;
        exponent++;
      }
    }
    if (exponent > bias) {
      boolean masked = (arithmetic.control & OVERFLOW) != 0;
      arithmetic.exceptions |= masked ? OVERFLOW | PRECISION : OVERFLOW;
      boolean toInfinity = mode == NEAREST || mode == (exact.negative ? DOWN : UP);
      arithmetic.roundedUp = masked && toInfinity;
      return toInfinity ? infinity : infinity - 1;
    }
    if (exponent >= 1 - bias) {
      if (lost != 0) {
        arithmetic.exceptions |= PRECISION;
        arithmetic.roundedUp = up;
      }
      // The integer bit adds one to the exponent field.
      return ((long) (exponent + bias - 1) << bits - 1) + kept;
    }
    if ((arithmetic.control & UNDERFLOW) == 0) {
      arithmetic.exceptions |= UNDERFLOW;
      return 0;
    }
    exact.denormalize(1 - bias - exact.exponent);
    kept = exact.high >>> 64 - bits;
    lost = exact.high << bits;
    if ((lost | exact.low) != 0) {
      arithmetic.exceptions |= UNDERFLOW | PRECISION;
      arithmetic.roundedUp = X87Arithmetic.roundsUp(mode, exact.negative, kept & 1, lost, exact.low);
      kept += arithmetic.roundedUp ? 1 : 0;
    }
    return kept;
  }

  /** Rounds to a signed integer of 16, 32 or 64 bits; what does not fit is invalid and gives the most negative one. */
  public long toInteger(int se, long sig, int width, boolean truncating) {
    long indefinite = -1L << width - 1;
    if (X87Arithmetic.isZero(se, sig)) {
      return 0;
    }
    boolean finite = (se & EXPONENT) != EXPONENT && !X87Arithmetic.isUnsupported(se, sig);
    if (!finite || X87Arithmetic.exponent(se, sig) > width - 1) {
      arithmetic.exceptions |= INVALID;
      return indefinite;
    }
    boolean negative = (se & SIGN) != 0;
    int mode = truncating ? X87Word.TOWARD_ZERO : arithmetic.roundingMode();
    long integer = arithmetic.integerPart(negative, X87Arithmetic.exponent(se, sig), X87Arithmetic.normalized(sig), mode);
    if (Long.compareUnsigned(integer, negative ? 1L << width - 1 : (1L << width - 1) - 1) > 0) {
      arithmetic.exceptions = arithmetic.exceptions & ~PRECISION | INVALID;
      arithmetic.roundedUp = false;
      return indefinite;
    }
    return negative ? -integer : integer;
  }

  /** FBLD: 18 decimal digits in bits 71 to 0, the sign in bit 79, as the arithmetic's result. A digit above 9 counts its binary value. */
  public void fromDecimal(long low, int high) {
    long value = (high >>> 4 & 0xF) * 10L + (high & 0xF);
    for (int i = 60; i >= 0; i -= 4) {
      value = value * 10 + (low >>> i & 0xF);
    }
    arithmetic.fromInteger(value);
    arithmetic.signExponent |= high & SIGN;
  }

  /** FBSTP: bits 63 to 0 of the packed decimal; the rest is in {@link #decimalHigh}. */
  public long toDecimal(int se, long sig) {
    boolean negative = (se & SIGN) != 0;
    long integer = 0;
    boolean fits = (se & EXPONENT) != EXPONENT && !X87Arithmetic.isUnsupported(se, sig);
    if (fits && sig != 0) {
      int exponent = X87Arithmetic.exponent(se, sig);
      fits = exponent < 63;
      if (fits) {
        integer = arithmetic.integerPart(negative, exponent, X87Arithmetic.normalized(sig));
        fits = Long.compareUnsigned(integer, DECIMAL_LIMIT) < 0;
      }
    }
    if (!fits) {
      arithmetic.exceptions = arithmetic.exceptions & ~PRECISION | INVALID;
      arithmetic.roundedUp = false;
      decimalHigh = 0xFFFF;
      return 0xC000000000000000L;
    }
    long low = 0;
    for (int i = 0; i < 64; i += 4) {
      low |= integer % 10 << i;
      integer /= 10;
    }
    decimalHigh = (int) (integer / 10 << 4 | integer % 10) | (negative ? SIGN : 0);
    return low;
  }
}
