package org.xenolith.cpu.sse;

import static org.xenolith.cpu.sse.BinaryFormat.DOUBLE;
import static org.xenolith.cpu.sse.BinaryFormat.SINGLE;
import static org.xenolith.cpu.sse.Mxcsr.DENORMAL;
import static org.xenolith.cpu.sse.Mxcsr.DENORMALS_ARE_ZEROS;
import static org.xenolith.cpu.sse.Mxcsr.FLUSH_TO_ZERO;
import static org.xenolith.cpu.sse.Mxcsr.INVALID;
import static org.xenolith.cpu.sse.Mxcsr.MASK_SHIFT;
import static org.xenolith.cpu.sse.Mxcsr.OVERFLOW;
import static org.xenolith.cpu.sse.Mxcsr.PRECISION;
import static org.xenolith.cpu.sse.Mxcsr.ROUNDING_SHIFT;
import static org.xenolith.cpu.sse.Mxcsr.UNDERFLOW;
import static org.xenolith.cpu.sse.Mxcsr.ZERO_DIVIDE;

import org.xenolith.cpu.softfloat.Exact;

/**
 * Arithmetic on single and double values under MXCSR, exact in results and flags: all rounding modes, denormals-are-zeros, flush-to-zero,
 * NaN propagation. Values are raw bits; a single is in the low 32 bits of an int. Intel manual volume 1, chapter 11 and appendix E.
 *
 * <p>Use: {@link #begin()}, one call per lane, then {@link #finish()}, which says whether the results may be written. One object per vCPU.
 *
 * <p>Java's own operations round to nearest, so they serve when MXCSR says so, precision is masked and already flagged (it nearly always
 * is, after the first inexact result) and neither operands nor result are special. All else is done with {@link Exact}.
 */
public final class SseFloats {
  public static final int NEAREST = 0, DOWN = 1, UP = 2, TOWARD_ZERO = 3;

  /** The control and status register. The processor loads and stores it here. */
  public int mxcsr = Mxcsr.RESET;

  private int raised;
  private final Exact exact = new Exact();

  /** Starts an instruction: no exceptions found yet. */
  public void begin() {
    raised = 0;
  }

  /**
   * Ends an instruction: moves the exceptions of all lanes to MXCSR.
   *
   * @return false if one of them is unmasked: the instruction must write nothing and raise #XM. When operands (invalid, denormal, division
   *     by zero) already bring one, the exceptions of results are not looked for.
   */
  public boolean finish() {
    if (raised == 0) {
      return true;
    }
    int unmasked = ~(mxcsr >>> MASK_SHIFT);
    int ofOperands = raised & (INVALID | DENORMAL | ZERO_DIVIDE);
    if ((ofOperands & unmasked) != 0) {
      mxcsr |= ofOperands;
      return false;
    }
    mxcsr |= raised;
    return (raised & unmasked) == 0;
  }

  /** The rounding mode of MXCSR. */
  public int roundingMode() {
    return mxcsr >>> ROUNDING_SHIFT & 3;
  }

  private boolean javaMayCompute() {
    int precisionMask = PRECISION << MASK_SHIFT;
    int rounding = 3 << ROUNDING_SHIFT;
    return (mxcsr & (rounding | PRECISION | precisionMask)) == (PRECISION | precisionMask);
  }

  /** Whether a result is so far inside the normal range that it can be neither tiny nor too great. */
  private static boolean isOrdinary(double value) {
    double magnitude = Math.abs(value);
    return magnitude > 0x1p-1021 && magnitude < 0x1p1023;
  }

  private static boolean isOrdinary(float value) {
    float magnitude = Math.abs(value);
    return magnitude > 0x1p-125f && magnitude < 0x1p127f;
  }

  // Single.

  public int add(int a, int b) {
    if (javaMayCompute() && SINGLE.isNormal(a) && SINGLE.isNormal(b)) {
      float sum = Float.intBitsToFloat(a) + Float.intBitsToFloat(b);
      if (isOrdinary(sum)) {
        return Float.floatToRawIntBits(sum);
      }
    }
    return (int) add(SINGLE, bits(a), bits(b), 0);
  }

  public int subtract(int a, int b) {
    if (javaMayCompute() && SINGLE.isNormal(a) && SINGLE.isNormal(b)) {
      float difference = Float.intBitsToFloat(a) - Float.intBitsToFloat(b);
      if (isOrdinary(difference)) {
        return Float.floatToRawIntBits(difference);
      }
    }
    return (int) add(SINGLE, bits(a), bits(b), SINGLE.sign);
  }

