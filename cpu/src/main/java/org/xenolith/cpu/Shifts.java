package org.xenolith.cpu;

import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * Shifts and rotates (AMD64 APM volume 3). A masked count of 0 changes no flag. What the manuals leave undefined has one value here: OF for
 * counts over 1 is what the last step of one bit would give, AF is 0, CF of SHL and SHR by more than the width is 0, and SHLD and SHRD of
 * 16 bits by more than 16 go on with the bits of the source again, as AMD's processors do.
 */
final class Shifts {
  private Shifts() {}

  // ---- What they compute: value of w = 64 - shift bits, count already masked and not 0 ----

  static long shl(Cpu c, long a, long count, int shift) {
    int n = (int) count;
    // The value sits at the top of the long, so the last bit shifted out is what one more step takes out of it.
    long before = a << shift << n - 1;
    long r = before << 1;
    c.flagCarries = before & Long.MIN_VALUE | r >>> 1 & 1L << 62;
    c.flagResult = r >> shift;
    return r >>> shift;
  }

  static long shr(Cpu c, long a, long count, int shift) {
    long before = (a << shift >>> shift) >>> count - 1;
    long r = before >>> 1;
    boolean overflow = (before << shift) < 0;
    c.flagCarries = carry(before & 1, overflow);
    c.flagResult = r << shift >> shift;
    return r;
  }

  static long sar(Cpu c, long a, long count, int shift) {
    long before = (a << shift >> shift) >> count - 1;
    long r = before >> 1;
    c.flagCarries = carry(before & 1, false);
    c.flagResult = r;
    return r << shift >>> shift;
  }

  /** {@link Cpu#flagCarries} with CF and OF. */
  private static long carry(long carry, boolean overflow) {
    return carry * Arithmetic.TOP ^ (overflow ? 1L << 62 : 0);
  }

  /** Sets CF and OF only. */
  private static void rotated(Cpu c, long carry, long overflow) {
    c.flagCarries = c.flagCarries & ~Arithmetic.TOP | (carry & 1) << 63 | ((carry ^ overflow) & 1) << 62;
  }

  static long rol(Cpu c, long a, long count, int shift) {
    int w = 64 - shift;
    int n = (int) count & w - 1;
    long v = a << shift >>> shift;
    long r = n == 0 ? v : (v << n | v >>> w - n) << shift >>> shift;
    rotated(c, r, r ^ r >>> w - 1);
    return r;
  }

  static long ror(Cpu c, long a, long count, int shift) {
    int w = 64 - shift;
    int n = (int) count & w - 1;
    long v = a << shift >>> shift;
    long r = n == 0 ? v : (v >>> n | v << w - n) << shift >>> shift;
    rotated(c, r >>> w - 1, r >>> w - 1 ^ r >>> w - 2);
    return r;
  }

  static long rcl(Cpu c, long a, long count, int shift) {
    int w = 64 - shift;
    int n = (int) count % (w + 1);
    long v = a << shift >>> shift;
    long carry = c.cf() ? 1 : 0;
    long r = v;
    if (n != 0) {
      // v, then the carry above it, turned left by n in w + 1 bits.
      r = v << n | carry << n - 1 | (n == 1 ? 0 : v >>> w + 1 - n);
      carry = v >>> w - n & 1;
      r = r << shift >>> shift;
    }
    rotated(c, carry, carry ^ r >>> w - 1);
    return r;
  }

  static long rcr(Cpu c, long a, long count, int shift) {
    int w = 64 - shift;
    int n = (int) count % (w + 1);
    long v = a << shift >>> shift;
    long carry = c.cf() ? 1 : 0;
    long r = v;
    if (n != 0) {
      r = v >>> n | carry << w - n | (n == 1 ? 0 : v << w + 1 - n);
      carry = v >>> n - 1 & 1;
      r = r << shift >>> shift;
    }
    rotated(c, carry, r >>> w - 1 ^ r >>> w - 2);
    return r;
  }

  /** Bits of {@code b} come in from the right. */
  static long shld(Cpu c, long a, long b, int n, int shift) {
    int w = 64 - shift;
    long v = a << shift >>> shift;
    long in = b << shift >>> shift;
    long r;
    long carry;
    if (n <= w) {
      r = v << n | in >>> w - n;
      carry = v >>> w - n;
    } else {
      r = in << n - w | in >>> 2 * w - n;
      carry = in >>> 2 * w - n;
    }
    return doubled(c, r, carry & 1, v, shift);
  }

  /** Bits of {@code b} come in from the left. */
  static long shrd(Cpu c, long a, long b, int n, int shift) {
    int w = 64 - shift;
    long v = a << shift >>> shift;
    long in = b << shift >>> shift;
    long r;
    long carry;
    if (n <= w) {
      r = v >>> n | in << w - n;
      carry = v >>> n - 1;
    } else {
      r = in >>> n - w | in << 2 * w - n;
      carry = in >>> n - w - 1;
    }
    return doubled(c, r, carry & 1, v, shift);
  }

