package org.xenolith.cpu.sse;

/**
 * The aggregation of PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM. Intel manual volume 2, section 4.1. One object per vCPU: the last
 * result stays in its fields.
 */
public final class StringCompare {
  /** The result bits, IntRes2: one per element. */
  public int result;

  /** Flags of the last comparison. AF and PF become 0. */
  public boolean carry, zero, sign, overflow;

  /** Number of elements: 16 bytes or 8 words. */
  public int elements;

  private long aLow, aHigh, bLow, bHigh;
  private boolean words, signed;

  /** Compares strings with implicit lengths, each ended by a zero element. */
  public void implicit(long aLow, long aHigh, long bLow, long bHigh, int control) {
    set(aLow, aHigh, bLow, bHigh, control);
    aggregate(implicitLength(true), implicitLength(false), control);
  }

  /** Compares strings with explicit lengths; their absolute values count, at most the number of elements. */
  public void explicit(long aLow, long aHigh, long aLength, long bLow, long bHigh, long bLength, int control) {
    set(aLow, aHigh, bLow, bHigh, control);
    aggregate(clamp(aLength), clamp(bLength), control);
  }

  /** The index that the I forms put into ecx: the least (or with control bit 6 the greatest) set bit, or the number of elements. */
  public int index(int control) {
    if (result == 0) {
      return elements;
    }
    return (control & 0x40) != 0 ? 31 - Integer.numberOfLeadingZeros(result) : Integer.numberOfTrailingZeros(result);
  }

  /** The mask that the M forms put into xmm0, its low half: bits, or with control bit 6 one whole element per bit. */
  public long maskLow(int control) {
    return (control & 0x40) != 0 ? expand(0) : result;
  }

  public long maskHigh(int control) {
    return (control & 0x40) != 0 ? expand(elements / 2) : 0;
  }

  private long expand(int from) {
    int width = words ? 16 : 8;
    long mask = 0;
    for (int i = 0; i < elements / 2; i++) {
      if ((result >> from + i & 1) != 0) {
        mask |= (words ? 0xFFFFL : 0xFFL) << i * width;
      }
    }
    return mask;
  }

  private void set(long aLow, long aHigh, long bLow, long bHigh, int control) {
    this.aLow = aLow;
    this.aHigh = aHigh;
    this.bLow = bLow;
    this.bHigh = bHigh;
    words = (control & 1) != 0;
    signed = (control & 2) != 0;
    elements = words ? 8 : 16;
  }

  private int clamp(long length) {
    return length < -elements || length > elements ? elements : (int) Math.abs(length);
  }

  private int implicitLength(boolean first) {
    for (int i = 0; i < elements; i++) {
      if (element(first, i) == 0) {
        return i;
      }
    }
    return elements;
  }

  private int element(boolean first, int index) {
    if (words) {
      long half = index < 4 ? (first ? aLow : bLow) : (first ? aHigh : bHigh);
      int word = (int) (half >>> (index & 3) * 16);
      return signed ? (short) word : word & 0xFFFF;
    }
    long half = index < 8 ? (first ? aLow : bLow) : (first ? aHigh : bHigh);
    int value = (int) (half >>> (index & 7) * 8);
    return signed ? (byte) value : value & 0xFF;
  }

  private void aggregate(int aLength, int bLength, int control) {
    int bits =
        switch (control >> 2 & 3) {
          case 0 -> equalAny(aLength, bLength);
          case 1 -> ranges(aLength, bLength);
          case 2 -> equalEach(aLength, bLength);
          default -> equalOrdered(aLength, bLength);
        };
    int all = (1 << elements) - 1;
    int valid = (1 << bLength) - 1;
    // Polarity: bit 4 inverts, all elements or with bit 5 only the valid ones of the second string.
    if ((control & 0x10) != 0) {
      bits ^= (control & 0x20) != 0 ? valid : all;
    }
    result = bits & all;
    carry = result != 0;
    zero = bLength < elements;
    sign = aLength < elements;
    overflow = (result & 1) != 0;
  }

  private int equalAny(int aLength, int bLength) {
    int bits = 0;
    for (int j = 0; j < bLength; j++) {
      int b = element(false, j);
      for (int i = 0; i < aLength; i++) {
        if (element(true, i) == b) {
          bits |= 1 << j;
          break;
        }
      }
    }
    return bits;
  }

  /** The first string holds pairs of bounds; a last bound without its partner counts for nothing. */
  private int ranges(int aLength, int bLength) {
    int bits = 0;
    for (int j = 0; j < bLength; j++) {
      int b = element(false, j);
      for (int i = 0; i + 1 < aLength; i += 2) {
        if (element(true, i) <= b && b <= element(true, i + 1)) {
          bits |= 1 << j;
          break;
        }
      }
    }
    return bits;
  }

  /** Elements beyond both strings are equal, beyond one of them different. */
  private int equalEach(int aLength, int bLength) {
    int bits = 0;
    for (int i = 0; i < elements; i++) {
      boolean inA = i < aLength;
      boolean inB = i < bLength;
      if (inA && inB ? element(true, i) == element(false, i) : inA == inB) {
        bits |= 1 << i;
      }
    }
    return bits;
  }

  /** Where the first string occurs in the second; at the end of the register a part of it is enough. */
  private int equalOrdered(int aLength, int bLength) {
    int bits = 0;
    for (int j = 0; j < elements; j++) {
      boolean match = true;
      for (int i = 0; match && i < aLength && i + j < elements; i++) {
        match = i + j < bLength && element(true, i) == element(false, i + j);
      }
      if (match) {
        bits |= 1 << j;
      }
    }
    return bits;
  }
}
