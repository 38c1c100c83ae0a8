package org.xenolith.cpu.x87;

import static org.xenolith.cpu.x87.X87Word.DENORMAL;
import static org.xenolith.cpu.x87.X87Word.DOWN;
import static org.xenolith.cpu.x87.X87Word.INVALID;
import static org.xenolith.cpu.x87.X87Word.NEAREST;
import static org.xenolith.cpu.x87.X87Word.OVERFLOW;
import static org.xenolith.cpu.x87.X87Word.PRECISION;
import static org.xenolith.cpu.x87.X87Word.PRECISION_SHIFT;
import static org.xenolith.cpu.x87.X87Word.ROUNDING_SHIFT;
import static org.xenolith.cpu.x87.X87Word.UNDERFLOW;
import static org.xenolith.cpu.x87.X87Word.UP;
import static org.xenolith.cpu.x87.X87Word.ZERO_DIVIDE;

import org.xenolith.cpu.softfloat.Exact;

/**
 * Arithmetic on 80-bit extended numbers, exact in results and exceptions. A number is an int with sign (bit 15) and biased exponent (bits
 * 14 to 0) and a long with the significand and its explicit integer bit. Results stay in the fields of this object, one per vCPU. Intel
 * manual volume 1, chapters 4 and 8.
 *
 * <p>Masked overflow and underflow give the usual results, unmasked ones the result with its exponent moved by 24576. Whether a result is
 * written at all is decided by the caller.
 */
public final class X87Arithmetic {
  static final int SIGN = 0x8000, EXPONENT = 0x7FFF, BIAS = 16383;
  static final long INTEGER_BIT = Long.MIN_VALUE, QUIET_BIT = 1L << 62;

  /** The default NaN: "real indefinite". */
  static final int INDEFINITE_EXPONENT = 0xFFFF;

  static final long INDEFINITE_SIGNIFICAND = INTEGER_BIT | QUIET_BIT;

  private static final int WRAP = 24576;

  /** The control word: precision, rounding and masks are taken from it. */
  public int control = X87Word.CONTROL_RESET;

  /** The result's sign and exponent. */
  public int signExponent;

  /** The result's significand. */
  public long significand;

  /** Exceptions of the last operation, as status word bits. */
  public int exceptions;

  /** Whether the last result was rounded up in magnitude (C1). */
  public boolean roundedUp;

  /** The low three bits of the last remainder's quotient; -1 if there was none because of a special operand. */
  public int quotient;

  /** Whether the last remainder is only partial (C2). */
  public boolean partial;

  /** Set by a caller whose operand was a denormal in memory and is a normal number in extended format. */
  boolean denormalInMemory;

  final Exact exact = new Exact();

  /** Starts an operation. */
  public void begin() {
    exceptions = 0;
    roundedUp = false;
    denormalInMemory = false;
  }

  // Kinds of numbers.

  static boolean isZero(int se, long sig) {
    return (se & EXPONENT) == 0 && sig == 0;
  }

  /** Denormals and pseudo-denormals. */
  static boolean isDenormal(int se, long sig) {
    return (se & EXPONENT) == 0 && sig != 0;
  }

  /** Unnormals, pseudo-infinities and pseudo-NaNs, which have no integer bit where they should. */
  static boolean isUnsupported(int se, long sig) {
    return (se & EXPONENT) != 0 && sig >= 0;
  }

  static boolean isInfinite(int se, long sig) {
    return (se & EXPONENT) == EXPONENT && sig == INTEGER_BIT;
  }

  static boolean isNan(int se, long sig) {
    return (se & EXPONENT) == EXPONENT && sig < 0 && sig != INTEGER_BIT;
  }

  static boolean isSignalling(int se, long sig) {
    return isNan(se, sig) && (sig & QUIET_BIT) == 0;
  }

  /** The unbiased exponent of the leading bit of a finite, non-zero number. */
  static int exponent(int se, long sig) {
    int biased = se & EXPONENT;
    return (biased == 0 ? 1 : biased) - BIAS - Long.numberOfLeadingZeros(sig);
  }

  static long normalized(long sig) {
    return sig << Long.numberOfLeadingZeros(sig);
  }

  int roundingMode() {
    return control >> ROUNDING_SHIFT & 3;
  }

