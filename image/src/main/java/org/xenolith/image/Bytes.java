package org.xenolith.image;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Little-endian reads of an image. Every read is checked, and one beyond the end says what was being read. */
final class Bytes {
  private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment data;

  Bytes(MemorySegment data) {
    this.data = data.asReadOnly();
  }

  long size() {
    return data.byteSize();
  }

  boolean contains(long offset, long length) {
    return offset >= 0 && length >= 0 && offset <= size() && length <= size() - offset;
  }

  void check(String what, long offset, long length) {
    if (!contains(offset, length)) {
      throw ImageException.truncated(what, offset, length, size());
    }
  }

  int u8(String what, long offset) {
    check(what, offset, 1);
    return data.get(JAVA_BYTE, offset) & 0xff;
  }

  int u16(String what, long offset) {
    check(what, offset, 2);
    return data.get(U16, offset) & 0xffff;
  }

  long u32(String what, long offset) {
    check(what, offset, 4);
    return data.get(U32, offset) & 0xffff_ffffL;
  }

  long u64(String what, long offset) {
    check(what, offset, 8);
    return data.get(U64, offset);
  }

  /** A view, not a copy. */
  MemorySegment slice(String what, long offset, long length) {
    check(what, offset, length);
    return data.asSlice(offset, length);
  }

  byte[] copy(String what, long offset, int length) {
    return slice(what, offset, length).toArray(JAVA_BYTE);
  }

  /** The text at {@code offset} up to a NUL, or to {@code limit} bytes if none comes before. */
  String text(String what, long offset, int limit) {
    int available = (int) Math.min(limit, Math.max(0, size() - offset));
    byte[] bytes = copy(what, offset, available);
    return text(bytes, 0, bytes.length);
  }

  static String text(byte[] bytes, int offset, int limit) {
    int end = offset;
    while (end < limit && bytes[end] != 0) {
      end++;
    }
    return new String(bytes, offset, end - offset, StandardCharsets.ISO_8859_1);
  }

  static int u16(byte[] bytes, int offset) {
    return bytes[offset] & 0xff | (bytes[offset + 1] & 0xff) << 8;
  }

  static int i32(byte[] bytes, int offset) {
    return u16(bytes, offset) | u16(bytes, offset + 2) << 16;
  }

  static long u32(byte[] bytes, int offset) {
    return i32(bytes, offset) & 0xffff_ffffL;
  }

  static long i64(byte[] bytes, int offset) {
    return u32(bytes, offset) | u32(bytes, offset + 4) << 32;
  }
}
