package org.xenolith.machine.pc;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;

/**
 * What test kernels find beside the {@link DebugExit} (QEMU's pc-testdev): a port for each interrupt line, ports that keep what is written
 * to them, and a little memory that is reached over the bus, as devices are.
 */
final class TestDevice implements PortDevice {
  /** The port of line 0, and how many lines there are: those of the ISA bus, and the further pins of the I/O APIC. */
  private static final int LINES = 0x2000, COUNT = 24, ISA_LINES = 16;

  /** Four ports that are one register of as many bytes. */
  private static final int REGISTER = 0xe0, REGISTER_SIZE = 4;

  private static final long MEMORY = 0xff00_0000L;
  private static final int MEMORY_SIZE = 0x1_0000;

  private static final VarHandle SHORT = view(short[].class), INT = view(int[].class), LONG = view(long[].class);

  private static VarHandle view(Class<?> array) {
    return MethodHandles.byteArrayViewVarHandle(array, ByteOrder.LITTLE_ENDIAN);
  }

  private final IsaInterrupts interrupts;
  private final IoApic ioApic;
  private final byte[] register = new byte[REGISTER_SIZE];
  private final byte[] memory = new byte[MEMORY_SIZE];

  TestDevice(IsaInterrupts interrupts, IoApic ioApic) {
    this.interrupts = interrupts;
    this.ioApic = ioApic;
  }

  void attach(Ports ports) {
    ports.add(LINES, COUNT, this);
    ports.add(
        REGISTER,
        REGISTER_SIZE,
        new PortDevice() {
          @Override
          public int in(int port, int size) {
            return register[port - REGISTER] & 0xff;
          }

          @Override
          public void out(int port, int size, int value) {
            register[port - REGISTER] = (byte) value;
          }
        });
  }

  @Override
  public boolean takesWide() {
    return true;
  }

  @Override
  public int in(int port, int size) {
    return -1;
  }

  @Override
  public void out(int port, int size, int value) {
    int line = port - LINES;
    if (line < ISA_LINES) {
      interrupts.line(line).set(value != 0);
    } else {
      ioApic.set(line, value != 0);
    }
  }

  // ---- The memory ----

  static boolean covers(long pa) {
    return pa >= MEMORY && pa < MEMORY + MEMORY_SIZE;
  }

  long read(long pa, int size) {
    int at = (int) (pa - MEMORY);
    return switch (size) {
      case 1 -> memory[at] & 0xff;
      case 2 -> (short) SHORT.get(memory, at) & 0xffff;
      case 4 -> (int) INT.get(memory, at) & 0xffff_ffffL;
      default -> (long) LONG.get(memory, at);
    };
  }

  void write(long pa, int size, long value) {
    int at = (int) (pa - MEMORY);
    switch (size) {
      case 1 -> memory[at] = (byte) value;
      case 2 -> SHORT.set(memory, at, (short) value);
      case 4 -> INT.set(memory, at, (int) value);
      default -> LONG.set(memory, at, value);
    }
  }
}
