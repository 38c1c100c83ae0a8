package org.xenolith.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Unchecked access to host memory by address: the last step of a TLB hit. An address comes only from a TLB entry or from {@link
 * GuestMemory#host} with a machine address known to be RAM; that is what keeps a guest inside its own memory.
 */
final class Host {
  private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  private Host() {}

  static int getByte(long host) {
    return ALL.get(ValueLayout.JAVA_BYTE, host) & 0xff;
  }

  static int getShort(long host) {
    return ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, host) & 0xffff;
  }

  static int getInt(long host) {
    return ALL.get(ValueLayout.JAVA_INT_UNALIGNED, host);
  }

  static long getLong(long host) {
    return ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, host);
  }

  static void putByte(long host, int value) {
    ALL.set(ValueLayout.JAVA_BYTE, host, (byte) value);
  }

  static void putShort(long host, int value) {
    ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, host, (short) value);
  }

  static void putInt(long host, int value) {
    ALL.set(ValueLayout.JAVA_INT_UNALIGNED, host, value);
  }

  static void putLong(long host, long value) {
    ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, host, value);
  }

  static void get(long host, byte[] into, int length) {
    MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, host, into, 0, length);
  }

  static void get(long host, byte[] into, int offset, int length) {
    MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, host, into, offset, length);
  }

  static void copy(long from, long to, long length) {
    MemorySegment.copy(ALL, from, ALL, to, length);
  }

  static void fill(long host, long length, int value) {
    ALL.asSlice(host, length).fill((byte) value);
  }
}
