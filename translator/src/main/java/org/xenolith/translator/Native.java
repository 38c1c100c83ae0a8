package org.xenolith.translator;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Host memory by address, and calls into it. */
final class Native {
  private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  /**
   * (code, first argument, second argument): the result is an int. A collection asked for meanwhile does not wait: the call is no critical
   * one.
   */
  private static final MethodHandle CALL =
      Linker.nativeLinker()
          .downcallHandle(FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));

  private Native() {}

  static int call(MemorySegment code, long a, long b) {
    try {
      return (int) CALL.invokeExact(code, a, b);
    } catch (Throwable e) {
      throw new IllegalStateException("machine code cannot be called", e);
    }
  }

  static long getLong(long host) {
    return ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, host);
  }

  static void putLong(long host, long value) {
    ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, host, value);
  }

  static int getInt(long host) {
    return ALL.get(ValueLayout.JAVA_INT_UNALIGNED, host);
  }

  static void putInt(long host, int value) {
    ALL.set(ValueLayout.JAVA_INT_UNALIGNED, host, value);
  }

  static int getShort(long host) {
    return ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, host);
  }

  static void putShort(long host, int value) {
    ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, host, (short) value);
  }

  static int getByte(long host) {
    return ALL.get(ValueLayout.JAVA_BYTE, host);
  }

  static void putByte(long host, int value) {
    ALL.set(ValueLayout.JAVA_BYTE, host, (byte) value);
  }

  static void put(long host, byte[] from, int length) {
    MemorySegment.copy(from, 0, ALL, ValueLayout.JAVA_BYTE, host, length);
  }

  static void fill(long host, long length, int value) {
    ALL.asSlice(host, length).fill((byte) value);
  }
}
