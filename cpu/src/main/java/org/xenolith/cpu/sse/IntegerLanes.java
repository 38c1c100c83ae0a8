package org.xenolith.cpu.sse;

/**
 * Lane-wise integer arithmetic on 64 bits: one MMX register, or one half of an SSE register. Each method is the instruction of its name
 * for 64 bits, the destination operand first; lanes never influence each other, so an SSE instruction is two calls. Intel manual volume 2.
 *
 * <p>Lane-wise sums and compares work on all lanes at once: the top bit of every lane is kept apart so that no carry crosses a lane.
 */
public final class IntegerLanes {
  private static final long TOP8 = 0x8080808080808080L, TOP16 = 0x8000800080008000L, TOP32 = 0x8000000080000000L;

  private IntegerLanes() {}

  // Sums and differences, wrapping.

  public static long paddb(long a, long b) {
    return add(a, b, TOP8);
  }

  public static long paddw(long a, long b) {
    return add(a, b, TOP16);
  }

  public static long paddd(long a, long b) {
    return add(a, b, TOP32);
  }

  public static long paddq(long a, long b) {
    return a + b;
  }

  public static long psubb(long a, long b) {
    return subtract(a, b, TOP8);
  }

  public static long psubw(long a, long b) {
    return subtract(a, b, TOP16);
  }

  public static long psubd(long a, long b) {
    return subtract(a, b, TOP32);
  }

  public static long psubq(long a, long b) {
    return a - b;
  }

  private static long add(long a, long b, long top) {
    return ((a & ~top) + (b & ~top)) ^ ((a ^ b) & top);
  }

  private static long subtract(long a, long b, long top) {
    return ((a | top) - (b & ~top)) ^ ((a ^ ~b) & top);
  }

  // Sums and differences, saturating. A lane that overflowed is replaced through a mask of its full width.

  public static long paddusb(long a, long b) {
    long sum = add(a, b, TOP8);
    return sum | fill(((a & b) | ((a | b) & ~sum)) & TOP8, 8);
  }

  public static long paddusw(long a, long b) {
    long sum = add(a, b, TOP16);
    return sum | fill(((a & b) | ((a | b) & ~sum)) & TOP16, 16);
  }

  public static long psubusb(long a, long b) {
    return subtract(a, b, TOP8) & fill(notBelow(a, b, TOP8), 8);
  }

  public static long psubusw(long a, long b) {
    return subtract(a, b, TOP16) & fill(notBelow(a, b, TOP16), 16);
  }

  public static long paddsb(long a, long b) {
    long sum = add(a, b, TOP8);
    return saturate(sum, a, ~(a ^ b) & (a ^ sum) & TOP8, TOP8, 8);
  }

  public static long paddsw(long a, long b) {
    long sum = add(a, b, TOP16);
    return saturate(sum, a, ~(a ^ b) & (a ^ sum) & TOP16, TOP16, 16);
  }

  public static long psubsb(long a, long b) {
    long difference = subtract(a, b, TOP8);
    return saturate(difference, a, (a ^ b) & (a ^ difference) & TOP8, TOP8, 8);
  }

  public static long psubsw(long a, long b) {
    long difference = subtract(a, b, TOP16);
    return saturate(difference, a, (a ^ b) & (a ^ difference) & TOP16, TOP16, 16);
  }

  /** Replaces the lanes whose top bit is set in {@code overflowed} by the extreme value of the sign of {@code a}. */
  private static long saturate(long value, long a, long overflowed, long top, int width) {
    if (overflowed == 0) {
      return value;
    }
    long mask = fill(overflowed, width);
    long extreme = ~top ^ fill(a & top, width);
    return (value & ~mask) | (extreme & mask);
  }

  /** Spreads the top bit of each lane over the lane; other bits of {@code tops} must be 0. */
  private static long fill(long tops, int width) {
    return (tops << 1) - (tops >>> width - 1);
  }