  private static long doubled(Cpu c, long r, long carry, long before, int shift) {
    long signed = r << shift >> shift;
    c.flagCarries = carry(carry, (signed ^ before << shift) < 0);
    c.flagResult = signed;
    return r << shift >>> shift;
  }

  // ---- Their forms ----

  /** The count in CL, an immediate or 1, masked; 0 means that nothing happens. */
  private static int count(Cpu c, Instruction i) {
    long count = i.kind1 == OperandKind.IMM ? i.imm : c.r[Cpu.RCX];
    return (int) count & (i.width == 8 ? 63 : 31);
  }

  private static void shift(Cpu c, Instruction i, Operands.Binary f) {
    int count = count(c, i);
    int width = i.width;
    if (i.kind0 == OperandKind.MEM) {
      long va = c.ea(i);
      long a = c.mmu.readForWrite(va, width);
      c.mmu.write(va, width, count == 0 ? a : f.apply(c, a, count, Operands.shift(width)));
    } else {
      long a = Operands.read0(c, i);
      // A count of 0 still clears the upper half of a 32-bit destination.
      Operands.write0(c, i, count == 0 ? a : f.apply(c, a, count, Operands.shift(width)));
    }
  }

  /** A register of 32 or 64 bits by an immediate that is not 0 when masked. */
  private static Form simple(Instruction i) {
    Form form = Form.of(i);
    boolean register = form == Form.RI64 || form == Form.RI32;
    return register && (i.imm & (i.width == 8 ? 63 : 31)) != 0 ? form : Form.OTHER;
  }

  static Op shl(Instruction i) {
    int d = i.reg0;
    int count = (int) i.imm & (i.width == 8 ? 63 : 31);
    return switch (simple(i)) {
      case RI64 -> (c, n) -> c.r[d] = shl(c, c.r[d], count, 0);
      case RI32 -> (c, n) -> c.r[d] = shl(c, c.r[d], count, 32);
      default -> (c, n) -> shift(c, n, Shifts::shl);
    };
  }

  static Op shr(Instruction i) {
    int d = i.reg0;
    int count = (int) i.imm & (i.width == 8 ? 63 : 31);
    return switch (simple(i)) {
      case RI64 -> (c, n) -> c.r[d] = shr(c, c.r[d], count, 0);
      case RI32 -> (c, n) -> c.r[d] = shr(c, c.r[d], count, 32);
      default -> (c, n) -> shift(c, n, Shifts::shr);
    };
  }

  static Op sar(Instruction i) {
    int d = i.reg0;
    int count = (int) i.imm & (i.width == 8 ? 63 : 31);
    return switch (simple(i)) {
      case RI64 -> (c, n) -> c.r[d] = sar(c, c.r[d], count, 0);
      case RI32 -> (c, n) -> c.r[d] = sar(c, c.r[d], count, 32);
      default -> (c, n) -> shift(c, n, Shifts::sar);
    };
  }

  static Op rol(Instruction i) {
    int d = i.reg0;
    int count = (int) i.imm & (i.width == 8 ? 63 : 31);
    return switch (simple(i)) {
      case RI64 -> (c, n) -> c.r[d] = rol(c, c.r[d], count, 0);
      case RI32 -> (c, n) -> c.r[d] = rol(c, c.r[d], count, 32);
      default -> (c, n) -> shift(c, n, Shifts::rol);
    };
  }

  static Op ror(Instruction i) {
    int d = i.reg0;
    int count = (int) i.imm & (i.width == 8 ? 63 : 31);
    return switch (simple(i)) {
      case RI64 -> (c, n) -> c.r[d] = ror(c, c.r[d], count, 0);
      case RI32 -> (c, n) -> c.r[d] = ror(c, c.r[d], count, 32);
      default -> (c, n) -> shift(c, n, Shifts::ror);
    };
  }

  static void rcl(Cpu c, Instruction i) {
    shift(c, i, Shifts::rcl);
  }

  static void rcr(Cpu c, Instruction i) {
    shift(c, i, Shifts::rcr);
  }

  static void shld(Cpu c, Instruction i) {
    int n = doubleCount(c, i);
    long b = c.r[i.reg1];
    Operands.update(c, i, (x, a, s) -> n == 0 ? a : shld(x, a, b, n, s));
  }

  static void shrd(Cpu c, Instruction i) {
    int n = doubleCount(c, i);
    long b = c.r[i.reg1];
    Operands.update(c, i, (x, a, s) -> n == 0 ? a : shrd(x, a, b, n, s));
  }

  private static int doubleCount(Cpu c, Instruction i) {
    long count = i.kind2 == OperandKind.IMM ? i.imm : c.r[Cpu.RCX];
    return (int) count & (i.width == 8 ? 63 : 31);
  }
}
