package org.xenolith.cpu.sse;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SseFloatsTest {
  private final Random random = new Random(3);
  private final SseFloats floats = new SseFloats();

  private double number() {
    return switch (random.nextInt(8)) {
      case 0 -> Double.longBitsToDouble(random.nextLong() & 0x800F_FFFF_FFFF_FFFFL);
      case 1 -> Math.scalb(random.nextDouble() - 0.5, -1000 - random.nextInt(60));
      case 2 -> Math.scalb(random.nextDouble() - 0.5, 1000 + random.nextInt(25));
      case 3 -> random.nextInt(17) - 8;
      default -> Math.scalb(random.nextDouble() - 0.5, random.nextInt(40) - 20);
    };
  }

  @Test
  void roundingToNearestIsJavasArithmetic() {
    for (int n = 0; n < 200_000; n++) {
      double a = number();
      double b = number();
      // With precision not flagged yet everything goes the exact way.
      floats.mxcsr = Mxcsr.RESET;
      long x = Double.doubleToRawLongBits(a);
      long y = Double.doubleToRawLongBits(b);
      floats.begin();
      assertThat(floats.add(x, y)).isEqualTo(Double.doubleToRawLongBits(a + b));
      assertThat(floats.multiply(x, y)).isEqualTo(Double.doubleToRawLongBits(a * b));
      if (b != 0) {
        assertThat(floats.divide(x, y)).isEqualTo(Double.doubleToRawLongBits(a / b));
      }
      assertThat(floats.squareRoot(x & Long.MAX_VALUE)).isEqualTo(Double.doubleToRawLongBits(Math.sqrt(Math.abs(a))));
      assertThat(floats.doubleToSingle(x)).isEqualTo(Float.floatToRawIntBits((float) a));
    }
  }

  @Test
  void theQuickWayAndTheExactWayAgreeInResultsAndFlags() {
    for (int n = 0; n < 200_000; n++) {
      long a = Double.doubleToRawLongBits(number());
      long b = Double.doubleToRawLongBits(number());
      floats.mxcsr = Mxcsr.RESET;
      floats.begin();
      long exact = n % 2 == 0 ? floats.add(a, b) : floats.multiply(a, b);
      floats.finish();
      int flags = floats.mxcsr | Mxcsr.PRECISION;
      floats.mxcsr = Mxcsr.RESET | Mxcsr.PRECISION;
      floats.begin();
      assertThat(n % 2 == 0 ? floats.add(a, b) : floats.multiply(a, b)).isEqualTo(exact);
      floats.finish();
      assertThat(floats.mxcsr).isEqualTo(flags);
    }
  }

  @Test
  void precisionIsFlaggedExactlyWhenAResultIsNotExact() {
    for (int n = 0; n < 50_000; n++) {
      double a = Math.scalb(random.nextInt(1 << 20), -random.nextInt(40));
      double b = n % 2 == 0 ? number() : Math.scalb(random.nextInt(1 << 20), -random.nextInt(40));
      double sum = a + b;
      if (Double.isInfinite(sum)) {
        continue;
      }
      floats.mxcsr = Mxcsr.RESET;
      floats.begin();
      floats.add(Double.doubleToRawLongBits(a), Double.doubleToRawLongBits(b));
      floats.finish();
      boolean exact = new BigDecimal(a).add(new BigDecimal(b)).compareTo(new BigDecimal(sum)) == 0;
      assertThat((floats.mxcsr & Mxcsr.PRECISION) == 0).isEqualTo(exact);
    }
  }

  @Test
  void directedRoundingsEncloseTheExactResult() {
    for (int n = 0; n < 50_000; n++) {
      double a = Math.scalb(random.nextDouble() - 0.5, random.nextInt(40) - 20);
      double b = Math.scalb(random.nextDouble() - 0.5, random.nextInt(40) - 20);
      BigDecimal exact = new BigDecimal(a).multiply(new BigDecimal(b));
      double down = product(a, b, SseFloats.DOWN);
      double up = product(a, b, SseFloats.UP);
      double toward = product(a, b, SseFloats.TOWARD_ZERO);
      assertThat(new BigDecimal(down)).isLessThanOrEqualTo(exact);
      assertThat(new BigDecimal(up)).isGreaterThanOrEqualTo(exact);
      assertThat(up).isLessThanOrEqualTo(Math.nextUp(down));
      assertThat(toward).isEqualTo(exact.signum() < 0 ? up : down);
    }
  }

  private double product(double a, double b, int mode) {
    floats.mxcsr = Mxcsr.RESET | mode << Mxcsr.ROUNDING_SHIFT;
    floats.begin();
    return Double.longBitsToDouble(floats.multiply(Double.doubleToRawLongBits(a), Double.doubleToRawLongBits(b)));
  }

  @Test
  void reciprocalsAreTruncatedTo12Bits() {
    for (int n = 0; n < 100_000; n++) {
      float x = Math.scalb(1 + random.nextFloat(), random.nextInt(200) - 100);
      float r = Float.intBitsToFloat(Approximations.reciprocal(Float.floatToRawIntBits(x)));
      float s = Float.intBitsToFloat(Approximations.reciprocalSquareRoot(Float.floatToRawIntBits(x)));
      double step = Math.ulp(1f) * (1 << 12); // at a significand of 1
      assertThat(r).isEqualTo(truncated(1.0 / x));
      assertThat((double) s).isLessThanOrEqualTo(1 / Math.sqrt(x));
      assertThat(s + (double) Math.scalb(step, Math.getExponent(s))).isGreaterThan(1 / Math.sqrt(x));
      assertThat(Float.floatToRawIntBits(s) & 0x7FF).isZero();
    }
  }

  private static float truncated(double value) {
    return Float.intBitsToFloat(Float.floatToRawIntBits(towardZero(value)) & ~0x7FF);
  }

  private static float towardZero(double value) {
    float nearest = (float) value;
    return nearest > value ? Math.nextDown(nearest) : nearest;
  }

  @Test
  void crc32cOfTheCheckStringIsTheStandardsValue() {
    int crc = -1;
    for (char c : "123456789".toCharArray()) {
      crc = Crc32c.update(crc, c, 1);
    }
    assertThat(~crc).isEqualTo(0xE3069283);
    assertThat(~Crc32c.update(Crc32c.update(-1, 0x3837_3635_3433_3231L, 8), '9', 1)).isEqualTo(0xE3069283);
  }
}
