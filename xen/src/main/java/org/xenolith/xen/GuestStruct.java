package org.xenolith.xen;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.xenolith.cpu.Cpu;

/** A hypercall's argument structure, copied from or to the guest. One serves many calls, so nothing is allocated for each. */
public final class GuestStruct {
  private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

  private final byte[] bytes;

  public GuestStruct(int size) {
    bytes = new byte[size];
  }

  /** The structure's bytes themselves, not a copy. */
  public byte[] bytes() {
    return bytes;
  }

  /** Copies {@code length} bytes from the guest; false where they cannot be read. */
  public boolean read(Cpu cpu, long va, int length) {
    return GuestAccess.copyIn(cpu, va, bytes, 0, length);
  }

  /** Copies the first {@code length} bytes to the guest; false where they cannot be written. */
  public boolean write(Cpu cpu, long va, int length) {
    return GuestAccess.copyOut(cpu, va, bytes, 0, length);
  }

  /** Copies {@code length} bytes from {@code offset} on to the guest at {@code va}; false where they cannot be written. */
  public boolean write(Cpu cpu, long va, int offset, int length) {
    return GuestAccess.copyOut(cpu, va, bytes, offset, length);
  }

  public void clear() {
    Arrays.fill(bytes, (byte) 0);
  }

  public long getLong(int at) {
    return (long) LONG.get(bytes, at);
  }

  public int getInt(int at) {
    return (int) INT.get(bytes, at);
  }

  public int getShort(int at) {
    return (short) SHORT.get(bytes, at) & 0xffff;
  }

  public int getByte(int at) {
    return bytes[at] & 0xff;
  }

  public void putLong(int at, long value) {
    LONG.set(bytes, at, value);
  }

  public void putInt(int at, int value) {
    INT.set(bytes, at, value);
  }

  /** Puts a string of at most {@code size - 1} ASCII characters and zeroes behind it. */
  public void putString(int at, int size, String value) {
    for (int n = 0; n < size; n++) {
      bytes[at + n] = n < value.length() && n < size - 1 ? (byte) value.charAt(n) : 0;
    }
  }
}