  /** The top bit of every lane where a is not below b, unsigned. */
  private static long notBelow(long a, long b, long top) {
    long lower = (a | top) - (b & ~top);
    return ((a & ~b) | (~(a ^ b) & lower)) & top;
  }

  // Compares: all ones where true.

  public static long pcmpeqb(long a, long b) {
    return fill(zeroLanes(a ^ b, TOP8), 8);
  }

  public static long pcmpeqw(long a, long b) {
    return fill(zeroLanes(a ^ b, TOP16), 16);
  }

  public static long pcmpeqd(long a, long b) {
    return fill(zeroLanes(a ^ b, TOP32), 32);
  }

  public static long pcmpeqq(long a, long b) {
    return a == b ? -1 : 0;
  }

  private static long zeroLanes(long x, long top) {
    return ~(((x & ~top) + ~top) | x) & top;
  }

  public static long pcmpgtb(long a, long b) {
    return greater(a, b, TOP8, 8);
  }

  public static long pcmpgtw(long a, long b) {
    return greater(a, b, TOP16, 16);
  }

  public static long pcmpgtd(long a, long b) {
    return greater(a, b, TOP32, 32);
  }

  public static long pcmpgtq(long a, long b) {
    return a > b ? -1 : 0;
  }

  /** Signed order is unsigned order with the top bits inverted; a greater than b is b below a. */
  private static long greater(long a, long b, long top, int width) {
    return fill(notBelow(b ^ top, a ^ top, top) ^ top, width);
  }

  // Minimum and maximum.

  public static long pminub(long a, long b) {
    return choose(fill(notBelow(a, b, TOP8), 8), b, a);
  }

  public static long pmaxub(long a, long b) {
    return choose(fill(notBelow(a, b, TOP8), 8), a, b);
  }

  public static long pminuw(long a, long b) {
    return choose(fill(notBelow(a, b, TOP16), 16), b, a);
  }

  public static long pmaxuw(long a, long b) {
    return choose(fill(notBelow(a, b, TOP16), 16), a, b);
  }

  public static long pminud(long a, long b) {
    return choose(fill(notBelow(a, b, TOP32), 32), b, a);
  }

  public static long pmaxud(long a, long b) {
    return choose(fill(notBelow(a, b, TOP32), 32), a, b);
  }

  public static long pminsb(long a, long b) {
    return choose(pcmpgtb(a, b), b, a);
  }

  public static long pmaxsb(long a, long b) {
    return choose(pcmpgtb(a, b), a, b);
  }

  public static long pminsw(long a, long b) {
    return choose(pcmpgtw(a, b), b, a);
  }

  public static long pmaxsw(long a, long b) {
    return choose(pcmpgtw(a, b), a, b);
  }

  public static long pminsd(long a, long b) {
    return choose(pcmpgtd(a, b), b, a);
  }

  public static long pmaxsd(long a, long b) {
    return choose(pcmpgtd(a, b), a, b);
  }

  private static long choose(long mask, long ifSet, long ifClear) {
    return (ifSet & mask) | (ifClear & ~mask);
  }

  // Averages, absolute values, signs.

  /** Rounded-up average of unsigned bytes: a|b minus half of the differing bits. */
  public static long pavgb(long a, long b) {
    return subtract(a | b, ((a ^ b) >>> 1) & ~TOP8, TOP8);
  }

  public static long pavgw(long a, long b) {
    return subtract(a | b, ((a ^ b) >>> 1) & ~TOP16, TOP16);
  }

  public static long pabsb(long b) {
    long negative = fill(b & TOP8, 8);
    return subtract(b ^ negative, negative, TOP8);
  }

  public static long pabsw(long b) {
    long negative = fill(b & TOP16, 16);
    return subtract(b ^ negative, negative, TOP16);
  }

  public static long pabsd(long b) {
    long negative = fill(b & TOP32, 32);
    return subtract(b ^ negative, negative, TOP32);
  }

