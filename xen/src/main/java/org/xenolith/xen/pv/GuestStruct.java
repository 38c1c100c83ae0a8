package org.xenolith.xen.pv;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.xenolith.cpu.Cpu;
import org.xenolith.xen.GuestAccess;

/** A hypercall's argument structure, copied from or to the guest. */
final class GuestStruct {
  private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

  final byte[] bytes;

  GuestStruct(int size) {
    bytes = new byte[size];
  }

  /** Copies {@code length} bytes from the guest; false where they cannot be read. */
  boolean read(Cpu cpu, long va, int length) {
    return GuestAccess.copyIn(cpu, va, bytes, 0, length);
  }

  /** Copies the first {@code length} bytes to the guest; false where they cannot be written. */
  boolean write(Cpu cpu, long va, int length) {
    return GuestAccess.copyOut(cpu, va, bytes, 0, length);
  }

  void clear() {
    Arrays.fill(bytes, (byte) 0);
  }

  long getLong(int at) {
    return (long) LONG.get(bytes, at);
  }

  int getInt(int at) {
    return (int) INT.get(bytes, at);
  }

  int getShort(int at) {
    return (short) SHORT.get(bytes, at) & 0xffff;
  }

  int getByte(int at) {
    return bytes[at] & 0xff;
  }

  void putLong(int at, long value) {
    LONG.set(bytes, at, value);
  }

  void putInt(int at, int value) {
    INT.set(bytes, at, value);
  }

  /** Puts a string of at most {@code size - 1} ASCII characters and zeroes behind it. */
  void putString(int at, int size, String value) {
    for (int n = 0; n < size; n++) {
      bytes[at + n] = n < value.length() && n < size - 1 ? (byte) value.charAt(n) : 0;
    }
  }
}
