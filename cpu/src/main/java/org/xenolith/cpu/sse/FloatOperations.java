package org.xenolith.cpu.sse;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import org.xenolith.isa.Mnemonic;

/** The floating-point instructions with an SSE register as destination, by mnemonic. */
public final class FloatOperations {
  private static final Map<Mnemonic, VectorOperation> SSE = new EnumMap<>(Mnemonic.class);

  private FloatOperations() {}

  /** The operation of this mnemonic, or null. */
  public static VectorOperation sse(Mnemonic mnemonic) {
    return SSE.get(mnemonic);
  }

  private static void sse(String name, VectorOperation operation) {
    SSE.put(Mnemonic.valueOf(name.toUpperCase(Locale.ROOT)), operation);
  }

  /** One lane of singles: destination, source, immediate. */
  private interface SingleLane {
    int apply(SseFloats floats, int a, int b, int immediate);
  }

  private interface DoubleLane {
    long apply(SseFloats floats, long a, long b, int immediate);
  }

  static {
    both("add", (f, a, b, i) -> f.add(a, b), (f, a, b, i) -> f.add(a, b));
    both("sub", (f, a, b, i) -> f.subtract(a, b), (f, a, b, i) -> f.subtract(a, b));
    both("mul", (f, a, b, i) -> f.multiply(a, b), (f, a, b, i) -> f.multiply(a, b));
    both("div", (f, a, b, i) -> f.divide(a, b), (f, a, b, i) -> f.divide(a, b));
    both("sqrt", (f, a, b, i) -> f.squareRoot(b), (f, a, b, i) -> f.squareRoot(b));
    both("min", (f, a, b, i) -> f.minimum(a, b), (f, a, b, i) -> f.minimum(a, b));
    both("max", (f, a, b, i) -> f.maximum(a, b), (f, a, b, i) -> f.maximum(a, b));
    both("cmp", (f, a, b, i) -> f.compare(a, b, i & 7), (f, a, b, i) -> f.compare(a, b, i & 7));
    both("round", (f, a, b, i) -> f.roundToIntegral(b, i), (f, a, b, i) -> f.roundToIntegral(b, i));
    singles("rcp", (f, a, b, i) -> Approximations.reciprocal(b));
    singles("rsqrt", (f, a, b, i) -> Approximations.reciprocalSquareRoot(b));
    horizontal();
    dotProducts();
    fromIntegers();
    betweenFormats();
    toIntegers();
  }

