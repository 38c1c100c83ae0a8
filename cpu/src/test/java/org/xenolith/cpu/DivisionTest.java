package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Division of 128 bits by 64, against BigInteger. */
class DivisionTest {
  private static final BigInteger TWO64 = BigInteger.ONE.shiftLeft(64);

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  private static BigInteger unsigned(long value) {
    return new BigInteger(Long.toUnsignedString(value));
  }

  private long value(Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> random.nextInt(7) - 3;
      case 1 -> Long.MIN_VALUE >> random.nextInt(64);
      default -> random.nextLong() >>> random.nextInt(64);
    };
  }

  @Test
  void unsignedAndSignedDivisionAreExactAndFaultWhenTheQuotientDoesNotFit() {
    Random random = new Random(7);
    machine.code("48 f7 f3").code(Machine.CODE + 16, "48 f7 fb"); // div rbx; idiv rbx
    int faults = 0;
    for (int n = 0; n < 20_000; n++) {
      long high = value(random);
      long low = value(random);
      long divisor = value(random);
      boolean signed = (n & 1) != 0;
      BigInteger dividend = (signed ? BigInteger.valueOf(high) : unsigned(high)).multiply(TWO64).add(unsigned(low));
      BigInteger by = signed ? BigInteger.valueOf(divisor) : unsigned(divisor);
      BigInteger[] result = by.signum() == 0 ? null : dividend.divideAndRemainder(by);
      boolean fits = result != null
          && (signed ? result[0].bitLength() < 64 : result[0].bitLength() <= 64);
      cpu.rip = signed ? Machine.CODE + 16 : Machine.CODE;
      cpu.r[Cpu.RDX] = high;
      cpu.r[Cpu.RAX] = low;
      cpu.r[Cpu.RBX] = divisor;
      Exit exit = machine.run(1);
      if (fits) {
        assertThat(exit).isInstanceOf(Exit.Budget.class);
        assertThat(cpu.r[Cpu.RAX]).as("%x:%x / %x", high, low, divisor).isEqualTo(result[0].longValue());
        assertThat(cpu.r[Cpu.RDX]).isEqualTo(result[1].longValue());
      } else {
        faults++;
        assertThat(exit).isEqualTo(new Exit.Exception(Fault.DE, Fault.NO_ERROR_CODE, 0));
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(low);
      }
    }
    assertThat(faults).isBetween(1000, 19_000);
  }
}
