package org.xenolith.machine.apic;

/** A set of vectors 0 to 255: the form of IRR, ISR and TMR. */
final class VectorSet {
  private final long[] words = new long[4];

  void add(int vector) {
    words[vector >>> 6] |= 1L << vector;
  }

  void remove(int vector) {
    words[vector >>> 6] &= ~(1L << vector);
  }

  boolean contains(int vector) {
    return (words[vector >>> 6] >>> vector & 1) != 0;
  }

  void clear() {
    for (int n = 0; n < words.length; n++) {
      words[n] = 0;
    }
  }

  /** The highest vector, or -1 if there is none. */
  int highest() {
    for (int n = words.length - 1; n >= 0; n--) {
      if (words[n] != 0) {
        return 64 * n + 63 - Long.numberOfLeadingZeros(words[n]);
      }
    }
    return -1;
  }

  /** The 32 vectors from {@code 32 * n}, as a register. */
  int register(int n) {
    return (int) (words[n >>> 1] >>> 32 * (n & 1));
  }
}