  public int multiply(int a, int b) {
    if (javaMayCompute() && SINGLE.isNormal(a) && SINGLE.isNormal(b)) {
      float product = Float.intBitsToFloat(a) * Float.intBitsToFloat(b);
      if (isOrdinary(product)) {
        return Float.floatToRawIntBits(product);
      }
    }
    return (int) multiply(SINGLE, bits(a), bits(b));
  }

  public int divide(int a, int b) {
    if (javaMayCompute() && SINGLE.isNormal(a) && SINGLE.isNormal(b)) {
      float quotient = Float.intBitsToFloat(a) / Float.intBitsToFloat(b);
      if (isOrdinary(quotient)) {
        return Float.floatToRawIntBits(quotient);
      }
    }
    return (int) divide(SINGLE, bits(a), bits(b));
  }

  public int squareRoot(int a) {
    return (int) squareRoot(SINGLE, bits(a));
  }

  public int minimum(int a, int b) {
    return (int) extreme(SINGLE, bits(a), bits(b), true);
  }

  public int maximum(int a, int b) {
    return (int) extreme(SINGLE, bits(a), bits(b), false);
  }

  /** CMPSS: all ones or 0 for predicate 0 to 7. */
  public int compare(int a, int b, int predicate) {
    return holds(order(SINGLE, bits(a), bits(b), signalsQuiet(predicate)), predicate) ? -1 : 0;
  }

  /** COMISS (signalling) and UCOMISS: {@link #LESS} and so on. */
  public int order(int a, int b, boolean signalling) {
    return order(SINGLE, bits(a), bits(b), signalling);
  }

  public int roundToIntegral(int a, int control) {
    return (int) roundToIntegral(SINGLE, bits(a), control);
  }

  public long singleToDouble(int a) {
    long bits = denormalsAsZeros(SINGLE, bits(a));
    if (SINGLE.isNan(bits)) {
      return convertNan(SINGLE, bits, DOUBLE);
    }
    if (SINGLE.isDenormal(bits)) {
      raised |= DENORMAL;
    }
    return Double.doubleToRawLongBits(Float.intBitsToFloat((int) bits));
  }

  public int doubleToSingle(long a) {
    long bits = denormalsAsZeros(DOUBLE, a);
    if (DOUBLE.isNan(bits)) {
      return (int) convertNan(DOUBLE, bits, SINGLE);
    }
    if (DOUBLE.isZero(bits) || DOUBLE.isInfinite(bits)) {
      return Float.floatToRawIntBits((float) Double.longBitsToDouble(bits));
    }
    noteDenormal(DOUBLE, bits);
    exact.set(DOUBLE.isNegative(bits), DOUBLE.exponent(bits), DOUBLE.significand(bits), 0);
    return (int) round(SINGLE);
  }

  /** To a signed integer of 32 bits; the indefinite integer 0x80000000 if it does not fit. */
  public int singleToInt(int a, int mode) {
    return (int) toInteger(SINGLE, bits(a), mode, 32);
  }

  public long singleToLong(int a, int mode) {
    return toInteger(SINGLE, bits(a), mode, 64);
  }

  public int longToSingle(long value) {
    return (int) fromInteger(SINGLE, value);
  }

  // Double.

  public long add(long a, long b) {
    if (javaMayCompute() && DOUBLE.isNormal(a) && DOUBLE.isNormal(b)) {
      double sum = Double.longBitsToDouble(a) + Double.longBitsToDouble(b);
      if (isOrdinary(sum)) {
        return Double.doubleToRawLongBits(sum);
      }
    }
    return add(DOUBLE, a, b, 0);
  }

  public long subtract(long a, long b) {
    if (javaMayCompute() && DOUBLE.isNormal(a) && DOUBLE.isNormal(b)) {
      double difference = Double.longBitsToDouble(a) - Double.longBitsToDouble(b);
      if (isOrdinary(difference)) {
        return Double.doubleToRawLongBits(difference);
      }
    }
    return add(DOUBLE, a, b, DOUBLE.sign);
  }

  public long multiply(long a, long b) {
    if (javaMayCompute() && DOUBLE.isNormal(a) && DOUBLE.isNormal(b)) {
      double product = Double.longBitsToDouble(a) * Double.longBitsToDouble(b);
      if (isOrdinary(product)) {
        return Double.doubleToRawLongBits(product);
      }
    }
    return multiply(DOUBLE, a, b);
  }

