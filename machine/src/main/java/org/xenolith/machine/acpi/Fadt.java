package org.xenolith.machine.acpi;

import java.nio.ByteBuffer;

/** The fixed description table (section 5.2.9), of a PC with its power-management ports or of hardware without them. */
public final class Fadt {
  private static final int SIZE = 276;

  /** The oldest interface that a hypervisor's container for Linux needs has 6.0's form, and any later one reads it. */
  private static final int REVISION = 6;

  /** Flags: WBINVD works, HLT on every processor, no power and no sleep button, no RTC wake, 32-bit timer, reset register, no hardware. */
  private static final int WBINVD = 1, PROC_C1 = 1 << 2, NO_POWER_BUTTON = 1 << 4, NO_SLEEP_BUTTON = 1 << 5, NO_RTC_WAKE = 1 << 6,
      TIMER_32 = 1 << 8, RESET = 1 << 10, HARDWARE_REDUCED = 1 << 20;

  /** Boot architecture: ISA devices; no 8042; no VGA; no CMOS clock. */
  private static final int LEGACY_DEVICES = 1, NO_VGA = 1 << 2, NO_RTC = 1 << 5;

  private static final int SYSTEM_IO = 1;

  private final ByteBuffer fields = Layout.buffer(SIZE);

  private Fadt() {}

  /**
   * That of a PC whose power-management ports are in a row from {@code ports}: event (4 bytes), control (2), and at + 8 the timer (4).
   *
   * @param dsdt address of the DSDT
   * @param facs address of the FACS
   * @param interrupt the global system interrupt of power-management events
   * @param century where the CMOS has the century
   * @param resetPort where {@code resetValue} resets the machine
   */
  public static byte[] pc(long dsdt, long facs, int interrupt, int ports, int century, int resetPort, int resetValue) {
    Fadt fadt = new Fadt();
    fadt.common(dsdt, LEGACY_DEVICES | NO_VGA,
        WBINVD | PROC_C1 | NO_POWER_BUTTON | NO_SLEEP_BUTTON | NO_RTC_WAKE | TIMER_32 | RESET);
    ByteBuffer f = fadt.fields;
    f.putInt(36, (int) facs);
    f.putShort(46, (short) interrupt);
    f.putInt(56, ports).putInt(64, ports + 4).putInt(76, ports + 8);
    f.put(88, (byte) 4).put(89, (byte) 2).put(91, (byte) 4);
    // No C2 and no C3.
    f.putShort(96, (short) 0xfff).putShort(98, (short) 0xfff);
    f.put(108, (byte) century);
    fadt.port(116, 1, resetPort);
    f.put(128, (byte) resetValue);
    fadt.port(148, 4, ports);
    fadt.port(172, 2, ports + 4);
    fadt.port(208, 4, ports + 8);
    return fadt.table();
  }

  /** That of a machine without any of the fixed hardware (section 4.1), such as a hypervisor's container. */
  public static byte[] hardwareReduced(long dsdt) {
    Fadt fadt = new Fadt();
    fadt.common(dsdt, NO_VGA | NO_RTC, WBINVD | PROC_C1 | NO_POWER_BUTTON | NO_SLEEP_BUTTON | HARDWARE_REDUCED);
    return fadt.table();
  }

  private void common(long dsdt, int bootArchitecture, int flags) {
    fields.putInt(40, (int) dsdt).putLong(140, dsdt);
    fields.putShort(109, (short) bootArchitecture);
    fields.putInt(112, flags);
  }

  /** A generic address of a port (section 5.2.3.2). */
  private void port(int at, int bytes, int port) {
    int accessSize = Integer.numberOfTrailingZeros(bytes) + 1;
    fields.put(at, (byte) SYSTEM_IO).put(at + 1, (byte) (8 * bytes)).put(at + 2, (byte) 0).put(at + 3, (byte) accessSize);
    fields.putLong(at + 4, port);
  }

  private byte[] table() {
    byte[] body = new byte[SIZE - Layout.HEADER];
    fields.get(Layout.HEADER, body);
    return Layout.table("FACP", REVISION, body);
  }

  /** The firmware control structure (section 5.2.10), to be placed at a multiple of 64. It has no checksum. */
  public static byte[] facs() {
    return Layout.buffer(64).put(Layout.ascii("FACS")).putInt(64).put(32, (byte) 2).array();
  }
}