  /** Significand bits of arithmetic results. The reserved setting 1 works as extended. */
  private int precision() {
    return switch (control >> PRECISION_SHIFT & 3) {
      case 2 -> 53;
      case 0 -> 24;
      default -> 64;
    };
  }

  // Results.

  void set(int se, long sig) {
    signExponent = se;
    significand = sig;
  }

  void setInvalid() {
    exceptions |= INVALID;
    set(INDEFINITE_EXPONENT, INDEFINITE_SIGNIFICAND);
  }

  private void setInfinity(int sign) {
    set(sign | EXPONENT, INTEGER_BIT);
  }

  private void noteDenormal(int se, long sig) {
    if (isDenormal(se, sig)) {
      exceptions |= DENORMAL;
    }
  }

  private void noteDenormals(int aSe, long a, int bSe, long b) {
    if (denormalInMemory || isDenormal(aSe, a) || isDenormal(bSe, b)) {
      exceptions |= DENORMAL;
    }
  }

  /** Handles unsupported numbers and NaNs; true if it did and the result is set. */
  boolean special(int aSe, long a, int bSe, long b) {
    if (isUnsupported(aSe, a) || isUnsupported(bSe, b)) {
      setInvalid();
      return true;
    }
    boolean aNan = isNan(aSe, a);
    boolean bNan = isNan(bSe, b);
    if (!aNan && !bNan) {
      return false;
    }
    boolean aSignalling = isSignalling(aSe, a);
    boolean bSignalling = isSignalling(bSe, b);
    if (aSignalling || bSignalling) {
      exceptions |= INVALID;
    }
    boolean chooseA;
    if (!aNan || !bNan) {
      chooseA = aNan;
    } else if (aSignalling != bSignalling) {
      chooseA = bSignalling;
    } else {
      // The greater significand; among equals the positive one.
      int order = Long.compareUnsigned(a, b);
      chooseA = order != 0 ? order > 0 : (aSe & SIGN) == 0;
    }
    if (chooseA) {
      set(aSe, a | QUIET_BIT);
    } else {
      set(bSe, b | QUIET_BIT);
    }
    return true;
  }

  boolean special(int se, long sig) {
    return special(se, sig, se, sig);
  }

  // Operations.

  public void add(int aSe, long a, int bSe, long b) {
    addSigned(aSe, a, bSe, b, 0);
  }

  public void subtract(int aSe, long a, int bSe, long b) {
    addSigned(aSe, a, bSe, b, SIGN);
  }

  private void addSigned(int aSe, long a, int bOriginal, long b, int flip) {
    if (special(aSe, a, bOriginal, b)) {
      return;
    }
    int bSe = bOriginal ^ flip;
    if (isInfinite(aSe, a)) {
      if (isInfinite(bSe, b) && aSe != bSe) {
        setInvalid();
        return;
      }
      noteDenormals(aSe, a, bSe, b);
      set(aSe, a);
      return;
    }
    noteDenormals(aSe, a, bSe, b);
    if (isInfinite(bSe, b)) {
      set(bSe, b);
      return;
    }
    boolean aZero = isZero(aSe, a);
    boolean bZero = isZero(bSe, b);
    if (aZero && bZero) {
      set(aSe == bSe ? aSe : signOfCancellation(), 0);
      return;
    }
    if (aZero || bZero) {
      int se = aZero ? bSe : aSe;
      long sig = aZero ? b : a;
      exact.set((se & SIGN) != 0, exponent(se, sig), normalized(sig), 0);
    } else {
      exact.add((aSe & SIGN) != 0, exponent(aSe, a), normalized(a), (bSe & SIGN) != 0, exponent(bSe, b), normalized(b));
      if (exact.high == 0) {
        set(signOfCancellation(), 0);
        return;
      }
    }
    round(precision());
  }

  private int signOfCancellation() {
    return roundingMode() == DOWN ? SIGN : 0;
  }

  public void multiply(int aSe, long a, int bSe, long b) {
    if (special(aSe, a, bSe, b)) {
      return;
    }
    int sign = (aSe ^ bSe) & SIGN;
    if (isInfinite(aSe, a) || isInfinite(bSe, b)) {
      if (isZero(aSe, a) || isZero(bSe, b)) {
        setInvalid();
      } else {
        noteDenormals(aSe, a, bSe, b);
        setInfinity(sign);
      }
      return;
    }
    noteDenormals(aSe, a, bSe, b);
    if (isZero(aSe, a) || isZero(bSe, b)) {
      set(sign, 0);
      return;
    }
    exact.multiply((aSe & SIGN) != 0, exponent(aSe, a), normalized(a), (bSe & SIGN) != 0, exponent(bSe, b), normalized(b));
    round(precision());
  }