  public static long psignb(long a, long b) {
    long negative = fill(b & TOP8, 8);
    return subtract(a ^ negative, negative, TOP8) & ~pcmpeqb(b, 0);
  }

  public static long psignw(long a, long b) {
    long negative = fill(b & TOP16, 16);
    return subtract(a ^ negative, negative, TOP16) & ~pcmpeqw(b, 0);
  }

  public static long psignd(long a, long b) {
    long negative = fill(b & TOP32, 32);
    return subtract(a ^ negative, negative, TOP32) & ~pcmpeqd(b, 0);
  }

  // Bits.

  public static long pand(long a, long b) {
    return a & b;
  }

  public static long pandn(long a, long b) {
    return ~a & b;
  }

  public static long por(long a, long b) {
    return a | b;
  }

  public static long pxor(long a, long b) {
    return a ^ b;
  }

  // Products.

  public static long pmullw(long a, long b) {
    long result = 0;
    for (int i = 0; i < 64; i += 16) {
      result |= (((a >>> i) * (b >>> i)) & 0xFFFF) << i;
    }
    return result;
  }

  public static long pmulhw(long a, long b) {
    long result = 0;
    for (int i = 0; i < 64; i += 16) {
      result |= (((short) (a >>> i) * (short) (b >>> i) >> 16) & 0xFFFFL) << i;
    }
    return result;
  }

  public static long pmulhuw(long a, long b) {
    long result = 0;
    for (int i = 0; i < 64; i += 16) {
      result |= (((a >>> i & 0xFFFF) * (b >>> i & 0xFFFF)) >>> 16) << i;
    }
    return result;
  }

  /** High words of the products doubled and rounded: bits 16 to 1 of (product >> 14) + 1. */
  public static long pmulhrsw(long a, long b) {
    long result = 0;
    for (int i = 0; i < 64; i += 16) {
      int product = (short) (a >>> i) * (short) (b >>> i);
      result |= (((product >> 14) + 1 >> 1) & 0xFFFFL) << i;
    }
    return result;
  }

  public static long pmulld(long a, long b) {
    return ((a * b) & 0xFFFFFFFFL) | ((a >>> 32) * (b >>> 32) << 32);
  }

  public static long pmuludq(long a, long b) {
    return (a & 0xFFFFFFFFL) * (b & 0xFFFFFFFFL);
  }

  public static long pmuldq(long a, long b) {
    return (long) (int) a * (int) b;
  }

  public static long pmaddwd(long a, long b) {
    int low = (short) a * (short) b + (short) (a >>> 16) * (short) (b >>> 16);
    int high = (short) (a >>> 32) * (short) (b >>> 32) + (short) (a >>> 48) * (short) (b >>> 48);
    return (low & 0xFFFFFFFFL) | ((long) high << 32);
  }

  /** Products of unsigned bytes of a and signed bytes of b, summed by pairs with signed saturation. */
  public static long pmaddubsw(long a, long b) {
    long result = 0;
    for (int i = 0; i < 64; i += 16) {
      int sum = (int) (a >>> i & 0xFF) * (byte) (b >>> i) + (int) (a >>> i + 8 & 0xFF) * (byte) (b >>> i + 8);
      result |= (Math.clamp(sum, Short.MIN_VALUE, Short.MAX_VALUE) & 0xFFFFL) << i;
    }
    return result;
  }

  /** The sum of the absolute differences of the eight unsigned bytes. */
  public static long psadbw(long a, long b) {
    int sum = 0;
    for (int i = 0; i < 64; i += 8) {
      sum += Math.abs((int) (a >>> i & 0xFF) - (int) (b >>> i & 0xFF));
    }
    return sum;
  }

  // Horizontal sums: the pairs of a make the low half of the result, the pairs of b the high half.
  // An SSE instruction's low half is f(destination low, destination high), its high half f(source low, source high).

  public static long phaddw(long a, long b) {
    return horizontal(a, b, false, false);
  }