  public long divide(long a, long b) {
    if (javaMayCompute() && DOUBLE.isNormal(a) && DOUBLE.isNormal(b)) {
      double quotient = Double.longBitsToDouble(a) / Double.longBitsToDouble(b);
      if (isOrdinary(quotient)) {
        return Double.doubleToRawLongBits(quotient);
      }
    }
    return divide(DOUBLE, a, b);
  }

  public long squareRoot(long a) {
    return squareRoot(DOUBLE, a);
  }

  public long minimum(long a, long b) {
    return extreme(DOUBLE, a, b, true);
  }

  public long maximum(long a, long b) {
    return extreme(DOUBLE, a, b, false);
  }

  public long compare(long a, long b, int predicate) {
    return holds(order(DOUBLE, a, b, signalsQuiet(predicate)), predicate) ? -1 : 0;
  }

  public int order(long a, long b, boolean signalling) {
    return order(DOUBLE, a, b, signalling);
  }

  public long roundToIntegral(long a, int control) {
    return roundToIntegral(DOUBLE, a, control);
  }

  public int doubleToInt(long a, int mode) {
    return (int) toInteger(DOUBLE, a, mode, 32);
  }

  public long doubleToLong(long a, int mode) {
    return toInteger(DOUBLE, a, mode, 64);
  }

  public long longToDouble(long value) {
    return fromInteger(DOUBLE, value);
  }

  // Operands.

  private static long bits(int single) {
    return single & 0xFFFFFFFFL;
  }

  private long denormalsAsZeros(BinaryFormat f, long a) {
    return (mxcsr & DENORMALS_ARE_ZEROS) != 0 && f.isDenormal(a) ? a & f.sign : a;
  }

  private void noteDenormal(BinaryFormat f, long a) {
    if (f.isDenormal(a)) {
      raised |= DENORMAL;
    }
  }

  /** The first NaN of the two, made quiet. Both operands are looked at for signalling ones. */
  private long propagate(BinaryFormat f, long a, long b) {
    if (f.isSignalling(a) || f.isSignalling(b)) {
      raised |= INVALID;
    }
    return (f.isNan(a) ? a : b) | f.quiet;
  }

  private long invalid(BinaryFormat f) {
    raised |= INVALID;
    return f.indefinite;
  }

  // Operations on either format.

  /** a + b, or a - b when {@code flip} is the format's sign bit. A NaN operand keeps its own sign. */
  private long add(BinaryFormat f, long aBits, long bBits, long flip) {
    long a = denormalsAsZeros(f, aBits);
    long b = denormalsAsZeros(f, bBits);
    if (f.isNan(a) || f.isNan(b)) {
      return propagate(f, a, b);
    }
    b ^= flip;
    if (f.isInfinite(a)) {
      if (f.isInfinite(b) && a != b) {
        return invalid(f);
      }
      noteDenormal(f, b);
      return a;
    }
    noteDenormal(f, a);
    noteDenormal(f, b);
    if (f.isInfinite(b)) {
      return b;
    }
    if (f.isZero(a) && f.isZero(b)) {
      return a == b ? a : zeroOfCancellation(f);
    }
    if (f.isZero(a) || f.isZero(b)) {
      long other = f.isZero(a) ? b : a;
      exact.set(f.isNegative(other), f.exponent(other), f.significand(other), 0);
    } else {
      exact.add(f.isNegative(a), f.exponent(a), f.significand(a), f.isNegative(b), f.exponent(b), f.significand(b));
      if (exact.high == 0) {
        return zeroOfCancellation(f);
      }
    }
    return round(f);
  }

  private long zeroOfCancellation(BinaryFormat f) {
    return roundingMode() == DOWN ? f.sign : 0;
  }

  private long multiply(BinaryFormat f, long aBits, long bBits) {
    long a = denormalsAsZeros(f, aBits);
    long b = denormalsAsZeros(f, bBits);
    if (f.isNan(a) || f.isNan(b)) {
      return propagate(f, a, b);
    }
    long sign = (a ^ b) & f.sign;
    if (f.isInfinite(a) || f.isInfinite(b)) {
      if (f.isZero(a) || f.isZero(b)) {
        return invalid(f);
      }
      noteDenormal(f, a);
      noteDenormal(f, b);
      return sign | f.infinity;
    }
    noteDenormal(f, a);
    noteDenormal(f, b);
    if (f.isZero(a) || f.isZero(b)) {
      return sign;
    }
    exact.multiply(f.isNegative(a), f.exponent(a), f.significand(a), f.isNegative(b), f.exponent(b), f.significand(b));
    return round(f);
  }