  public void divide(int aSe, long a, int bSe, long b) {
    if (special(aSe, a, bSe, b)) {
      return;
    }
    int sign = (aSe ^ bSe) & SIGN;
    if (isInfinite(aSe, a)) {
      if (isInfinite(bSe, b)) {
        setInvalid();
      } else {
        noteDenormals(aSe, a, bSe, b);
        setInfinity(sign);
      }
      return;
    }
    if (isZero(bSe, b)) {
      if (isZero(aSe, a)) {
        setInvalid();
      } else {
        exceptions |= ZERO_DIVIDE;
        setInfinity(sign);
      }
      return;
    }
    noteDenormals(aSe, a, bSe, b);
    if (isZero(aSe, a) || isInfinite(bSe, b)) {
      set(sign, 0);
      return;
    }
    exact.divide((aSe & SIGN) != 0, exponent(aSe, a), normalized(a), (bSe & SIGN) != 0, exponent(bSe, b), normalized(b));
    round(precision());
  }

  public void squareRoot(int se, long sig) {
    if (special(se, sig)) {
      return;
    }
    if (isZero(se, sig)) {
      set(se, sig);
      return;
    }
    if ((se & SIGN) != 0) {
      setInvalid();
      return;
    }
    noteDenormal(se, sig);
    if (isInfinite(se, sig)) {
      set(se, sig);
      return;
    }
    exact.squareRoot(exponent(se, sig), normalized(sig));
    round(precision());
  }

  /** FRNDINT. */
  public void roundToInteger(int se, long sig) {
    if (special(se, sig)) {
      return;
    }
    noteDenormal(se, sig);
    int exponent = isZero(se, sig) ? 0 : exponent(se, sig);
    if (isZero(se, sig) || isInfinite(se, sig) || exponent >= 63) {
      set(se, sig);
      return;
    }
    long integer = integerPart((se & SIGN) != 0, exponent, normalized(sig));
    if (integer == 0) {
      set(se & SIGN, 0);
      return;
    }
    int shift = Long.numberOfLeadingZeros(integer);
    set(se & SIGN | BIAS + 63 - shift, integer << shift);
  }

  /**
   * A magnitude below 2^64 rounded to an integer by the rounding mode; sets precision and {@link #roundedUp}. A carry out of 64 bits gives
   * 0 and can come only from exponent 63, which has no fraction.
   */
  long integerPart(boolean negative, int exponent, long sig) {
    return integerPart(negative, exponent, sig, roundingMode());
  }

  long integerPart(boolean negative, int exponent, long sig, int mode) {
    long kept;
    long lost;
    if (exponent >= 0) {
      kept = sig >>> 63 - exponent;
      lost = exponent == 63 ? 0 : sig << exponent + 1;
    } else {
      kept = 0;
      lost = exponent == -1 ? sig : 1;
    }
    if (lost == 0) {
      return kept;
    }
    exceptions |= PRECISION;
    roundedUp = roundsUp(mode, negative, kept & 1, lost, 0);
    return roundedUp ? kept + 1 : kept;
  }

  /** FSCALE: a times two to the power of b's integer part. */
  public void scale(int aSe, long a, int bSe, long b) {
    if (special(aSe, a, bSe, b)) {
      return;
    }
    boolean down = (bSe & SIGN) != 0;
    if (isInfinite(bSe, b)) {
      if (down ? isInfinite(aSe, a) : isZero(aSe, a)) {
        setInvalid();
        return;
      }
      noteDenormal(aSe, a);
      if (down) {
        set(aSe & SIGN, 0);
      } else {
        setInfinity(aSe & SIGN);
      }
      return;
    }
    noteDenormals(aSe, a, bSe, b);
    if (isZero(aSe, a) || isInfinite(aSe, a)) {
      set(aSe, a);
      return;
    }
    int power = 0;
    if (!isZero(bSe, b)) {
      int exponent = exponent(bSe, b);
      // Beyond 2^17 the result is out of range whatever the significand.
      power = exponent < 0 ? 0 : exponent > 16 ? 1 << 17 : (int) (normalized(b) >>> 63 - exponent);
    }
    exact.set((aSe & SIGN) != 0, exponent(aSe, a) + (down ? -power : power), normalized(a), 0);
    round(64);
  }

