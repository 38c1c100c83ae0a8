package org.xenolith.cpu;

import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * MUL, IMUL, DIV, IDIV (AMD64 APM volume 3). Flags that the manuals leave undefined: after a multiplication SF, ZF and PF are those of the
 * low half of the product and AF is 0; a division leaves all flags as they were.
 */
final class MultiplyDivide {
  private MultiplyDivide() {}

  // ---- Multiplication ----

  private static void flags(Cpu c, long low, boolean overflow) {
    c.flagResult = low;
    c.flagCarries = overflow ? 1L << 63 : 0;
  }

  /** rdx:rax = rax * operand, or ax = al * operand. */
  static void mul(Cpu c, Instruction i) {
    long b = Operands.read0(c, i);
    long[] r = c.r;
    switch (i.width) {
      case 8 -> {
        long a = r[Cpu.RAX];
        long high = Math.unsignedMultiplyHigh(a, b);
        r[Cpu.RAX] = a * b;
        r[Cpu.RDX] = high;
        flags(c, a * b, high != 0);
      }
      case 4 -> {
        long product = (r[Cpu.RAX] & 0xffff_ffffL) * b;
        r[Cpu.RAX] = product & 0xffff_ffffL;
        r[Cpu.RDX] = product >>> 32;
        flags(c, (int) product, product >>> 32 != 0);
      }
      case 2 -> {
        long product = (r[Cpu.RAX] & 0xffff) * b;
        Operands.setRegister(c, Cpu.RAX, 2, product);
        Operands.setRegister(c, Cpu.RDX, 2, product >>> 16);
        flags(c, (short) product, product >>> 16 != 0);
      }
      default -> {
        long product = (r[Cpu.RAX] & 0xff) * b;
        Operands.setRegister(c, Cpu.RAX, 2, product);
        flags(c, (byte) product, product >>> 8 != 0);
      }
    }
  }

  static void imul(Cpu c, Instruction i) {
    if (i.kind1 != OperandKind.NONE) {
      // Two operands: destination times source; three: source times immediate.
      long a = Operands.read1(c, i);
      long b = i.kind2 == OperandKind.IMM ? i.imm : Operands.read0(c, i);
      Operands.write0(c, i, imul(c, a, b, Operands.shift(i.width)));
      return;
    }
    long b = Operands.read0(c, i);
    long[] r = c.r;
    switch (i.width) {
      case 8 -> {
        long a = r[Cpu.RAX];
        r[Cpu.RDX] = Math.multiplyHigh(a, b);
        r[Cpu.RAX] = imul(c, a, b, 0);
      }
      case 4 -> {
        long product = (long) (int) r[Cpu.RAX] * (int) b;
        r[Cpu.RDX] = product >>> 32;
        r[Cpu.RAX] = imul(c, r[Cpu.RAX], b, 32);
      }
      case 2 -> {
        int product = (short) r[Cpu.RAX] * (short) b;
        Operands.setRegister(c, Cpu.RDX, 2, product >>> 16);
        Operands.setRegister(c, Cpu.RAX, 2, imul(c, r[Cpu.RAX], b, 48));
      }
      default -> {
        int product = (byte) r[Cpu.RAX] * (byte) b;
        imul(c, r[Cpu.RAX], b, 56);
        Operands.setRegister(c, Cpu.RAX, 2, product);
      }
    }
  }

  /** The low half of a signed product, zero-extended; CF and OF tell that the whole does not fit in it. */
  static long imul(Cpu c, long a, long b, int shift) {
    long x = a << shift >> shift;
    long y = b << shift >> shift;
    long product = x * y;
    long low = product << shift >> shift;
    boolean overflow = shift == 0 ? Math.multiplyHigh(x, y) != product >> 63 : low != product;
    flags(c, low, overflow);
    return low << shift >>> shift;
  }

  static Op imulOp(Instruction i) {
    boolean two = i.kind0 == OperandKind.GPR && i.kind1 == OperandKind.GPR && i.kind2 == OperandKind.NONE;
    boolean three = i.kind0 == OperandKind.GPR && i.kind1 == OperandKind.GPR && i.kind2 == OperandKind.IMM;
    if (i.width == 8 && two) {
      return (c, n) -> c.r[n.reg0] = imul(c, c.r[n.reg0], c.r[n.reg1], 0);
    }
    if (i.width == 8 && three) {
      return (c, n) -> c.r[n.reg0] = imul(c, c.r[n.reg1], n.imm, 0);
    }
    if (i.width == 4 && two) {
      return (c, n) -> c.r[n.reg0] = imul(c, c.r[n.reg0], c.r[n.reg1], 32);
    }
    return MultiplyDivide::imul;
  }

  // ---- Division: #DE for a divisor of 0 and for a quotient that does not fit ----

