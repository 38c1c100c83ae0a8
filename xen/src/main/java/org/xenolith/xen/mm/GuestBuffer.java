package org.xenolith.xen.mm;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.xenolith.cpu.Cpu;
import org.xenolith.xen.GuestAccess;

/** A structure copied from or to a guest. One is reused for a hypercall's structures, so nothing is allocated for each. */
final class GuestBuffer {
  private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

  private final byte[] bytes;

  GuestBuffer(int size) {
    bytes = new byte[size];
  }

  /** Copies the first {@code length} bytes from the guest; false if they are not readable. */
  boolean read(Cpu cpu, long va, int length) {
    return GuestAccess.copyIn(cpu, va, bytes, 0, length);
  }

  /** Copies {@code length} bytes from {@code offset} on to the guest at {@code va}; false if it is not writable. */
  boolean write(Cpu cpu, long va, int offset, int length) {
    return GuestAccess.copyOut(cpu, va, bytes, offset, length);
  }

  long getLong(int offset) {
    return (long) LONG.get(bytes, offset);
  }

  int getInt(int offset) {
    return (int) INT.get(bytes, offset);
  }

  int getShort(int offset) {
    return (short) SHORT.get(bytes, offset) & 0xffff;
  }

  void putLong(int offset, long value) {
    LONG.set(bytes, offset, value);
  }

  void putInt(int offset, int value) {
    INT.set(bytes, offset, value);
  }
}
