package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/**
 * The four performance counters that AMD's processors have had since family 6 (AMD64 APM volume 2, section 13.2; BIOS and Kernel
 * Developer's Guide for family 0Fh, section 10.2). They count clocks not halted, which are retired instructions here, retired
 * instructions, and retired branches, with delivered exceptions and interrupts among them (Linux, the events of
 * tools/perf/pmu-events/arch/x86/amdzen1). Nothing is predicted here, so no branch is mispredicted. Other events cannot be enabled.
 */
final class PerformanceCounters {
  /** The first event selector, and the first counter. */
  static final int SELECT = 0xc001_0000, COUNTER = 0xc001_0004;

  static final int COUNTERS = 4;

  /** Bits of an event selector; from {@link #THRESHOLD} on, how many events a clock must have to count as one. */
  private static final int USER = 1 << 16, SYSTEM = 1 << 17, EDGE = 1 << 18, INTERRUPT = 1 << 20, ENABLE = 1 << 22, INVERT = 1 << 23;

  private static final int THRESHOLD = 24;
  private static final int CLOCKS = 0x76, INSTRUCTIONS = 0xc0, BRANCHES = 0xc2, MISPREDICTED = 0xc3;

  /** Counters have 48 bits. */
  private static final long MASK = (1L << 48) - 1;

  private final Cpu cpu;
  private final long[] select = new long[COUNTERS];

  /** The value of each counter when {@link #occurred} was as in {@link #since}. */
  private final long[] value = new long[COUNTERS];

  private final long[] since = new long[COUNTERS];

  /** Counters that count and interrupt, as bits. */
  private int interrupting;

  /** Counters that count branches, as bits. */
  private int countingBranches;

  /** Branches seen while somebody counted them, and those of them that user mode made. */
  private long branches, userBranches;

  PerformanceCounters(Cpu cpu) {
    this.cpu = cpu;
  }

  void reset() {
    for (int n = 0; n < COUNTERS; n++) {
      select[n] = 0;
      value[n] = 0;
    }
    interrupting = 0;
    countingBranches = 0;
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
   * @return false for an event that is not counted, or not in that way
   */
  boolean setSelect(int n, long v) {
    if ((v & ENABLE) != 0 && !isCounted(v)) {
      return false;
    }
    value[n] = read(n);
    select[n] = v;
    since[n] = occurred(n);
    boolean interrupts = (v & (ENABLE | INTERRUPT)) == (ENABLE | INTERRUPT) && (v & (USER | SYSTEM)) != 0;
    interrupting = with(interrupting, n, interrupts);
    countingBranches = with(countingBranches, n, (v & ENABLE) != 0 && event(v) == BRANCHES);
    cpu.endRun();
    return true;
  }

  /**
   * How often the selected event has occurred; 0 while it is not enabled. A clock has one event or none: a threshold of 2 or more is never
   * reached, and always missed, which is what an inverted count counts.
   */
  private long occurred(int n) {
    long selected = select[n];
    int event = event(selected);
    int threshold = (int) (selected >>> THRESHOLD & 0xff);
    boolean inverted = threshold != 0 && (selected & INVERT) != 0;
    if ((selected & ENABLE) == 0 || inverted == (event != MISPREDICTED && threshold < 2)) {
      return 0;
    }
    long user = event == BRANCHES ? userBranches : cpu.retiredInUserMode();
    long all = event == BRANCHES ? branches : cpu.retired;
    return ((selected & USER) != 0 ? user : 0) + ((selected & SYSTEM) != 0 ? all - user : 0);
  }

  private static int with(int bits, int n, boolean set) {
    return set ? bits | 1 << n : bits & ~(1 << n);
  }

  private static int event(long select) {
    return (int) (select & 0xff | select >>> 24 & 0xf00);
  }

  /** Beginnings of events are not counted, and no clocks without a branch. */
  private static boolean isCounted(long select) {
    if ((select & EDGE) != 0) {
      return false;
    }
    return switch (event(select)) {
      case CLOCKS, INSTRUCTIONS, MISPREDICTED -> true;
      case BRANCHES -> (select & INVERT) == 0;
      default -> false;
    };
  }

  // ---- Branches ----

  /** Whether the processor must tell of each instruction, which then is run by itself. */
  boolean wantBranches() {
    return countingBranches != 0;
  }

  /** An instruction has retired. */
  void retired(Instruction i, boolean inUserMode) {
    switch (i.mnemonic) {
      case JCC, JRCXZ, LOOP, LOOPE, LOOPNE, JMP, JMPF, CALL, CALLF, RET, RETF, IRET, SYSCALL, SYSRET, SYSENTER, SYSEXIT ->
          branched(inUserMode);
      default -> {}
    }
  }

  /** A branch has retired, or an event was delivered. */
  void branched(boolean inUserMode) {
    branches++;
    if (inUserMode) {
      userBranches++;
    }
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
