package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.xenolith.isa.Condition;

class FlagsTest {
  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  @Test
  void everyCombinationOfArithmeticFlagsIsKept() {
    for (int bits = 0; bits < 64; bits++) {
      int flags = Integer.expand(bits, Cpu.ARITHMETIC);
      cpu.setArithmeticFlags(flags);
      assertThat(cpu.arithmeticFlags()).isEqualTo(flags);
    }
  }

  @Test
  void settingCarryLeavesAllOtherFlags() {
    for (int bits = 0; bits < 64; bits++) {
      int flags = Integer.expand(bits, Cpu.ARITHMETIC);
      cpu.setArithmeticFlags(flags);
      cpu.setCarry(true);
      assertThat(cpu.arithmeticFlags()).isEqualTo(flags | Cpu.CF);
      cpu.setCarry(false);
      assertThat(cpu.arithmeticFlags()).isEqualTo(flags & ~Cpu.CF);
    }
  }

  @Test
  void conditionsAgreeWithTheFlagsTheyLookAt() {
    for (int bits = 0; bits < 64; bits++) {
      int flags = Integer.expand(bits, Cpu.ARITHMETIC);
      cpu.setArithmeticFlags(flags);
      for (int condition = 0; condition < 16; condition++) {
        assertThat(cpu.condition(condition)).isEqualTo(Condition.holds(condition, flags));
      }
    }
  }

  /** By the definition: carry out of the top bit, carry into it, carry out of bit 3, sign, zero, parity. */
  @Test
  void additionAndSubtractionSetAllFlagsAtEveryWidth() {
    Random random = new Random(1);
    for (int n = 0; n < 20_000; n++) {
      int shift = new int[] {0, 32, 48, 56}[n & 3];
      long a = random.nextBoolean() ? random.nextLong() : random.nextInt(5) - 2;
      long b = random.nextBoolean() ? random.nextLong() : random.nextInt(5) - 2;
      boolean carryIn = random.nextBoolean();
      check(shift, a, b, carryIn, false);
      check(shift, a, b, carryIn, true);
    }
  }

  private void check(int shift, long a, long b, boolean carryIn, boolean subtract) {
    BigInteger mask = BigInteger.ONE.shiftLeft(64 - shift).subtract(BigInteger.ONE);
    BigInteger x = BigInteger.valueOf(a).and(mask);
    BigInteger y = BigInteger.valueOf(b).and(mask);
    BigInteger c = carryIn ? BigInteger.ONE : BigInteger.ZERO;
    BigInteger whole = subtract ? x.subtract(y).subtract(c) : x.add(y).add(c);
    long expected = whole.and(mask).longValue();
    long signed = expected << shift >> shift;
    BigInteger sx = BigInteger.valueOf(a << shift >> shift);
    BigInteger sy = BigInteger.valueOf(b << shift >> shift);
    BigInteger signedWhole = subtract ? sx.subtract(sy).subtract(c) : sx.add(sy).add(c);
    long low = subtract ? (a & 15) - (b & 15) - (carryIn ? 1 : 0) : (a & 15) + (b & 15) + (carryIn ? 1 : 0);
    int flags =
        (whole.signum() < 0 || whole.compareTo(mask) > 0 ? Cpu.CF : 0)
            | (signed == 0 ? Cpu.ZF : 0)
            | (signed < 0 ? Cpu.SF : 0)
            | ((Long.bitCount(signed & 0xff) & 1) == 0 ? Cpu.PF : 0)
            | (low < 0 || low > 15 ? Cpu.AF : 0)
            | (!signedWhole.equals(BigInteger.valueOf(signed)) ? Cpu.OF : 0);
    cpu.setArithmeticFlags(carryIn ? Cpu.CF : 0);
    long result = subtract ? Arithmetic.sbb(cpu, a, b, shift) : Arithmetic.adc(cpu, a, b, shift);
    assertThat(result).isEqualTo(expected);
    assertThat(cpu.arithmeticFlags()).as("%x %x %b shift %d", a, b, subtract, shift).isEqualTo(flags);
  }

  @Test
  void incrementKeepsCarryAndFindsOverflow() {
    cpu.setArithmeticFlags(Cpu.CF);
    assertThat(Arithmetic.inc(cpu, 0x7f, 56)).isEqualTo(0x80);
    assertThat(cpu.arithmeticFlags()).isEqualTo(Cpu.CF | Cpu.OF | Cpu.SF | Cpu.AF);
    assertThat(Arithmetic.dec(cpu, 0x80, 56)).isEqualTo(0x7f);
    assertThat(cpu.arithmeticFlags()).isEqualTo(Cpu.CF | Cpu.OF | Cpu.AF);
  }

  @Test
  void aShiftByAMaskedCountOfZeroLeavesFlagsButClearsTheUpperHalf() {
    // shl eax,cl with cl = 32
    machine.code("d3 e0");
    cpu.r[Cpu.RAX] = 0x1234_5678_9abc_def0L;
    cpu.r[Cpu.RCX] = 32;
    cpu.setArithmeticFlags(Cpu.CF | Cpu.OF | Cpu.PF);
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x9abc_def0L);
    assertThat(cpu.arithmeticFlags()).isEqualTo(Cpu.CF | Cpu.OF | Cpu.PF);
  }

  @Test
  void userCodeCannotChangeIoplNorTheInterruptFlag() {
    // popf
    machine.code("9d").memory.writeLong(Machine.STACK, Cpu.IOPL | Cpu.CF | Cpu.DF | Cpu.ID | Cpu.RF);
    machine.step(1);
    assertThat(cpu.rflags()).isEqualTo(2 | Cpu.CF | Cpu.DF | Cpu.ID | Cpu.IF);
  }
}
