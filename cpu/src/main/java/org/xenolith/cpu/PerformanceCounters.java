package org.xenolith.cpu;

/**
 * The four performance counters that AMD's processors have had since family 6 (AMD64 APM volume 2, section 13.2; BIOS and Kernel
 * Developer's Guide for family 0Fh, section 10.2). They count clocks not halted, which are retired instructions here, and retired
 * instructions; other events cannot be enabled.
 */
final class PerformanceCounters {
  /** The first event selector, and the first counter. */
  static final int SELECT = 0xc001_0000, COUNTER = 0xc001_0004;

  static final int COUNTERS = 4;

  private static final int USER = 1 << 16, SYSTEM = 1 << 17, INTERRUPT = 1 << 20, ENABLE = 1 << 22;
  private static final int CLOCKS = 0x76, INSTRUCTIONS = 0xc0;

  /** Counters have 48 bits. */
  private static final long MASK = (1L << 48) - 1;

  private final Cpu cpu;
  private final long[] select = new long[COUNTERS];

  /** The value of each counter when {@link #occurred} was as in {@link #since}. */
  private final long[] value = new long[COUNTERS];

  private final long[] since = new long[COUNTERS];

  /** Counters that count and interrupt, as bits. */
  private int interrupting;

  PerformanceCounters(Cpu cpu) {
    this.cpu = cpu;
  }

  void reset() {
    for (int n = 0; n < COUNTERS; n++) {
      select[n] = 0;
      value[n] = 0;
    }
    interrupting = 0;
  }

  long select(int n) {
    return select[n];
  }

  /** What a counter stands at; exact for an instruction that starts a block. */
  long read(int n) {
    return value[n] + occurred(n) - since[n] & MASK;
  }

  void write(int n, long v) {
    value[n] = v & MASK;
    since[n] = occurred(n);
    cpu.endRun();
  }

  /**
   * Sets an event selector.
   *
   * @return false for an event that is not counted
   */
  boolean setSelect(int n, long v) {
    long event = v & 0xff | v >>> 24 & 0xf00;
    if ((v & ENABLE) != 0 && event != CLOCKS && event != INSTRUCTIONS) {
      return false;
    }
    value[n] = read(n);
    select[n] = v;
    since[n] = occurred(n);
    boolean interrupts = (v & (ENABLE | INTERRUPT)) == (ENABLE | INTERRUPT) && (v & (USER | SYSTEM)) != 0;
    interrupting = interrupts ? interrupting | 1 << n : interrupting & ~(1 << n);
    cpu.endRun();
    return true;
  }

  /** How often the selected event has occurred; 0 while it is not enabled. An inverted or thresholded count of one a clock is none. */
  private long occurred(int n) {
    if ((select[n] & ENABLE) == 0) {
      return 0;
    }
    long user = cpu.retiredInUserMode();
    return ((select[n] & USER) != 0 ? user : 0) + ((select[n] & SYSTEM) != 0 ? cpu.retired - user : 0);
  }

  // ---- Overflow ----

  /** How many counts a run may take at most, so that no counter overflows inside. */
  long room() {
    long least = Long.MAX_VALUE;
    for (int n = 0; n < COUNTERS; n++) {
      if ((interrupting >>> n & 1) != 0) {
        least = Math.min(least, MASK + 1 - read(n));
      }
    }
    return least;
  }

  /** Between runs: tells the platform of counters that overflowed since the last time. */
  void settle() {
    for (int n = 0; n < COUNTERS; n++) {
      if ((interrupting >>> n & 1) != 0) {
        long now = value[n] + occurred(n) - since[n];
        value[n] = now & MASK;
        since[n] = occurred(n);
        if (now > MASK) {
          cpu.platform.counterOverflow();
        }
      }
    }
  }

  boolean interrupts() {
    return interrupting != 0;
  }
}