  private long divide(BinaryFormat f, long aBits, long bBits) {
    long a = denormalsAsZeros(f, aBits);
    long b = denormalsAsZeros(f, bBits);
    if (f.isNan(a) || f.isNan(b)) {
      return propagate(f, a, b);
    }
    long sign = (a ^ b) & f.sign;
    if (f.isInfinite(a)) {
      if (f.isInfinite(b)) {
        return invalid(f);
      }
      noteDenormal(f, b);
      return sign | f.infinity;
    }
    if (f.isZero(b)) {
      if (f.isZero(a)) {
        return invalid(f);
      }
      raised |= ZERO_DIVIDE;
      return sign | f.infinity;
    }
    noteDenormal(f, a);
    noteDenormal(f, b);
    if (f.isZero(a) || f.isInfinite(b)) {
      return sign;
    }
    exact.divide(f.isNegative(a), f.exponent(a), f.significand(a), f.isNegative(b), f.exponent(b), f.significand(b));
    return round(f);
  }

  private long squareRoot(BinaryFormat f, long aBits) {
    long a = denormalsAsZeros(f, aBits);
    if (f.isNan(a)) {
      return propagate(f, a, a);
    }
    if (f.isZero(a)) {
      return a;
    }
    if (f.isNegative(a)) {
      return invalid(f);
    }
    if (f.isInfinite(a)) {
      return a;
    }
    noteDenormal(f, a);
    exact.squareRoot(f.exponent(a), f.significand(a));
    return round(f);
  }

  /** MIN and MAX: not symmetric. With a NaN (even a quiet one is invalid) or two zeros the second operand is the result. */
  private long extreme(BinaryFormat f, long aBits, long bBits, boolean least) {
    long a = denormalsAsZeros(f, aBits);
    long b = denormalsAsZeros(f, bBits);
    int order = order(f, a, b, true);
    return order == (least ? LESS : GREATER) ? a : b;
  }

  public static final int LESS = -1, EQUAL = 0, GREATER = 1, UNORDERED = 2;

  private int order(BinaryFormat f, long aBits, long bBits, boolean signalling) {
    long a = denormalsAsZeros(f, aBits);
    long b = denormalsAsZeros(f, bBits);
    if (f.isNan(a) || f.isNan(b)) {
      if (signalling || f.isSignalling(a) || f.isSignalling(b)) {
        raised |= INVALID;
      }
      return UNORDERED;
    }
    noteDenormal(f, a);
    noteDenormal(f, b);
    long x = f.isNegative(a) ? -f.magnitude(a) : a;
    long y = f.isNegative(b) ? -f.magnitude(b) : b;
    return Long.compare(x, y);
  }

  /** LT, LE, NLT and NLE find quiet NaNs invalid, too. */
  private static boolean signalsQuiet(int predicate) {
    return (predicate & 3) == 1 || (predicate & 3) == 2;
  }

  private static boolean holds(int order, int predicate) {
    boolean positive =
        switch (predicate & 3) {
          case 0 -> order == EQUAL;
          case 1 -> order == LESS;
          case 2 -> order == LESS || order == EQUAL;
          default -> order == UNORDERED;
        };
    return positive != ((predicate & 4) != 0);
  }

  /** ROUNDxx: control bits 1 and 0 are the mode unless bit 2 says MXCSR's, bit 3 suppresses the precision exception. */
  private long roundToIntegral(BinaryFormat f, long aBits, int control) {
    long a = denormalsAsZeros(f, aBits);
    if (f.isNan(a)) {
      return propagate(f, a, a);
    }
    if (f.isZero(a) || f.isInfinite(a) || f.exponent(a) >= f.fractionBits) {
      return a;
    }
    int mode = (control & 4) != 0 ? roundingMode() : control & 3;
    boolean negative = f.isNegative(a);
    long integer = integerPart(negative, f.exponent(a), f.significand(a), mode);
    if (inexact && (control & 8) == 0) {
      raised |= PRECISION;
    }
    long sign = a & f.sign;
    if (integer == 0) {
      return sign;
    }
    int lead = 63 - Long.numberOfLeadingZeros(integer);
    return sign | (long) (lead + f.bias) << f.fractionBits | integer << f.fractionBits - lead & f.fractionMask;
  }

  private boolean inexact;

  /** The magnitude rounded to an integer, for exponents below 63; says in {@link #inexact} whether something was lost. */
  private long integerPart(boolean negative, int exponent, long significand, int mode) {
    long kept;
    long lost;
    if (exponent >= 0) {
      kept = significand >>> 63 - exponent;
      lost = exponent == 63 ? 0 : significand << exponent + 1;
    } else {
      kept = 0;
      lost = exponent == -1 ? significand : 1;
    }
    inexact = lost != 0;
    return inexact && roundsUp(mode, negative, kept, lost, 0) ? kept + 1 : kept;
  }