  private static void both(String name, SingleLane single, DoubleLane two) {
    singles(name, single);
    sse(
        name + "sd",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          long result = two.apply(u.floats, u.xmm[d], low, imm);
          if (!u.floats.finish()) {
            return false;
          }
          u.xmm[d] = result;
          return true;
        });
    sse(
        name + "pd",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          long first = two.apply(u.floats, u.xmm[d], low, imm);
          long second = two.apply(u.floats, u.xmm[d + 1], high, imm);
          return write(u, d, first, second);
        });
  }

  private static void singles(String name, SingleLane f) {
    sse(
        name + "ss",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          int result = f.apply(u.floats, (int) u.xmm[d], (int) low, imm);
          if (!u.floats.finish()) {
            return false;
          }
          u.xmm[d] = u.xmm[d] & 0xFFFFFFFF00000000L | result & 0xFFFFFFFFL;
          return true;
        });
    sse(
        name + "ps",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          long a = u.xmm[d];
          long b = u.xmm[d + 1];
          int r0 = f.apply(u.floats, (int) a, (int) low, imm);
          int r1 = f.apply(u.floats, (int) (a >>> 32), (int) (low >>> 32), imm);
          int r2 = f.apply(u.floats, (int) b, (int) high, imm);
          int r3 = f.apply(u.floats, (int) (b >>> 32), (int) (high >>> 32), imm);
          return write(u, d, pair(r0, r1), pair(r2, r3));
        });
  }

  private static long pair(int low, int high) {
    return low & 0xFFFFFFFFL | (long) high << 32;
  }

  private static boolean write(VectorUnit u, int d, long low, long high) {
    if (!u.floats.finish()) {
      return false;
    }
    u.xmm[d] = low;
    u.xmm[d + 1] = high;
    return true;
  }

  private static void horizontal() {
    sse(
        "haddps",
        (u, d, low, high, imm) -> {
          SseFloats f = u.floats;
          f.begin();
          long first = pair(f.add(low(u.xmm[d]), high(u.xmm[d])), f.add(low(u.xmm[d + 1]), high(u.xmm[d + 1])));
          return write(u, d, first, pair(f.add(low(low), high(low)), f.add(low(high), high(high))));
        });
    sse(
        "hsubps",
        (u, d, low, high, imm) -> {
          SseFloats f = u.floats;
          f.begin();
          long first = pair(f.subtract(low(u.xmm[d]), high(u.xmm[d])), f.subtract(low(u.xmm[d + 1]), high(u.xmm[d + 1])));
          return write(u, d, first, pair(f.subtract(low(low), high(low)), f.subtract(low(high), high(high))));
        });
    sse(
        "haddpd",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          long first = u.floats.add(u.xmm[d], u.xmm[d + 1]);
          return write(u, d, first, u.floats.add(low, high));
        });
    sse(
        "hsubpd",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          long first = u.floats.subtract(u.xmm[d], u.xmm[d + 1]);
          return write(u, d, first, u.floats.subtract(low, high));
        });
    sse(
        "addsubps",
        (u, d, low, high, imm) -> {
          SseFloats f = u.floats;
          f.begin();
          long first = pair(f.subtract(low(u.xmm[d]), low(low)), f.add(high(u.xmm[d]), high(low)));
          return write(u, d, first, pair(f.subtract(low(u.xmm[d + 1]), low(high)), f.add(high(u.xmm[d + 1]), high(high))));
        });
    sse(
        "addsubpd",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          long first = u.floats.subtract(u.xmm[d], low);
          return write(u, d, first, u.floats.add(u.xmm[d + 1], high));
        });
  }

  private static int low(long pair) {
    return (int) pair;
  }

  private static int high(long pair) {
    return (int) (pair >>> 32);
  }

  /**
   * DPPS and DPPD: products of the lanes chosen by the immediate's upper four bits (others count as +0), summed by pairs and then the
   * pairs, each step rounded; the sum goes to the lanes of the lower four bits.
   */
  private static void dotProducts() {
    sse(
        "dpps",
        (u, d, low, high, imm) -> {
          SseFloats f = u.floats;
          f.begin();
          int p0 = (imm & 0x10) == 0 ? 0 : f.multiply(low(u.xmm[d]), low(low));
          int p1 = (imm & 0x20) == 0 ? 0 : f.multiply(high(u.xmm[d]), high(low));
          int p2 = (imm & 0x40) == 0 ? 0 : f.multiply(low(u.xmm[d + 1]), low(high));
          int p3 = (imm & 0x80) == 0 ? 0 : f.multiply(high(u.xmm[d + 1]), high(high));
          if (!f.finish()) {
            return false;
          }
          f.begin();
          int s0 = f.add(p0, p1);
          int s1 = f.add(p2, p3);
          if (!f.finish()) {
            return false;
          }
          f.begin();
          int sum = f.add(s0, s1);
          long both = pair(sum, sum);
          return write(u, d, LaneShuffles.blendDwords(0, both, imm), LaneShuffles.blendDwords(0, both, imm >> 2));
        });
    sse(
        "dppd",
        (u, d, low, high, imm) -> {
          SseFloats f = u.floats;
          f.begin();
          long p0 = (imm & 0x10) == 0 ? 0 : f.multiply(u.xmm[d], low);
          long p1 = (imm & 0x20) == 0 ? 0 : f.multiply(u.xmm[d + 1], high);
          if (!f.finish()) {
            return false;
          }
          f.begin();
          long sum = f.add(p0, p1);
          return write(u, d, (imm & 1) == 0 ? 0 : sum, (imm & 2) == 0 ? 0 : sum);
        });
  }

  private static void fromIntegers() {
    sse(
        "cvtsi2ss",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          int result = u.floats.longToSingle(low);
          return write(u, d, u.xmm[d] & 0xFFFFFFFF00000000L | result & 0xFFFFFFFFL, u.xmm[d + 1]);
        });
    sse(
        "cvtsi2sd",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          return write(u, d, u.floats.longToDouble(low), u.xmm[d + 1]);
        });
    sse(
        "cvtpi2ps",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          return write(u, d, pair(u.floats.longToSingle(low(low)), u.floats.longToSingle(high(low))), u.xmm[d + 1]);
        });
    VectorOperation twoDoubles =
        (u, d, low, high, imm) -> {
          u.floats.begin();
          return write(u, d, u.floats.longToDouble(low(low)), u.floats.longToDouble(high(low)));
        };
    sse("cvtpi2pd", twoDoubles);
    sse("cvtdq2pd", twoDoubles);
    sse(
        "cvtdq2ps",
        (u, d, low, high, imm) -> {
          SseFloats f = u.floats;
          f.begin();
          long first = pair(f.longToSingle(low(low)), f.longToSingle(high(low)));
          return write(u, d, first, pair(f.longToSingle(low(high)), f.longToSingle(high(high))));
        });
  }

  private static void betweenFormats() {
    sse(
        "cvtss2sd",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          return write(u, d, u.floats.singleToDouble(low(low)), u.xmm[d + 1]);
        });
    sse(
        "cvtsd2ss",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          int result = u.floats.doubleToSingle(low);
          return write(u, d, u.xmm[d] & 0xFFFFFFFF00000000L | result & 0xFFFFFFFFL, u.xmm[d + 1]);
        });
    sse(
        "cvtps2pd",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          return write(u, d, u.floats.singleToDouble(low(low)), u.floats.singleToDouble(high(low)));
        });
    sse(
        "cvtpd2ps",
        (u, d, low, high, imm) -> {
          u.floats.begin();
          return write(u, d, pair(u.floats.doubleToSingle(low), u.floats.doubleToSingle(high)), 0);
        });
  }

  private static void toIntegers() {
    for (boolean truncating : new boolean[] {false, true}) {
      String prefix = truncating ? "cvtt" : "cvt";
      sse(
          prefix + "ps2dq",
          (u, d, low, high, imm) -> {
            SseFloats f = u.floats;
            int mode = truncating ? SseFloats.TOWARD_ZERO : f.roundingMode();
            f.begin();
            long first = pair(f.singleToInt(low(low), mode), f.singleToInt(high(low), mode));
            return write(u, d, first, pair(f.singleToInt(low(high), mode), f.singleToInt(high(high), mode)));
          });
      sse(
          prefix + "pd2dq",
          (u, d, low, high, imm) -> {
            SseFloats f = u.floats;
            int mode = truncating ? SseFloats.TOWARD_ZERO : f.roundingMode();
            f.begin();
            return write(u, d, pair(f.doubleToInt(low, mode), f.doubleToInt(high, mode)), 0);
          });
    }
  }
}
