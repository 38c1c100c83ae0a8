package org.xenolith.cpu.sse;

/**
 * Moving lanes: pack, unpack, shuffle, blend, widen, mask extraction, on 64 bits at a time. Where an SSE instruction needs both halves of
 * an operand they are both parameters. Intel manual volume 2.
 */
public final class LaneShuffles {
  private LaneShuffles() {}

  // Packs: the lanes of a make the low half of the result, those of b the high half.
  // An SSE instruction's low half is f(destination low, destination high), its high half f(source low, source high).

  public static long packsswb(long a, long b) {
    return packWords(a, Byte.MIN_VALUE, Byte.MAX_VALUE) | packWords(b, Byte.MIN_VALUE, Byte.MAX_VALUE) << 32;
  }

  public static long packuswb(long a, long b) {
    return packWords(a, 0, 255) | packWords(b, 0, 255) << 32;
  }

  public static long packssdw(long a, long b) {
    return packDwords(a, Short.MIN_VALUE, Short.MAX_VALUE) | packDwords(b, Short.MIN_VALUE, Short.MAX_VALUE) << 32;
  }

  public static long packusdw(long a, long b) {
    return packDwords(a, 0, 65535) | packDwords(b, 0, 65535) << 32;
  }

  private static long packWords(long a, int min, int max) {
    long result = 0;
    for (int i = 0; i < 4; i++) {
      result |= (Math.clamp((short) (a >>> i * 16), min, max) & 0xFFL) << i * 8;
    }
    return result;
  }

  private static long packDwords(long a, int min, int max) {
    return (Math.clamp((int) a, min, max) & 0xFFFFL) | (Math.clamp((int) (a >>> 32), min, max) & 0xFFFFL) << 16;
  }

  // Unpacks: interleave the low (or high) 32 bits of a and b. An SSE low unpack is (low(a.low, b.low), high(a.low, b.low)),
  // an SSE high unpack the same of the high halves.

  public static long unpackLowBytes(long a, long b) {
    return spreadBytes(a) | spreadBytes(b) << 8;
  }

  public static long unpackHighBytes(long a, long b) {
    return spreadBytes(a >>> 32) | spreadBytes(b >>> 32) << 8;
  }

  public static long unpackLowWords(long a, long b) {
    return spreadWords(a) | spreadWords(b) << 16;
  }

  public static long unpackHighWords(long a, long b) {
    return spreadWords(a >>> 32) | spreadWords(b >>> 32) << 16;
  }

  public static long unpackLowDwords(long a, long b) {
    return (a & 0xFFFFFFFFL) | b << 32;
  }

  public static long unpackHighDwords(long a, long b) {
    return a >>> 32 | b & 0xFFFFFFFF00000000L;
  }

  private static long spreadWords(long a) {
    return (a & 0xFFFF) | (a & 0xFFFF0000L) << 16;
  }

  private static long spreadBytes(long a) {
    long words = spreadWords(a);
    return (words | words << 8) & 0x00FF00FF00FF00FFL;
  }

  // Shuffles.

  /** PSHUFW, and half of PSHUFLW and PSHUFHW: four words picked by two bits each. */
  public static long pshufw(long a, int control) {
    return (a >>> (control & 3) * 16 & 0xFFFF)
        | (a >>> (control >> 2 & 3) * 16 & 0xFFFF) << 16
        | (a >>> (control >> 4 & 3) * 16 & 0xFFFF) << 32
        | a >>> (control >> 6 & 3) * 16 << 48;
  }

  /** Two dwords of a 128-bit value, picked by two bits each: half of PSHUFD; with other values, of SHUFPS. */
  public static long pickDwords(long low, long high, int control) {
    return dword(low, high, control & 3) | dword(low, high, control >> 2 & 3) << 32;
  }

  private static long dword(long low, long high, int index) {
    return ((index & 2) == 0 ? low : high) >>> (index & 1) * 32 & 0xFFFFFFFFL;
  }

  /** PSHUFB of MMX: each control byte picks a byte of a, or 0 if its top bit is set. */
  public static long pshufb(long a, long control) {
    long result = 0;
    for (int i = 0; i < 64; i += 8) {
      int pick = (int) (control >>> i) & 0x87;
      if (pick < 8) {
        result |= (a >>> pick * 8 & 0xFF) << i;
      }
    }
    return result;
  }

