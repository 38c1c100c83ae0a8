package org.xenolith.machine.pc;

import org.xenolith.cpu.Clock;
import org.xenolith.machine.Ending;
import org.xenolith.machine.EventQueue;
import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;
import org.xenolith.machine.RunOutcome;

/**
 * The fixed power-management hardware (ACPI specification 6.5, section 4.8): event and control registers, always in ACPI mode, and the
 * timer of 32 bits. Sleep type {@link #OFF} ends the run; there is no other.
 */
final class AcpiPm implements PortDevice {
  /** The first port: event status and enable, at + 4 control, at + 8 the timer. */
  static final int PORTS = 0x600;

  /** The interrupt request of its events. */
  static final int IRQ = 9;

  /** The sleep type of S5. */
  static final int OFF = 5;

  private static final long HZ = 3_579_545;
  private static final int TIMER_STATUS = 1, GLOBAL_STATUS = 1 << 5, STATUS_BITS = 0x8731;
  private static final int SCI_ENABLED = 1, GLOBAL_RELEASE = 1 << 2, SLEEP = 1 << 13;

  private final Clock clock;
  private final EventQueue events;
  private final IsaInterrupts.Line interrupt;
  private final Ending ending;
  private int status, enabled, control = SCI_ENABLED;
  private long seenHalf;
  private EventQueue.Event event;

  AcpiPm(Clock clock, EventQueue events, IsaInterrupts.Line interrupt, Ending ending) {
    this.clock = clock;
    this.events = events;
    this.interrupt = interrupt;
    this.ending = ending;
  }

  void attach(Ports ports) {
    ports.add(PORTS, 12, this);
  }

  @Override
  public boolean takesWide() {
    return true;
  }

  private long timer() {
    return Ticks.at(clock.now, HZ);
  }

  @Override
  public int in(int port, int size) {
    look();
    long value = switch (port - PORTS >> 2) {
      case 0 -> status | enabled << 16;
      case 1 -> control;
      default -> timer();
    };
    return (int) ((value & 0xffff_ffffL) >>> 8 * (port & 3));
  }

  @Override
  public void out(int port, int size, int value) {
    look();
    int shift = 8 * (port & 3);
    long written = (value & 0xffff_ffffL) << shift;
    long mask = (-1L >>> 64 - 8 * size) << shift;
    switch (port - PORTS >> 2) {
      case 0 -> {
        status &= (int) ~written;
        enabled = (int) (enabled & ~(mask >>> 16) | written >>> 16 & STATUS_BITS);
      }
      case 1 -> {
        int asked = (int) (control & ~mask | written);
        if ((asked & SLEEP) != 0) {
          sleep(asked >>> 10 & 7);
        }
        if ((asked & GLOBAL_RELEASE) != 0) {
          // Nobody holds the global lock: firmware's answer comes at once.
          status |= GLOBAL_STATUS;
        }
        control = asked & ~(SLEEP | GLOBAL_RELEASE) & 0x1fff | SCI_ENABLED;
      }
      default -> {}
    }
    raise();
  }

  private void sleep(int type) {
    if (type == OFF) {
      ending.end(RunOutcome.Kind.POWEROFF, "the guest powered off");
    } else {
      ending.unimplemented("ACPI sleep type " + type);
    }
  }

  /** The timer's status bit is set when its highest bit changes. */
  private void look() {
    long half = timer() >>> 31;
    if (half != seenHalf) {
      seenHalf = half;
      status |= TIMER_STATUS;
    }
  }

  private void raise() {
    interrupt.set((status & enabled) != 0);
    if (event != null) {
      event.cancel();
      event = null;
    }
    if ((enabled & ~status & TIMER_STATUS) != 0) {
      event = events.at(Ticks.clock((timer() >>> 31) + 1 << 31, HZ), this::changed);
    }
  }

  private void changed() {
    event = null;
    look();
    raise();
  }
}
