package org.xenolith.machine.pc;

import org.xenolith.cpu.Clock;
import org.xenolith.machine.EventQueue;
import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;

/**
 * The 8254 timer of a PC at ports 40h to 43h, and port 61h with the gate and the output of its counter 2. Source: Intel 82C54 data sheet;
 * 82371SB (PIIX3) data sheet, section 2.5.5, for port 61h. Counter 0 is interrupt request 0; what is audible of counter 2 nobody hears.
 */
final class Pit implements PortDevice {
  static final long HZ = 1_193_182;

  private final Clock clock;
  private final EventQueue events;
  private final IsaInterrupts.Line interrupt;
  private final Counter[] counters = {new Counter(), new Counter(), new Counter()};
  private EventQueue.Event event;
  private int speaker;

  Pit(Clock clock, EventQueue events, IsaInterrupts.Line interrupt) {
    this.clock = clock;
    this.events = events;
    this.interrupt = interrupt;
    counters[2].gate = false;
  }

  void attach(Ports ports) {
    ports.add(0x40, 4, this);
    ports.add(0x61, 1, this);
  }

  private long now() {
    return Ticks.at(clock.now, HZ);
  }

  @Override
  public int in(int port, int size) {
    return switch (port) {
      case 0x40, 0x41, 0x42 -> counters[port & 3].read();
      case 0x43 -> 0xff;
      // Bit 4 changes with each refresh of the memory, every 15 us.
      default -> speaker | (int) (clock.now / 15_085 & 1) << 4 | (counters[2].output() ? 0x20 : 0);
    };
  }

  @Override
  public void out(int port, int size, int value) {
    switch (port) {
      case 0x40, 0x41, 0x42 -> {
        counters[port & 3].write(value);
        if (port == 0x40) {
          schedule();
        }
      }
      case 0x43 -> command(value);
      default -> {
        speaker = value & 0xf;
        counters[2].setGate((value & 1) != 0);
      }
    }
  }

  private void command(int value) {
    int selected = value >>> 6;
    if (selected == 3) {
      for (int n = 0; n < 3; n++) {
        if ((value >>> n + 1 & 1) != 0) {
          counters[n].readBack((value & 0x20) == 0, (value & 0x10) == 0);
        }
      }
    } else if ((value & 0x30) == 0) {
      counters[selected].readBack(true, false);
    } else {
      counters[selected].control(value & 0x3f);
      if (selected == 0) {
        schedule();
      }
    }
  }

  /** Waits for the next rising edge of counter 0's output. */
  private void schedule() {
    if (event != null) {
      event.cancel();
      event = null;
    }
    interrupt.set(counters[0].output());
    long edge = counters[0].nextRise(now());
    if (edge >= 0) {
      event = events.at(Ticks.clock(edge, HZ), this::rise);
    }
  }

  private void rise() {
    event = null;
    interrupt.set(false);
    interrupt.set(true);
    long edge = counters[0].nextRise(now());
    if (edge >= 0) {
      event = events.at(Ticks.clock(edge, HZ), this::rise);
    }
  }

  /** One counter. Its count is a function of the ticks since it was loaded, less those in which its gate was low. */
  private final class Counter {
    private boolean gate = true;
    private int mode = 3;
    private boolean bcd;

    /** Bits 4 and 5 of the control word: 1 low byte, 2 high byte, 3 both. */
    private int access = 3;

    /** The count to load, 1 to 65,536; 0 before one was written. */
    private int reload;

    private int lowByte;
    private boolean halfWritten, halfRead;

    /** The tick at which counting began, or if the gate stopped it the ticks it had counted until then. */
    private long start;

    private boolean counting, stopped;

    /** Latched count, and how many bytes of it are still to be read; latched status. */
    private int latch, latched, status;

    private boolean statusLatched;

    void control(int word) {
      mode = word >>> 1 & 7;
      mode = mode > 5 ? mode & 3 : mode;
      bcd = (word & 1) != 0;
      access = word >>> 4 & 3;
      reload = 0;
      halfWritten = false;
      halfRead = false;
      latched = 0;
      statusLatched = false;
      counting = false;
      stopped = false;
    }

