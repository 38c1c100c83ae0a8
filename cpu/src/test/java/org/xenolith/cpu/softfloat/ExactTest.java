package org.xenolith.cpu.softfloat;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ExactTest {
  private static final BigInteger MASK = BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE);
  private final Random random = new Random(7);
  private final Exact exact = new Exact();

  /** Significands with long runs of equal bits, where carries and estimates go wrong, and random ones. */
  private long significand() {
    long run = -1L >>> random.nextInt(64);
    long bits =
        switch (random.nextInt(4)) {
          case 0 -> run;
          case 1 -> ~run;
          case 2 -> 1L << random.nextInt(64) | 1L << random.nextInt(64);
          default -> random.nextLong();
        };
    return bits | Long.MIN_VALUE;
  }

  private static BigInteger unsigned(long value) {
    return BigInteger.valueOf(value).and(MASK);
  }

  @Test
  void aQuotientIsTruncatedAndItsTailTellsBelowAtAndAboveOneHalf() {
    for (int n = 0; n < 100_000; n++) {
      long a = significand();
      long b = significand();
      exact.divide(false, 0, a, true, 0, b);
      BigInteger numerator = unsigned(a).shiftLeft(63 - exact.exponent);
      BigInteger[] parts = numerator.divideAndRemainder(unsigned(b));
      assertThat(unsigned(exact.high)).isEqualTo(parts[0]);
      int half = parts[1].shiftLeft(1).compareTo(unsigned(b));
      long tail = parts[1].signum() == 0 ? 0 : half < 0 ? 1 : half == 0 ? Long.MIN_VALUE : Long.MIN_VALUE | 1;
      assertThat(exact.low).isEqualTo(tail);
      assertThat(exact.negative).isTrue();
    }
  }

  @Test
  void aSquareRootIsTruncatedAndItsTailTellsBelowAndAboveOneHalf() {
    for (int n = 0; n < 100_000; n++) {
      long a = significand();
      int exponent = random.nextInt(8) - 4;
      exact.squareRoot(exponent, a);
      BigInteger radicand = unsigned(a).shiftLeft((exponent & 1) == 0 ? 63 : 64);
      BigInteger root = radicand.sqrt();
      assertThat(unsigned(exact.high)).isEqualTo(root);
      assertThat(exact.exponent).isEqualTo(Math.floorDiv(exponent, 2));
      BigInteger rest = radicand.subtract(root.multiply(root));
      assertThat(exact.low).isEqualTo(rest.signum() == 0 ? 0 : rest.compareTo(root) > 0 ? Long.MIN_VALUE | 1 : 1);
    }
  }

  @Test
  void aSumKeepsEveryBitOrAStickyOne() {
    for (int n = 0; n < 100_000; n++) {
      long a = significand();
      long b = significand();
      int distance = random.nextInt(140);
      boolean subtract = random.nextBoolean();
      exact.add(false, distance, a, subtract, 0, b);
      BigInteger sum = unsigned(a).shiftLeft(distance);
      sum = subtract ? sum.subtract(unsigned(b)) : sum.add(unsigned(b));
      if (sum.signum() == 0) {
        assertThat(exact.high).isZero();
        continue;
      }
      assertThat(exact.negative).isEqualTo(sum.signum() < 0);
      int bits = sum.abs().bitLength();
      assertThat(exact.exponent).isEqualTo(bits - 64);
      BigInteger aligned = bits <= 128 ? sum.abs().shiftLeft(128 - bits) : sum.abs().shiftRight(bits - 128);
      boolean sticky = bits > 128 && sum.abs().getLowestSetBit() < bits - 128;
      BigInteger ours = unsigned(exact.high).shiftLeft(64).or(unsigned(exact.low));
      // The sticky bit may stand for all of the lowest bits, but never for one that rounding to 64 bits looks at.
      assertThat(ours.shiftRight(8)).isEqualTo(aligned.shiftRight(8));
      assertThat((exact.low & 0xFF) != 0 || !sticky).isTrue();
    }
  }

  @Test
  void aDenormalizedNumberLosesNothingButToTheStickyBit() {
    for (int n = 0; n < 20_000; n++) {
      long high = significand();
      long low = random.nextBoolean() ? 0 : random.nextLong();
      int shift = random.nextInt(140);
      exact.set(false, 0, high, low);
      exact.denormalize(shift);
      BigInteger whole = unsigned(high).shiftLeft(64).or(unsigned(low));
      BigInteger shifted = whole.shiftRight(shift);
      boolean lost = !shifted.shiftLeft(shift).equals(whole);
      BigInteger expected = lost ? shifted.or(BigInteger.ONE) : shifted;
      assertThat(unsigned(exact.high).shiftLeft(64).or(unsigned(exact.low))).isEqualTo(expected);
    }
  }
}