  /**
   * FPREM ({@code nearest} false, the quotient truncated) and FPREM1 (rounded to nearest). When the exponents differ by 64 or more only a
   * part of the quotient is taken and {@link #partial} is set.
   */
  public void remainder(int aSe, long a, int bSe, long b, boolean nearest) {
    quotient = -1;
    partial = false;
    if (special(aSe, a, bSe, b)) {
      return;
    }
    if (isInfinite(aSe, a) || isZero(bSe, b)) {
      setInvalid();
      return;
    }
    quotient = 0;
    noteDenormals(aSe, a, bSe, b);
    if (isZero(aSe, a)) {
      set(aSe, a);
      return;
    }
    if (isInfinite(bSe, b)) {
      exact.set((aSe & SIGN) != 0, exponent(aSe, a), normalized(a), 0);
      round(64);
      return;
    }
    int aExponent = exponent(aSe, a);
    int bExponent = exponent(bSe, b);
    long rest = normalized(a);
    long divisor = normalized(b);
    boolean negative = (aSe & SIGN) != 0;
    int distance = aExponent - bExponent;
    if (distance < (nearest ? -1 : 0)) {
      exact.set(negative, aExponent, rest, 0);
      round(64);
      return;
    }
    if (distance == -1) {
      // 1/2 <= a/b < 1: the nearest quotient is 1 above one half.
      if (Long.compareUnsigned(rest, divisor) > 0) {
        quotient = 1;
        exact.add(negative, aExponent, rest, !negative, bExponent, divisor);
      } else {
        exact.set(negative, aExponent, rest, 0);
      }
      round(64);
      return;
    }
    int steps = distance;
    if (distance > 63) {
      partial = true;
      steps = distance & 31 | 32;
    }
    long q = 0;
    boolean carry = false;
    for (int i = 0; ; i++) {
      q <<= 1;
      if (carry || Long.compareUnsigned(rest, divisor) >= 0) {
        rest -= divisor;
        q |= 1;
      }
      if (i == steps) {
        break;
      }
      carry = rest < 0;
      rest <<= 1;
    }
    int exponent = aExponent - steps;
    if (!partial) {
      if (nearest) {
        int order = rest < 0 ? 1 : Long.compareUnsigned(rest << 1, divisor);
        if (order > 0 || order == 0 && (q & 1) != 0) {
          q++;
          rest = divisor - rest;
          negative = !negative;
        }
      }
      quotient = (int) q & 7;
    }
    if (rest == 0) {
      set(aSe & SIGN, 0);
      return;
    }
    exact.set(negative, exponent, rest, 0);
    exact.normalize();
    round(64);
  }

  /** FXTRACT, first half: the exponent of the number as a number. The significand is {@link #extractSignificand}. */
  public void extractExponent(int se, long sig) {
    if (special(se, sig)) {
      return;
    }
    if (isZero(se, sig)) {
      exceptions |= ZERO_DIVIDE;
      setInfinity(SIGN);
      return;
    }
    if (isInfinite(se, sig)) {
      setInfinity(0);
      return;
    }
    noteDenormal(se, sig);
    fromInteger(exponent(se, sig));
  }

  public void extractSignificand(int se, long sig) {
    if (special(se, sig)) {
      return;
    }
    if (isZero(se, sig) || isInfinite(se, sig)) {
      set(se, sig);
      return;
    }
    set(se & SIGN | BIAS, normalized(sig));
  }

  /** An integer as a number: always exact. */
  public void fromInteger(long value) {
    if (value == 0) {
      set(0, 0);
      return;
    }
    long magnitude = Math.abs(value);
    int shift = Long.numberOfLeadingZeros(magnitude);
    set((value < 0 ? SIGN : 0) | BIAS + 63 - shift, magnitude << shift);
  }

  public static final int LESS = -1, EQUAL = 0, GREATER = 1, UNORDERED = 2;

