package org.xenolith.machine.pc;

import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;

/**
 * The two 8259A interrupt controllers of a PC, the second at input 2 of the first, with the edge/level control registers of its south
 * bridge. Source: Intel 8259A data sheet; 82371SB (PIIX3) data sheet, section 2.5.8, for ports 4D0h and 4D1h, which replace bit LTIM of
 * ICW1.
 */
final class Pic implements PortDevice {
  /** Who is told of the first one's output. */
  interface Output {
    void set(boolean asserted);
  }

  private static final int CASCADE = 2;

  private final Chip first = new Chip(0xf8);
  private final Chip second = new Chip(0xde);
  private final Output output;
  private boolean asserted;

  Pic(Output output) {
    this.output = output;
  }

  void attach(Ports ports) {
    ports.add(0x20, 2, this);
    ports.add(0xa0, 2, this);
    ports.add(0x4d0, 2, this);
  }

  /** Sets an interrupt request line, 0 to 15. */
  void set(int irq, boolean level) {
    (irq < 8 ? first : second).set(irq & 7, level);
    update();
  }

  /** The processor's acknowledge cycle: the vector of the most important request, or the spurious one. */
  int acknowledge() {
    int n = first.pending();
    if (n == CASCADE) {
      first.acknowledge(CASCADE);
      int m = second.pending();
      if (m >= 0) {
        second.acknowledge(m);
      }
      update();
      return second.base + (m < 0 ? 7 : m);
    }
    if (n >= 0) {
      first.acknowledge(n);
    }
    update();
    return first.base + (n < 0 ? 7 : n);
  }

  private void update() {
    // The second one's output is a level that its requests make and take away.
    if (second.pending() >= 0) {
      first.requests |= 1 << CASCADE;
    } else {
      first.requests &= ~(1 << CASCADE);
    }
    boolean now = first.pending() >= 0;
    if (now != asserted) {
      asserted = now;
      output.set(now);
    }
  }

  @Override
  public int in(int port, int size) {
    int value = switch (port) {
      case 0x20, 0x21 -> first.in(port & 1);
      case 0xa0, 0xa1 -> second.in(port & 1);
      case 0x4d0 -> first.levels;
      default -> second.levels;
    };
    update();
    return value;
  }

  @Override
  public void out(int port, int size, int value) {
    switch (port) {
      case 0x20, 0x21 -> first.out(port & 1, value);
      case 0xa0, 0xa1 -> second.out(port & 1, value);
      case 0x4d0 -> first.levels = value & first.levelsWritable;
      default -> second.levels = value & second.levelsWritable;
    }
    update();
  }

  /** One 8259A. */
  private final class Chip {
    final int levelsWritable;
    int requests, mask, service, lines, levels;
    int base;
    private int lowest = 7;
    private int initialisation;
    private boolean needsIcw4, single, automaticEnd, rotates, specialMask, fullyNested, poll, readService;

    Chip(int levelsWritable) {
      this.levelsWritable = levelsWritable;
    }

    void set(int n, boolean level) {
      int bit = 1 << n;
      if (level) {
        if ((levels & bit) != 0 || (lines & bit) == 0) {
          requests |= bit;
        }
        lines |= bit;
      } else {
        if ((levels & bit) != 0) {
          requests &= ~bit;
        }
        lines &= ~bit;
      }
    }

    /** How far a request is from the highest priority; 8 for none of {@code set}. */
    private int distance(int set) {
      if (set == 0) {
        return 8;
      }
      int rotated = (set << 8 | set) >>> (lowest + 1 & 7) & 0xff;
      return Integer.numberOfTrailingZeros(rotated);
    }

    /** The request that may interrupt, or -1. */
    int pending() {
      int wanted = distance(requests & ~mask);
      if (wanted == 8) {
        return -1;
      }
      int serving = specialMask ? service & ~mask : service;
      if (fullyNested && this == first) {
        serving &= ~(1 << CASCADE);
      }
      return wanted < distance(serving) ? wanted + lowest + 1 & 7 : -1;
    }

    void acknowledge(int n) {
      if ((levels & 1 << n) == 0) {
        requests &= ~(1 << n);
      }
      if (!automaticEnd) {
        service |= 1 << n;
      } else if (rotates) {
        lowest = n;
      }
    }

    int in(int address) {
      if (poll) {
        poll = false;
        int n = pending();
        if (n < 0) {
          return 0;
        }
        acknowledge(n);
        return 0x80 | n;
      }
      return address == 1 ? mask : readService ? service : requests;
    }

    void out(int address, int value) {
      if (address == 1) {
        data(value);
      } else if ((value & 0x10) != 0) {
        initialise(value);
      } else if ((value & 8) != 0) {
        poll = (value & 4) != 0;
        if ((value & 2) != 0) {
          readService = (value & 1) != 0;
        }
        if ((value & 0x40) != 0) {
          specialMask = (value & 0x20) != 0;
        }
      } else {
        end(value >>> 5, value & 7);
      }
    }

    private void initialise(int value) {
      requests = lines & levels;
      mask = 0;
      service = 0;
      lowest = 7;
      needsIcw4 = (value & 1) != 0;
      single = (value & 2) != 0;
      automaticEnd = false;
      rotates = false;
      specialMask = false;
      fullyNested = false;
      poll = false;
      readService = false;
      initialisation = 2;
    }

    private void data(int value) {
      switch (initialisation) {
        case 2 -> {
          base = value & 0xf8;
          initialisation = !single ? 3 : needsIcw4 ? 4 : 0;
        }
        case 3 -> initialisation = needsIcw4 ? 4 : 0;
        case 4 -> {
          automaticEnd = (value & 2) != 0;
          fullyNested = (value & 0x10) != 0;
          initialisation = 0;
        }
        default -> mask = value;
      }
    }

    /** OCW2. */
    private void end(int command, int level) {
      switch (command) {
        case 0 -> rotates = false;
        case 4 -> rotates = true;
        case 1, 5 -> {
          int distance = distance(service);
          if (distance < 8) {
            int n = distance + lowest + 1 & 7;
            service &= ~(1 << n);
            lowest = command == 5 ? n : lowest;
          }
        }
        case 3 -> service &= ~(1 << level);
        case 6 -> lowest = level;
        case 7 -> {
          service &= ~(1 << level);
          lowest = level;
        }
        default -> {}
      }
    }
  }
}
