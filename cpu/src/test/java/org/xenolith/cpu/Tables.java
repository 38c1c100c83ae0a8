package org.xenolith.cpu;

/** Descriptor tables of eight entries for tests, and which of them were marked accessed. */
final class Tables implements Descriptors {
  final long[] entries = new long[8];
  int accessed;

  /** A flat, writable data segment. */
  Tables data(int index, int dpl) {
    return set(index, 0x00cf_9200_0000_ffffL | (long) dpl << 45);
  }

  /** 64-bit code. */
  Tables code64(int index, int dpl) {
    return set(index, 0x00af_9a00_0000_ffffL | (long) dpl << 45);
  }

  /** Flat 32-bit code. */
  Tables code32(int index, int dpl) {
    return set(index, 0x00cf_9a00_0000_ffffL | (long) dpl << 45);
  }

  Tables set(int index, long descriptor) {
    entries[index] = descriptor;
    return this;
  }

  @Override
  public long read(int selector) {
    int index = selector >>> 3;
    return index < entries.length ? entries[index] : -1;
  }

  @Override
  public void setAccessed(int selector) {
    accessed |= 1 << (selector >>> 3);
  }
}
