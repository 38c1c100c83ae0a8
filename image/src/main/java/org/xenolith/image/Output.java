package org.xenolith.image;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/** Where a decompressor puts its output: one array that grows up to a limit, and no further copy where the size was known. */
final class Output {
  private final int limit;
  byte[] bytes;
  int size;

  /**
   * @param expected size to make room for at first, in bytes
   * @param limit size above which the input is refused, in bytes
   */
  Output(int expected, int limit) {
    this.limit = limit;
    this.bytes = new byte[Math.min(Math.max(expected, 0), limit)];
  }

  /** Makes room for {@code more} bytes after {@link #size}. */
  void reserve(int more) {
    long needed = (long) size + more;
    if (needed <= bytes.length) {
      return;
    }
    if (needed > limit) {
      throw new ImageException(
          "decompresses to more than %d MiB".formatted(limit >> 20), "no kernel is that large; get the file again");
    }
    bytes = Arrays.copyOf(bytes, (int) Math.min(limit, Math.max(needed, bytes.length * 3L / 2)));
  }

  /** Appends a copy of what was put {@code distance} bytes ago; the two may overlap, as LZ77 means them to. */
  void repeat(int distance, int length) {
    if (distance <= 0 || distance > size) {
      throw ImageException.corrupt("a copy from %d bytes back with %d bytes put out".formatted(distance, size));
    }
    reserve(length);
    byte[] array = bytes;
    int to = size;
    int from = to - distance;
    if (distance >= length) {
      System.arraycopy(array, from, array, to, length);
    } else if (distance == 1) {
      Arrays.fill(array, to, to + length, array[from]);
    } else {
      for (int i = 0; i < length; i++) {
        array[to + i] = array[from + i];
      }
    }
    size = to + length;
  }

  void put(byte[] source, int offset, int length) {
    if (length < 0 || offset < 0 || length > source.length - offset) {
      throw ImageException.truncated("compressed data", offset, length, source.length);
    }
    reserve(length);
    System.arraycopy(source, offset, bytes, size, length);
    size += length;
  }

  /** Puts everything that {@code in} has. */
  void drain(InputStream in) throws IOException {
    while (true) {
      if (size == bytes.length) {
        // Often the size was known and this is the end: look before growing.
        int next = in.read();
        if (next < 0) {
          return;
        }
        reserve(1 << 16);
        bytes[size++] = (byte) next;
      }
      int count = in.read(bytes, size, bytes.length - size);
      if (count < 0) {
        return;
      }
      size += count;
    }
  }
}
