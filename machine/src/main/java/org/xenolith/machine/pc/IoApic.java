package org.xenolith.machine.pc;

import org.xenolith.machine.Ending;
import org.xenolith.machine.apic.ApicBus;

/**
 * The I/O APIC of a PC, 24 pins. Source: Intel 82093AA data sheet; for the register that ends interrupts, ICH9 data sheet, section 13.5.
 * A line is asserted or not: the polarity that the guest writes is kept and has no effect.
 */
final class IoApic {
  static final long BASE = 0xfec0_0000L;
  static final int PINS = 24;

  private static final int VERSION = 0x20;
  private static final long MASKED = 1 << 16, LEVEL = 1 << 15, REMOTE_IRR = 1 << 14, STATUS = 1 << 12, LOGICAL = 1 << 11;
  private static final long WRITABLE = 0xff00_0000_0001_ffffL & ~(REMOTE_IRR | STATUS);

  private final ApicBus bus;
  private final Ending ending;
  private final long[] entries = new long[PINS];
  private int lines;
  private int selected;
  private int id;

  IoApic(ApicBus bus, Ending ending) {
    this.bus = bus;
    this.ending = ending;
    for (int pin = 0; pin < PINS; pin++) {
      entries[pin] = MASKED;
    }
    bus.onEnd(this::ended);
  }

  /** Whether a machine address is one of its registers. */
  static boolean covers(long pa) {
    return (pa ^ BASE) >>> 8 == 0;
  }

  long read(long pa, int size) {
    long value = switch ((int) pa & 0xfc) {
      case 0x00 -> selected;
      case 0x10 -> register();
      default -> 0;
    };
    return value >>> 8 * (pa & 3) & -1L >>> 64 - 8 * size;
  }

  void write(long pa, int size, long value) {
    switch ((int) pa & 0xff) {
      case 0x00 -> selected = (int) value & 0xff;
      case 0x10 -> {
        if (size >= 4) {
          setRegister(value & 0xffff_ffffL);
        }
      }
      case 0x40 -> ended((int) value & 0xff);
      default -> {}
    }
  }

  private long register() {
    return switch (selected) {
      case 0, 2 -> (long) id << 24;
      case 1 -> VERSION | PINS - 1 << 16;
      default -> {
        int pin = selected - 0x10 >> 1;
        boolean exists = selected >= 0x10 && pin < PINS;
        yield exists ? entries[pin] >>> 32 * (selected & 1) & 0xffff_ffffL : 0;
      }
    };
  }

  private void setRegister(long value) {
    int pin = selected - 0x10 >> 1;
    if (selected == 0) {
      id = (int) value >>> 24 & 0xf;
    } else if (selected >= 0x10 && pin < PINS) {
      int shift = 32 * (selected & 1);
      long kept = entries[pin] & ~(0xffff_ffffL << shift & WRITABLE);
      long entry = kept | value << shift & WRITABLE;
      // An edge-triggered interrupt has no remote state: kernels change the form and back to end a lost one (Linux, __eoi_ioapic_pin).
      entries[pin] = (entry & LEVEL) == 0 ? entry & ~REMOTE_IRR : entry;
      if ((entries[pin] & LEVEL) != 0) {
        service(pin);
      }
    }
  }

  /** Sets the level of a pin. A rising edge at a masked pin is lost. */
  void set(int pin, boolean asserted) {
    boolean before = (lines >>> pin & 1) != 0;
    lines = asserted ? lines | 1 << pin : lines & ~(1 << pin);
    if (asserted && (!before || (entries[pin] & LEVEL) != 0)) {
      service(pin);
    }
  }

  /** Sends the interrupt of an asserted pin, unless it is masked or not yet at its end. */
  private void service(int pin) {
    long entry = entries[pin];
    if ((entry & (MASKED | REMOTE_IRR)) != 0 || (lines >>> pin & 1) == 0) {
      return;
    }
    int mode = (int) entry >>> 8 & 7;
    boolean level = (entry & LEVEL) != 0;
    if (mode == ApicBus.EXTERNAL) {
      ending.unimplemented("I/O APIC pin %d as ExtINT".formatted(pin));
      return;
    }
    if (level && (mode == ApicBus.FIXED || mode == ApicBus.LOWEST_PRIORITY)) {
      entries[pin] |= REMOTE_IRR;
    }
    int destination = (int) (entry >>> 56);
    bus.send((entry & LOGICAL) != 0, destination == 0xff ? ApicBus.EVERYBODY : destination, mode, (int) entry & 0xff, level);
  }

  private void ended(int vector) {
    for (int pin = 0; pin < PINS; pin++) {
      if ((entries[pin] & (LEVEL | REMOTE_IRR)) == (LEVEL | REMOTE_IRR) && (entries[pin] & 0xff) == vector) {
        entries[pin] &= ~REMOTE_IRR;
        service(pin);
      }
    }
  }
}