  /** The order of two numbers. Quiet NaNs are invalid operands when {@code signalling} (FCOM), else only signalling ones (FUCOM). */
  public int compare(int aSe, long a, int bSe, long b, boolean signalling) {
    if (isUnsupported(aSe, a) || isUnsupported(bSe, b)) {
      exceptions |= INVALID;
      return UNORDERED;
    }
    if (isNan(aSe, a) || isNan(bSe, b)) {
      if (signalling || isSignalling(aSe, a) || isSignalling(bSe, b)) {
        exceptions |= INVALID;
      }
      return UNORDERED;
    }
    noteDenormals(aSe, a, bSe, b);
    boolean aZero = isZero(aSe, a);
    boolean bZero = isZero(bSe, b);
    if (aZero && bZero) {
      return EQUAL;
    }
    boolean aNegative = (aSe & SIGN) != 0;
    if (aZero) {
      return (bSe & SIGN) != 0 ? GREATER : LESS;
    }
    if (bZero || aNegative != ((bSe & SIGN) != 0)) {
      return aNegative ? LESS : GREATER;
    }
    // A pseudo-denormal has the value of the number with exponent 1 and the same significand.
    int aExponent = Math.max(aSe & EXPONENT, 1);
    int bExponent = Math.max(bSe & EXPONENT, 1);
    int order = aExponent != bExponent ? Integer.compare(aExponent, bExponent) : Long.compareUnsigned(a, b);
    int clamped = Integer.signum(order);
    return aNegative ? -clamped : clamped;
  }

  // Rounding.

  static boolean roundsUp(int mode, boolean negative, long lastBit, long lost, long low) {
    return switch (mode) {
      case NEAREST -> lost < 0 && ((lost << 1 | low | lastBit) != 0);
      case DOWN -> negative;
      case UP -> !negative;
      default -> false;
    };
  }

  /** Rounds {@link #exact} to so many significand bits within the exponent range of the extended format. */
  void round(int bits) {
    long unit = 1L << 64 - bits;
    int mode = roundingMode();
    int exponent = exact.exponent;
    long kept = exact.high & -unit;
    long lost = bits == 64 ? exact.low : exact.high << bits;
    long low = bits == 64 ? 0 : exact.low;
    boolean inexact = (lost | low) != 0;
    boolean up = inexact && roundsUp(mode, exact.negative, exact.high & unit, lost, low);
    if (up) {
      kept += unit;
      if (kept == 0) {
        kept = INTEGER_BIT;
        exponent++;
      }
    }
    if (exponent < 1 - BIAS) {
      if ((control & UNDERFLOW) != 0) {
        roundDenormal(unit, bits, mode);
        return;
      }
      exceptions |= UNDERFLOW;
      exponent += WRAP;
      if (exponent < 1 - BIAS) {
        // FSCALE can go beyond the wrapped range, too.
        exceptions |= PRECISION;
        set(exact.negative ? SIGN : 0, 0);
        return;
      }
    } else if (exponent > BIAS) {
      if ((control & OVERFLOW) != 0) {
        exceptions |= OVERFLOW | PRECISION;
        boolean toInfinity = mode == NEAREST || mode == (exact.negative ? DOWN : UP);
        roundedUp = toInfinity;
        set((exact.negative ? SIGN : 0) | (toInfinity ? EXPONENT : EXPONENT - 1), toInfinity ? INTEGER_BIT : -unit);
        return;
      }
      exceptions |= OVERFLOW;
      exponent -= WRAP;
      if (exponent > BIAS) {
        exceptions |= PRECISION;
        roundedUp = true;
        setInfinity(exact.negative ? SIGN : 0);
        return;
      }
    }
    if (inexact) {
      exceptions |= PRECISION;
      roundedUp = up;
    }
    set((exact.negative ? SIGN : 0) | exponent + BIAS, kept);
  }

  /** Masked underflow: the same precision counted from where the integer bit would be. */
  private void roundDenormal(long unit, int bits, int mode) {
    exact.denormalize(1 - BIAS - exact.exponent);
    long kept = exact.high & -unit;
    long lost = bits == 64 ? exact.low : exact.high << bits;
    long low = bits == 64 ? 0 : exact.low;
    if ((lost | low) != 0) {
      exceptions |= UNDERFLOW | PRECISION;
      roundedUp = roundsUp(mode, exact.negative, exact.high & unit, lost, low);
      if (roundedUp) {
        kept += unit;
      }
    }
    set((exact.negative ? SIGN : 0) | (kept < 0 ? 1 : 0), kept);
  }
}
