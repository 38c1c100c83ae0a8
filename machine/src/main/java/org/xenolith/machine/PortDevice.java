package org.xenolith.machine;

/** A device that is reached through ports. */
public interface PortDevice {
  /** Reads {@code size} bytes, zero-extended; 1 unless the device {@link #takesWide}. */
  int in(int port, int size);

  /** Writes {@code size} bytes; 1 unless the device {@link #takesWide}. */
  void out(int port, int size, int value);

  /** Whether accesses of 2 and 4 bytes reach it whole; otherwise they are split into bytes at consecutive ports, as an ISA bus does. */
  default boolean takesWide() {
    return false;
  }
}
