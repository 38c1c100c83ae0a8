package org.xenolith.machine;

import org.xenolith.cpu.Clock;

/**
 * The 65,536 ports of a machine. Where nobody is, the bus floats: reads return all ones, writes are lost.
 *
 * <p>An access takes device time. A cycle on the ISA bus takes about a microsecond, which kernels rely on when they write to port 80h for a
 * pause (Linux, arch/x86/kernel/io_delay.c) and when they calibrate by reading a timer (pit_expect_msb): so a loop that polls a port for
 * some time does it as seldom as on a PC.
 */
public final class Ports {
  /** What an access adds to the clock beside its instruction's own count. */
  public static final long ACCESS_COUNTS = 1_000;

  private final Clock clock;
  private final PortDevice[] devices = new PortDevice[0x1_0000];

  public Ports(Clock clock) {
    this.clock = clock;
  }

  /** Puts a device at {@code count} ports. */
  public void add(int first, int count, PortDevice device) {
    for (int port = first; port < first + count; port++) {
      if (devices[port] != null) {
        throw new IllegalStateException("port 0x%x is taken".formatted(port));
      }
      devices[port] = device;
    }
  }

  /** IN of {@code size} (1, 2 or 4) bytes, zero-extended. */
  public long in(int port, int size) {
    clock.now += ACCESS_COUNTS;
    PortDevice device = devices[port & 0xffff];
    if (device != null && (size == 1 || device.takesWide())) {
      return device.in(port & 0xffff, size) & -1L >>> 64 - 8 * size;
    }
    long value = 0;
    for (int n = 0; n < size; n++) {
      int at = port + n & 0xffff;
      int part = devices[at] == null ? 0xff : devices[at].in(at, 1) & 0xff;
      value |= (long) part << 8 * n;
    }
    return value;
  }

  /** OUT of {@code size} (1, 2 or 4) bytes. */
  public void out(int port, int size, long value) {
    clock.now += ACCESS_COUNTS;
    PortDevice device = devices[port & 0xffff];
    if (device != null && (size == 1 || device.takesWide())) {
      device.out(port & 0xffff, size, (int) (value & -1L >>> 64 - 8 * size));
      return;
    }
    for (int n = 0; n < size; n++) {
      int at = port + n & 0xffff;
      if (devices[at] != null) {
        devices[at].out(at, 1, (int) (value >>> 8 * n) & 0xff);
      }
    }
  }
}
