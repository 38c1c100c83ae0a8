package org.xenolith.machine.pc;

import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import org.xenolith.cpu.Clock;
import org.xenolith.machine.EventQueue;
import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;

/**
 * The real-time clock and the 128 bytes of memory that a battery keeps, at ports 70h and 71h, with interrupt request 8. Source: Motorola
 * MC146818A data sheet. The machine's clock begins at {@link #EPOCH}.
 */
final class Cmos implements PortDevice {
  /** 2026-01-01 00:00:00 UTC in seconds since 1970. */
  static final long EPOCH = 1_767_225_600L;

  /** Where the century is, which the data sheet knows nothing of. */
  static final int CENTURY = 0x32;

  private static final int SECONDS = 0, SECONDS_ALARM = 1, MINUTES = 2, MINUTES_ALARM = 3, HOURS = 4, HOURS_ALARM = 5, WEEKDAY = 6, DAY = 7,
      MONTH = 8, YEAR = 9, A = 10, B = 11, C = 12, D = 13, SHUTDOWN = 15;

  /** Bits of register B: no updates; interrupts periodic, alarm, at updates; binary; 24 hours. */
  private static final int SET = 0x80, PIE = 0x40, AIE = 0x20, UIE = 0x10, BINARY = 4, HOURS_24 = 2;

  /** Bits of register C. */
  private static final int IRQF = 0x80, PF = 0x40, AF = 0x20, UF = 0x10;

  private static final long SECOND = 1_000_000_000L, OSCILLATOR = 32_768;

  /** The update in progress is announced so long before (tBUC). */
  private static final long BEFORE_UPDATE = 244_000;

  /** An alarm is looked for in at most so many seconds: they hold every time of the day. */
  private static final long DAY_SECONDS = 86_400;

  private final Clock clock;
  private final EventQueue events;
  private final IsaInterrupts.Line interrupt;
  private final int[] memory = new int[128];
  private int index;

  /** The time was {@link #base} seconds since 1970 when the machine's clock was {@link #baseCount}. */
  private long base = EPOCH;

  private long baseCount;

  /** The clock and the time when flags were last brought up to date. */
  private long seenCount, seenSecond = EPOCH;

  private int flags;
  private EventQueue.Event event;

  Cmos(Clock clock, EventQueue events, IsaInterrupts.Line interrupt) {
    this.clock = clock;
    this.events = events;
    this.interrupt = interrupt;
    memory[A] = 0x26;
    memory[B] = HOURS_24;
    memory[D] = 0x80;
  }

  void attach(Ports ports) {
    ports.add(0x70, 2, this);
  }

  /** Says how much memory there is, where PC firmware says it: up to 64 MiB in KiB, above 16 MiB and above 4 GiB in 64 KiB. */
  void memorySize(long below4G, long above4G) {
    memory[0x15] = 640 & 0xff;
    memory[0x16] = 640 >> 8;
    long extended = Math.min(0xffff, (below4G >> 10) - 1024);
    long high = Math.clamp((below4G >> 16) - 256, 0, 0xffff);
    for (int at : new int[] {0x17, 0x30}) {
      memory[at] = (int) extended & 0xff;
      memory[at + 1] = (int) extended >> 8;
    }
    memory[0x34] = (int) high & 0xff;
    memory[0x35] = (int) high >> 8;
    for (int n = 0; n < 3; n++) {
      memory[0x5b + n] = (int) (above4G >> 16 + 8 * n) & 0xff;
    }
  }

  /** Why the guest wants its boot processor reset (IBM PC AT technical reference, "Shutdown status byte"); 0 from then on. */
  int takeShutdownCode() {
    int code = memory[SHUTDOWN];
    memory[SHUTDOWN] = 0;
    return code;
  }

  @Override
  public int in(int port, int size) {
    if (port == 0x70) {
      return 0xff;
    }
    switch (index) {
      case A -> {
        boolean updates = (memory[B] & SET) == 0 && (clock.now - baseCount) % SECOND >= SECOND - BEFORE_UPDATE;
        return memory[A] | (updates ? 0x80 : 0);
      }
      case C -> {
        look();
        int value = flags;
        flags = 0;
        raise();
        return value;
      }
      default -> {
        if (isTime(index)) {
          tell();
        }
        return memory[index];
      }
    }
  }

  @Override
  public void out(int port, int size, int value) {
    if (port == 0x70) {
      // Bit 7 holds non-maskable interrupts back, of which a PC without parity has none.
      index = value & 0x7f;
      return;
    }
    look();
    switch (index) {
      case A -> memory[A] = value & 0x7f;
      case B -> {
        boolean stops = (value & ~memory[B] & SET) != 0;
        boolean starts = (memory[B] & ~value & SET) != 0;
        if (stops) {
          tell();
        }
        memory[B] = stops ? value & ~UIE : value;
        if (starts) {
          take();
        }
      }
      case C, D -> {}
      default -> {
        boolean running = isTime(index) && (memory[B] & SET) == 0;
        if (running) {
          tell();
        }
        memory[index] = value;
        if (running) {
          take();
        }
      }
    }
    raise();
  }