  private long toInteger(BinaryFormat f, long aBits, int mode, int width) {
    long a = denormalsAsZeros(f, aBits);
    if (f.isZero(a)) {
      return 0;
    }
    long indefinite = -1L << width - 1;
    if ((a & f.infinity) == f.infinity || f.exponent(a) > width - 1) {
      raised |= INVALID;
      return indefinite;
    }
    boolean negative = f.isNegative(a);
    long integer = integerPart(negative, f.exponent(a), f.significand(a), mode);
    // As an unsigned magnitude: at most 2^(width-1), and that only when negative.
    if (Long.compareUnsigned(integer, negative ? 1L << width - 1 : (1L << width - 1) - 1) > 0) {
      raised |= INVALID;
      return indefinite;
    }
    if (inexact) {
      raised |= PRECISION;
    }
    return negative ? -integer : integer;
  }

  private long fromInteger(BinaryFormat f, long value) {
    if (value == 0) {
      return 0;
    }
    long magnitude = Math.abs(value);
    int shift = Long.numberOfLeadingZeros(magnitude);
    exact.set(value < 0, 63 - shift, magnitude << shift, 0);
    return round(f);
  }

  /** A NaN in another format: made quiet, the upper bits of its payload kept. */
  private long convertNan(BinaryFormat from, long a, BinaryFormat to) {
    if (from.isSignalling(a)) {
      raised |= INVALID;
    }
    long fraction = a & from.fractionMask;
    int shift = to.fractionBits - from.fractionBits;
    fraction = shift > 0 ? fraction << shift : fraction >>> -shift;
    return (from.isNegative(a) ? to.sign : 0) | to.infinity | to.quiet | fraction;
  }

  // Rounding.

  private static boolean roundsUp(int mode, boolean negative, long kept, long lost, long low) {
    return switch (mode) {
      case NEAREST -> lost < 0 && ((lost << 1 | low | kept & 1) != 0);
      case DOWN -> negative;
      case UP -> !negative;
      default -> false;
    };
  }

  /** Rounds {@link #exact} to the format. Tininess is found after rounding, as x86 does. */
  private long round(BinaryFormat f) {
    int precision = f.precision;
    long kept = exact.high >>> 64 - precision;
    long lost = exact.high << precision;
    int exponent = exact.exponent;
    boolean loss = (lost | exact.low) != 0;
    if (loss && roundsUp(roundingMode(), exact.negative, kept, lost, exact.low)) {
      kept++;
      if (kept >>> precision != 0) {
        kept >>>= 1;
        exponent++;
      }
    }
    long sign = exact.negative ? f.sign : 0;
    if (exponent > f.bias) {
      return overflow(f, sign, loss);
    }
    if (exponent < 1 - f.bias) {
      return tiny(f, sign, loss);
    }
    if (loss) {
      raised |= PRECISION;
    }
    return sign | (long) (exponent + f.bias) << f.fractionBits | kept & f.fractionMask;
  }

  private long overflow(BinaryFormat f, long sign, boolean loss) {
    if ((mxcsr & OVERFLOW << MASK_SHIFT) == 0) {
      raised |= OVERFLOW | (loss ? PRECISION : 0);
      return 0;
    }
    raised |= OVERFLOW | PRECISION;
    int mode = roundingMode();
    boolean toInfinity = mode == NEAREST || mode == (sign != 0 ? DOWN : UP);
    return sign | (toInfinity ? f.infinity : f.infinity - 1);
  }

  private long tiny(BinaryFormat f, long sign, boolean loss) {
    if ((mxcsr & UNDERFLOW << MASK_SHIFT) == 0) {
      raised |= UNDERFLOW | (loss ? PRECISION : 0);
      return 0;
    }
    if ((mxcsr & FLUSH_TO_ZERO) != 0) {
      raised |= UNDERFLOW | PRECISION;
      return sign;
    }
    exact.denormalize(1 - f.bias - exact.exponent);
    long kept = exact.high >>> 64 - f.precision;
    long lost = exact.high << f.precision;
    if ((lost | exact.low) != 0) {
      raised |= UNDERFLOW | PRECISION;
      if (roundsUp(roundingMode(), exact.negative, kept, lost, exact.low)) {
        kept++; // may become the least normal number: the carry is its exponent
      }
    }
    return sign | kept;
  }
}
