package org.xenolith.image;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The bit streams of Zstandard, which are read from their end to their start (RFC 8878, 4.1). The array must have 8 bytes to spare after
 * the stream.
 */
final class BackwardBits {
  private static final VarHandle U64 = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private final byte[] in;
  private final int start;
  private int left;

  /** A stream of {@code size} bytes at {@code start}: its last 1 bit only marks the end. */
  BackwardBits(byte[] in, int start, int size) {
    if (size <= 0 || start < 0 || size > in.length - 8 - start || in[start + size - 1] == 0) {
      throw ImageException.corrupt("a bit stream of %d bytes at 0x%x".formatted(size, start));
    }
    this.in = in;
    this.start = start;
    this.left = size * 8 - Integer.numberOfLeadingZeros(in[start + size - 1] & 0xff) + 23;
  }

  /** Bits not read yet; negative if more were read than there are. */
  int left() {
    return left;
  }

  /** The next {@code count} bits, at most 32; zeros where the stream has no more. */
  int read(int count) {
    left -= count;
    return bits(left, count);
  }

  /** The next {@code count} bits without taking them. */
  int peek(int count) {
    return bits(left - count, count);
  }

  void skip(int count) {
    left -= count;
  }

  private int bits(int from, int count) {
    if (from >= 0) {
      return (int) ((long) U64.get(in, start + (from >> 3)) >>> (from & 7) & (1L << count) - 1);
    }
    int there = from + count;
    return there <= 0 ? 0 : bits(0, there) << -from;
  }
}