  private static boolean isTime(int register) {
    return register == SECONDS || register == MINUTES || register == HOURS || register >= WEEKDAY && register <= YEAR
        || register == CENTURY;
  }

  // ---- The time and its registers ----

  private long second() {
    return base + (clock.now - baseCount) / SECOND;
  }

  /** Puts the time into the registers, unless the guest is setting them. */
  private void tell() {
    if ((memory[B] & SET) != 0) {
      return;
    }
    LocalDateTime time = LocalDateTime.ofEpochSecond(second(), 0, ZoneOffset.UTC);
    memory[SECONDS] = encoded(time.getSecond());
    memory[MINUTES] = encoded(time.getMinute());
    int hour = time.getHour();
    memory[HOURS] = (memory[B] & HOURS_24) != 0 ? encoded(hour) : encoded((hour + 11) % 12 + 1) | (hour >= 12 ? 0x80 : 0);
    memory[WEEKDAY] = encoded(time.getDayOfWeek().getValue() % 7 + 1);
    memory[DAY] = encoded(time.getDayOfMonth());
    memory[MONTH] = encoded(time.getMonthValue());
    memory[YEAR] = encoded(time.getYear() % 100);
    memory[CENTURY] = encoded(time.getYear() / 100 % 100);
  }

  /** Takes the time from the registers; one that does not exist runs over into the next larger unit. */
  private void take() {
    LocalDate day = LocalDate.of(decoded(memory[CENTURY]) * 100 + decoded(memory[YEAR]), 1, 1)
        .plusMonths(decoded(memory[MONTH]) - 1L).plusDays(decoded(memory[DAY]) - 1L);
    base = day.toEpochDay() * DAY_SECONDS + hour() * 3600L + decoded(memory[MINUTES]) * 60L + decoded(memory[SECONDS]);
    baseCount = clock.now;
    seenSecond = base;
    seenCount = clock.now;
  }

  private int hour() {
    int value = memory[HOURS];
    if ((memory[B] & HOURS_24) != 0) {
      return decoded(value);
    }
    return decoded(value & 0x7f) % 12 + ((value & 0x80) != 0 ? 12 : 0);
  }

  private int encoded(int value) {
    return (memory[B] & BINARY) != 0 ? value : value / 10 << 4 | value % 10;
  }

  private int decoded(int value) {
    return (memory[B] & BINARY) != 0 ? value : (value >>> 4) * 10 + (value & 15);
  }

  // ---- Flags and the interrupt ----

  /** The periodic interrupt's length in oscillator cycles, or 0. */
  private long period() {
    int rate = memory[A] & 15;
    return rate == 0 ? 0 : 1L << (rate < 3 ? rate + 6 : rate - 1);
  }

  /** Sets the flags for what has happened since the last look. */
  private void look() {
    long period = period();
    if (period != 0 && Ticks.at(clock.now, OSCILLATOR) / period != Ticks.at(seenCount, OSCILLATOR) / period) {
      flags |= PF;
    }
    seenCount = clock.now;
    if ((memory[B] & SET) != 0) {
      return;
    }
    long now = second();
    if (now != seenSecond) {
      flags |= UF;
      for (long s = Math.max(seenSecond, now - DAY_SECONDS) + 1; s <= now && (flags & AF) == 0; s++) {
        flags |= isAlarm(s) ? AF : 0;
      }
      seenSecond = now;
    }
  }

  /** An alarm register of C0h to FFh fits every value. */
  private boolean isAlarm(long second) {
    int time = (int) Math.floorMod(second, DAY_SECONDS);
    int hour = time / 3600;
    int told = (memory[B] & HOURS_24) != 0 ? encoded(hour) : encoded((hour + 11) % 12 + 1) | (hour >= 12 ? 0x80 : 0);
    return fits(SECONDS_ALARM, encoded(time % 60)) && fits(MINUTES_ALARM, encoded(time / 60 % 60)) && fits(HOURS_ALARM, told);
  }

  private boolean fits(int register, int value) {
    return memory[register] >= 0xc0 || memory[register] == value;
  }

  /** Drives the interrupt line by flags and enables, and waits for what comes next. */
  private void raise() {
    boolean wanted = (flags & memory[B] & (PF | AF | UF)) != 0;
    flags = wanted ? flags | IRQF : flags & ~IRQF;
    interrupt.set(wanted);
    if (event != null) {
      event.cancel();
      event = null;
    }
    if (wanted || (memory[B] & (PIE | AIE | UIE)) == 0) {
      return;
    }
    long due = Long.MAX_VALUE;
    long period = period();
    if ((memory[B] & PIE) != 0 && period != 0) {
      due = Ticks.clock((Ticks.at(clock.now, OSCILLATOR) / period + 1) * period, OSCILLATOR);
    }
    if ((memory[B] & (AIE | UIE)) != 0 && (memory[B] & SET) == 0) {
      due = Math.min(due, baseCount + ((clock.now - baseCount) / SECOND + 1) * SECOND);
    }
    if (due != Long.MAX_VALUE) {
      event = events.at(due, this::strike);
    }
  }

  private void strike() {
    event = null;
    look();
    raise();
  }
}