  static void div(Cpu c, Instruction i) {
    long divisor = Operands.read0(c, i);
    if (divisor == 0) {
      throw c.fault(Fault.DE);
    }
    long[] r = c.r;
    switch (i.width) {
      case 8 -> {
        long high = r[Cpu.RDX];
        long low = r[Cpu.RAX];
        if (Long.compareUnsigned(high, divisor) >= 0) {
          throw c.fault(Fault.DE);
        }
        long quotient = high == 0 ? Long.divideUnsigned(low, divisor) : divide128(high, low, divisor);
        r[Cpu.RAX] = quotient;
        r[Cpu.RDX] = low - quotient * divisor;
      }
      case 4 -> {
        long dividend = r[Cpu.RDX] << 32 | r[Cpu.RAX] & 0xffff_ffffL;
        long quotient = Long.divideUnsigned(dividend, divisor);
        fits(c, quotient >>> 32 == 0);
        r[Cpu.RAX] = quotient;
        r[Cpu.RDX] = dividend - quotient * divisor;
      }
      case 2 -> {
        long dividend = (r[Cpu.RDX] & 0xffff) << 16 | r[Cpu.RAX] & 0xffff;
        long quotient = dividend / divisor;
        fits(c, quotient >>> 16 == 0);
        Operands.setRegister(c, Cpu.RAX, 2, quotient);
        Operands.setRegister(c, Cpu.RDX, 2, dividend % divisor);
      }
      default -> {
        long dividend = r[Cpu.RAX] & 0xffff;
        long quotient = dividend / divisor;
        fits(c, quotient >>> 8 == 0);
        Operands.setRegister(c, Cpu.RAX, 2, dividend % divisor << 8 | quotient);
      }
    }
  }

  static void idiv(Cpu c, Instruction i) {
    int shift = Operands.shift(i.width);
    long divisor = Operands.read0(c, i) << shift >> shift;
    if (divisor == 0) {
      throw c.fault(Fault.DE);
    }
    long[] r = c.r;
    switch (i.width) {
      case 8 -> idiv128(c, divisor);
      case 4 -> {
        long dividend = r[Cpu.RDX] << 32 | r[Cpu.RAX] & 0xffff_ffffL;
        // MIN / -1 wraps to MIN, which does not fit either.
        long quotient = dividend / divisor;
        fits(c, (int) quotient == quotient);
        r[Cpu.RAX] = quotient & 0xffff_ffffL;
        r[Cpu.RDX] = dividend - quotient * divisor & 0xffff_ffffL;
      }
      case 2 -> {
        long dividend = (int) (r[Cpu.RDX] << 16 | r[Cpu.RAX] & 0xffff);
        long quotient = dividend / divisor;
        fits(c, (short) quotient == quotient);
        Operands.setRegister(c, Cpu.RAX, 2, quotient);
        Operands.setRegister(c, Cpu.RDX, 2, dividend % divisor);
      }
      default -> {
        long dividend = (short) r[Cpu.RAX];
        long quotient = dividend / divisor;
        fits(c, (byte) quotient == quotient);
        Operands.setRegister(c, Cpu.RAX, 2, dividend % divisor << 8 | quotient & 0xff);
      }
    }
  }

  private static void fits(Cpu c, boolean fits) {
    if (!fits) {
      throw c.fault(Fault.DE);
    }
  }

  private static void idiv128(Cpu c, long divisor) {
    long high = c.r[Cpu.RDX];
    long low = c.r[Cpu.RAX];
    boolean negative = high < 0;
    long magnitudeHigh = negative ? ~high + (low == 0 ? 1 : 0) : high;
    long magnitudeLow = negative ? -low : low;
    long magnitudeDivisor = Math.abs(divisor);
    fits(c, Long.compareUnsigned(magnitudeHigh, magnitudeDivisor) < 0);
    long quotient =
        magnitudeHigh == 0 ? Long.divideUnsigned(magnitudeLow, magnitudeDivisor) : divide128(magnitudeHigh, magnitudeLow, magnitudeDivisor);
    long remainder = magnitudeLow - quotient * magnitudeDivisor;
    boolean negativeQuotient = negative != divisor < 0;
    // The magnitude of a quotient reaches 2^63 for negative ones, 2^63 - 1 for the others.
    fits(c, quotient >= 0 || negativeQuotient && quotient == Long.MIN_VALUE);
    c.r[Cpu.RAX] = negativeQuotient ? -quotient : quotient;
    c.r[Cpu.RDX] = negative ? -remainder : remainder;
  }

  /** (high:low) / divisor, all unsigned, high less than divisor: schoolbook division in base 2^32 (Knuth, volume 2, 4.3.1, algorithm D). */
  private static long divide128(long high, long low, long divisor) {
    int s = Long.numberOfLeadingZeros(divisor);
    long d = divisor << s;
    long d1 = d >>> 32;
    long d0 = d & 0xffff_ffffL;
    long n = s == 0 ? high : high << s | low >>> 64 - s;
    long l = low << s;
    long q1 = digit(n, l >>> 32, d1, d0);
    long rest = (n << 32 | l >>> 32) - q1 * d;
    long q0 = digit(rest, l & 0xffff_ffffL, d1, d0);
    return q1 << 32 | q0;
  }

  /** The digit of the quotient for the dividend n:next and the normalised divisor d1:d0. */
  private static long digit(long n, long next, long d1, long d0) {
    long q = Long.divideUnsigned(n, d1);
    long r = n - q * d1;
    while (q >>> 32 != 0 || Long.compareUnsigned(q * d0, r << 32 | next) > 0) {
      q--;
      r += d1;
      if (r >>> 32 != 0) {
        break;
      }
    }
    return q;
  }
}
