package org.xenolith.machine.acpi;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;

/** The multiple APIC description table: processors, I/O APICs, and how ISA interrupts reach them (section 5.2.12). */
public final class Madt {
  /** Flags of an interrupt: as its bus has it; active high; level-triggered. */
  public static final int CONFORMING = 0, ACTIVE_HIGH = 1, LEVEL = 0xc;

  private static final int LOCAL_APIC_BASE = 0xfee0_0000;

  private final ByteArrayOutputStream body = new ByteArrayOutputStream();

  /**
   * One with local APICs 0 to {@code processors - 1}, all enabled.
   *
   * @param legacyPics whether there is a pair of 8259s, too
   */
  public Madt(int processors, boolean legacyPics) {
    this(processors, processors, 1, legacyPics);
  }

  /** Likewise with numbers that are {@code step} apart, of which the first {@code enabled} are so. */
  public Madt(int processors, int enabled, int step, boolean legacyPics) {
    add(Layout.buffer(8).putInt(LOCAL_APIC_BASE).putInt(legacyPics ? 1 : 0));
    for (int n = 0; n < processors; n++) {
      add(entry(0, 8).put((byte) n).put((byte) (n * step)).putInt(n < enabled ? 1 : 0));
    }
  }

  /** Adds an I/O APIC whose first pin is global system interrupt {@code gsi}. */
  public Madt ioApic(int id, long pa, int gsi) {
    return add(entry(1, 12).put((byte) id).put((byte) 0).putInt((int) pa).putInt(gsi));
  }

  /** An ISA interrupt is another global system interrupt than its number says, or has another form. */
  public Madt override(int isa, int gsi, int flags) {
    return add(entry(2, 10).put((byte) 0).put((byte) isa).putInt(gsi).putShort((short) flags));
  }

  /** Non-maskable interrupts come through a pin of every local APIC. */
  public Madt nonMaskable(int pin) {
    return add(entry(4, 6).put((byte) 0xff).putShort((short) CONFORMING).put((byte) pin));
  }

  private static ByteBuffer entry(int type, int length) {
    return Layout.buffer(length).put((byte) type).put((byte) length);
  }

  private Madt add(ByteBuffer entry) {
    body.writeBytes(entry.array());
    return this;
  }

  /** The table. */
  public byte[] table() {
    return Layout.table("APIC", 5, body.toByteArray());
  }
}
