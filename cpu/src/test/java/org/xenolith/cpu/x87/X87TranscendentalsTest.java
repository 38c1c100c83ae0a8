package org.xenolith.cpu.x87;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class X87TranscendentalsTest {
  private final X87Arithmetic arithmetic = new X87Arithmetic();
  private final X87Transcendentals transcendentals = new X87Transcendentals(arithmetic);

  /** Lines of function, two operands and the result, each as sign and exponent and significand; results computed with 600 bits. */
  @Test
  void resultsAreTheCorrectlyRoundedOnes() throws IOException {
    int lines = 0;
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(getClass().getResourceAsStream("transcendentals.txt"), StandardCharsets.US_ASCII))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        String[] fields = line.split(" ");
        int xSe = Integer.parseInt(fields[1], 16);
        long x = Long.parseUnsignedLong(fields[2], 16);
        int ySe = Integer.parseInt(fields[3], 16);
        long y = Long.parseUnsignedLong(fields[4], 16);
        arithmetic.begin();
        switch (fields[0]) {
          case "sin" -> transcendentals.sine(xSe, x);
          case "cos" -> transcendentals.cosine(xSe, x);
          case "tan" -> transcendentals.tangent(xSe, x);
          case "atan" -> transcendentals.arctangent(xSe, x, ySe, y);
          case "exp" -> transcendentals.powerOfTwoMinusOne(xSe, x);
          case "log" -> transcendentals.logarithm(xSe, x, ySe, y);
          case "logp" -> transcendentals.logarithmPlusOne(xSe, x, ySe, y);
          default -> throw new AssertionError(line);
        }
        String result = Integer.toHexString(arithmetic.signExponent & 0xFFFF) + " " + Long.toHexString(arithmetic.significand);
        assertThat(result).as(line).isEqualTo(fields[5] + " " + fields[6]);
        assertThat(arithmetic.exceptions & X87Word.PRECISION).as(line).isNotZero();
        lines++;
      }
    }
    assertThat(lines).isGreaterThan(300);
  }

  @Test
  void sineAndTangentAreOddAndCosineIsEven() {
    Random random = new Random(1);
    for (int n = 0; n < 1000; n++) {
      int exponent = X87Arithmetic.BIAS - 30 + random.nextInt(90);
      long significand = random.nextLong() | Long.MIN_VALUE;
      arithmetic.begin();
      transcendentals.sine(exponent, significand);
      int se = arithmetic.signExponent;
      long sig = arithmetic.significand;
      transcendentals.sine(exponent | X87Arithmetic.SIGN, significand);
      assertThat(arithmetic.signExponent).isEqualTo(se ^ X87Arithmetic.SIGN);
      assertThat(arithmetic.significand).isEqualTo(sig);
      transcendentals.cosine(exponent, significand);
      se = arithmetic.signExponent;
      sig = arithmetic.significand;
      transcendentals.cosine(exponent | X87Arithmetic.SIGN, significand);
      assertThat(arithmetic.signExponent).isEqualTo(se);
      assertThat(arithmetic.significand).isEqualTo(sig);
    }
  }

  @Test
  void directedRoundingsOfASineEncloseItInNeighbours() {
    arithmetic.begin();
    arithmetic.control = X87Word.CONTROL_RESET | X87Word.DOWN << X87Word.ROUNDING_SHIFT;
    transcendentals.sine(X87Arithmetic.BIAS - 1, 0xAAAAAAAAAAAAAAAAL);
    long below = arithmetic.significand;
    arithmetic.control = X87Word.CONTROL_RESET | X87Word.UP << X87Word.ROUNDING_SHIFT;
    transcendentals.sine(X87Arithmetic.BIAS - 1, 0xAAAAAAAAAAAAAAAAL);
    assertThat(arithmetic.significand).isEqualTo(below + 1);
    assertThat(arithmetic.roundedUp).isTrue();
  }

  @Test
  void anglesFrom2To63UpwardsAreLeftAloneWithC2() {
    X87Unit unit = new X87Unit(new X87State());
    unit.begin();
    unit.load(X87Arithmetic.BIAS + 63, Long.MIN_VALUE);
    unit.begin();
    unit.sine(false);
    assertThat(unit.state.statusWord() & X87Word.C2).isNotZero();
    assertThat(unit.state.signExponents[unit.state.top]).isEqualTo(X87Arithmetic.BIAS + 63);
  }
}