  public static long phaddsw(long a, long b) {
    return horizontal(a, b, false, true);
  }

  public static long phsubw(long a, long b) {
    return horizontal(a, b, true, false);
  }

  public static long phsubsw(long a, long b) {
    return horizontal(a, b, true, true);
  }

  private static long horizontal(long a, long b, boolean subtract, boolean saturating) {
    long result = 0;
    for (int i = 0; i < 4; i++) {
      long pair = (i < 2 ? a : b) >>> (i & 1) * 32;
      int value = subtract ? (short) pair - (short) (pair >>> 16) : (short) pair + (short) (pair >>> 16);
      if (saturating) {
        value = Math.clamp(value, Short.MIN_VALUE, Short.MAX_VALUE);
      }
      result |= (value & 0xFFFFL) << i * 16;
    }
    return result;
  }

  public static long phaddd(long a, long b) {
    return (a + (a >>> 32) & 0xFFFFFFFFL) | (b + (b >>> 32) << 32);
  }

  public static long phsubd(long a, long b) {
    return (a - (a >>> 32) & 0xFFFFFFFFL) | (b - (b >>> 32) << 32);
  }

  // Shifts of all lanes by one count. The count is the whole 64-bit source operand or an immediate, unsigned: a count of the
  // lane's width or more clears the lane (or fills it with the sign).

  public static long psllw(long a, long count) {
    return Long.compareUnsigned(count, 15) > 0 ? 0 : a << count & 0x0001000100010001L * (0xFFFF << count & 0xFFFF);
  }

  public static long pslld(long a, long count) {
    return Long.compareUnsigned(count, 31) > 0 ? 0 : a << count & 0x0000000100000001L * (0xFFFFFFFFL << count & 0xFFFFFFFFL);
  }

  public static long psllq(long a, long count) {
    return Long.compareUnsigned(count, 63) > 0 ? 0 : a << count;
  }

  public static long psrlw(long a, long count) {
    return Long.compareUnsigned(count, 15) > 0 ? 0 : a >>> count & 0x0001000100010001L * (0xFFFF >>> count);
  }

  public static long psrld(long a, long count) {
    return Long.compareUnsigned(count, 31) > 0 ? 0 : a >>> count & 0x0000000100000001L * (0xFFFFFFFFL >>> count);
  }

  public static long psrlq(long a, long count) {
    return Long.compareUnsigned(count, 63) > 0 ? 0 : a >>> count;
  }

  public static long psraw(long a, long count) {
    int n = Long.compareUnsigned(count, 15) > 0 ? 15 : (int) count;
    long result = 0;
    for (int i = 0; i < 64; i += 16) {
      result |= ((short) (a >>> i) >> n & 0xFFFFL) << i;
    }
    return result;
  }

  public static long psrad(long a, long count) {
    int n = Long.compareUnsigned(count, 31) > 0 ? 31 : (int) count;
    return ((int) a >> n & 0xFFFFFFFFL) | (a >> 32 >> n << 32);
  }

  // Whole-register byte shifts of SSE2: two halves, each from both.

  public static long pslldqLow(long low, int bytes) {
    return bytes > 7 ? 0 : low << bytes * 8;
  }

  public static long pslldqHigh(long low, long high, int bytes) {
    if (bytes > 15) {
      return 0;
    }
    return bytes > 7 ? low << (bytes - 8) * 8 : bytes == 0 ? high : high << bytes * 8 | low >>> 64 - bytes * 8;
  }

  public static long psrldqLow(long low, long high, int bytes) {
    if (bytes > 15) {
      return 0;
    }
    return bytes > 7 ? high >>> (bytes - 8) * 8 : bytes == 0 ? low : low >>> bytes * 8 | high << 64 - bytes * 8;
  }

  public static long psrldqHigh(long high, int bytes) {
    return bytes > 7 ? 0 : high >>> bytes * 8;
  }
}