  /** Half of PSHUFB of SSE: each control byte picks a byte of the 128-bit value, or 0 if its top bit is set. */
  public static long pshufb(long low, long high, long control) {
    long result = 0;
    for (int i = 0; i < 64; i += 8) {
      int pick = (int) (control >>> i) & 0x8F;
      if (pick < 16) {
        result |= ((pick < 8 ? low : high) >>> (pick & 7) * 8 & 0xFF) << i;
      }
    }
    return result;
  }

  /** 64 bits from byte {@code at} (0 or more) of the little-endian value of {@code count} quadwords q0, q1, q2, q3; beyond it zeros. */
  public static long window(long q0, long q1, long q2, long q3, int at) {
    int bits = (at & 7) * 8;
    long low = quadword(q0, q1, q2, q3, at >> 3);
    return bits == 0 ? low : low >>> bits | quadword(q0, q1, q2, q3, (at >> 3) + 1) << 64 - bits;
  }

  private static long quadword(long q0, long q1, long q2, long q3, int index) {
    return switch (index) {
      case 0 -> q0;
      case 1 -> q1;
      case 2 -> q2;
      case 3 -> q3;
      default -> 0;
    };
  }

  // Blends and widening.

  /** Takes the bytes of b where the mask byte's top bit is set. */
  public static long pblendvb(long a, long b, long mask) {
    long m = mask & 0x8080808080808080L;
    long full = (m << 1) - (m >>> 7);
    return a & ~full | b & full;
  }

  public static long blendvps(long a, long b, long mask) {
    long full = (long) ((int) mask >> 31) & 0xFFFFFFFFL | mask >> 63 << 32;
    return a & ~full | b & full;
  }

  public static long blendvpd(long a, long b, long mask) {
    return mask < 0 ? b : a;
  }

  /** Takes word i (0 to 3) of b where bit i of the control is set. */
  public static long blendWords(long a, long b, int control) {
    long mask = 0;
    for (int i = 0; i < 4; i++) {
      mask |= (-(control >> i & 1) & 0xFFFFL) << i * 16;
    }
    return a & ~mask | b & mask;
  }

  public static long blendDwords(long a, long b, int control) {
    long mask = (-(control & 1) & 0xFFFFFFFFL) | (long) -(control >> 1 & 1) << 32;
    return a & ~mask | b & mask;
  }

  /**
   * Widens the low lanes of {@code from} bits each to lanes of {@code to} bits that fill 64 bits (half of a PMOVSX or PMOVZX; for the upper
   * half shift the source right by 64 * from / to first).
   */
  public static long widen(long a, int from, int to, boolean signed) {
    long result = 0;
    long mask = to == 64 ? -1 : (1L << to) - 1;
    for (int i = 0; i * to < 64; i++) {
      long lane = a << 64 - from - i * from;
      result |= ((signed ? lane >> 64 - from : lane >>> 64 - from) & mask) << i * to;
    }
    return result;
  }

  // Masks.

  /** The top bits of the eight bytes. */
  public static int pmovmskb(long a) {
    return (int) (((a & 0x8080808080808080L) >>> 7) * 0x0102040810204080L >>> 56);
  }

  /** The top bits of the two dwords. */
  public static int movmskps(long a) {
    return (int) (a >>> 63) << 1 | (int) (a >>> 31) & 1;
  }

  // Others that work across lanes.

  /** PHMINPOSUW: the least unsigned word in bits 15 to 0, its index in bits 18 to 16; the rest of the register becomes 0. */
  public static long phminposuw(long low, long high) {
    int least = 0x10000;
    int at = 0;
    for (int i = 0; i < 8; i++) {
      int word = (int) ((i < 4 ? low : high) >>> (i & 3) * 16) & 0xFFFF;
      if (word < least) {
        least = word;
        at = i;
      }
    }
    return least | (long) at << 16;
  }

  /**
   * Half of MPSADBW: four sums of absolute differences of the four bytes of the block {@code b} (its low 32 bits) with those of a sliding
   * window which starts at byte {@code at} of the destination.
   */
  public static long mpsadbw(long low, long high, long b, int at) {
    long result = 0;
    for (int i = 0; i < 4; i++) {
      long bytes = window(low, high, 0, 0, at + i);
      int sum = 0;
      for (int k = 0; k < 32; k += 8) {
        sum += Math.abs((int) (bytes >>> k & 0xFF) - (int) (b >>> k & 0xFF));
      }
      result |= (long) sum << i * 16;
    }
    return result;
  }
}