    void write(int value) {
      if (access == 3 && !halfWritten) {
        halfWritten = true;
        lowByte = value;
        if (mode == 0) {
          counting = false;
        }
        return;
      }
      int count = access == 1 ? value : access == 2 ? value << 8 : value << 8 | lowByte;
      halfWritten = false;
      load(count);
    }

    private void load(int count) {
      int binary = bcd ? fromBcd(count) : count;
      int before = reload;
      reload = binary == 0 ? bcd ? 10_000 : 0x1_0000 : binary;
      // A running periodic counter takes its new count at the end of the period; that it does so at once changes one period only.
      boolean triggered = mode == 1 || mode == 5;
      if (triggered && before != 0) {
        return;
      }
      if (!triggered) {
        begin();
      }
    }

    /** Counting begins with the next tick. */
    private void begin() {
      counting = true;
      stopped = !gate && mode != 1 && mode != 5;
      start = stopped ? 0 : now() + 1;
    }

    void setGate(boolean high) {
      if (high == gate) {
        return;
      }
      gate = high;
      if (high) {
        if (reload != 0 && mode != 0 && mode != 4) {
          begin();
        } else if (counting && stopped) {
          start = now() - start;
          stopped = false;
        }
      } else if (counting && mode != 1 && mode != 5) {
        start = elapsed();
        stopped = true;
      }
    }

    private long elapsed() {
      return stopped ? start : Math.max(0, now() - start);
    }

    private int modulus() {
      return bcd ? 10_000 : 0x1_0000;
    }

    private int count() {
      if (!counting) {
        return reload % modulus();
      }
      long passed = elapsed();
      long count = switch (mode) {
        case 2 -> reload - passed % reload;
        // Counts down by two.
        case 3 -> reload - 2 * (passed % ((reload + 1) / 2));
        default -> reload - passed;
      };
      return (int) Math.floorMod(count, (long) modulus());
    }

    boolean output() {
      if (!counting) {
        return mode != 0;
      }
      long passed = elapsed();
      return switch (mode) {
        case 0, 1 -> passed >= reload;
        case 2 -> stopped || passed % reload != reload - 1;
        case 3 -> stopped || passed % reload < (reload + 1) / 2;
        default -> passed != reload;
      };
    }

    /** The tick of the output's next rise after {@code tick}, or -1 if there is none. */
    long nextRise(long tick) {
      if (!counting || stopped) {
        return -1;
      }
      if (mode == 2 || mode == 3) {
        return tick < start ? start + reload : start + ((tick - start) / reload + 1) * reload;
      }
      long end = start + reload + (mode > 3 ? 1 : 0);
      return end > tick ? end : -1;
    }

    void readBack(boolean count, boolean wantsStatus) {
      if (count && latched == 0) {
        latch = encoded();
        latched = access == 3 ? 2 : 1;
      }
      if (wantsStatus && !statusLatched) {
        // Bit 6: no count was loaded yet.
        status = (output() ? 0x80 : 0) | (counting ? 0 : 0x40) | access << 4 | mode << 1 | (bcd ? 1 : 0);
        statusLatched = true;
      }
    }

    private int encoded() {
      return bcd ? toBcd(count()) : count();
    }

    int read() {
      if (statusLatched) {
        statusLatched = false;
        return status;
      }
      if (latched > 0) {
        boolean high = access == 2 || access == 3 && latched == 1;
        latched--;
        return latch >>> (high ? 8 : 0) & 0xff;
      }
      boolean high = access == 2 || access == 3 && halfRead;
      halfRead = access == 3 && !halfRead;
      return encoded() >>> (high ? 8 : 0) & 0xff;
    }

    private static int fromBcd(int value) {
      return (value >>> 12) * 1000 + (value >>> 8 & 15) * 100 + (value >>> 4 & 15) * 10 + (value & 15);
    }

    private static int toBcd(int value) {
      return value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
    }
  }
}
