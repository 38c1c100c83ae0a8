package org.xenolith.machine.pc;

/** Converts between the machine's clock, in nanoseconds, and ticks of an oscillator. */
final class Ticks {
  private static final long SECOND = 1_000_000_000L;

  private Ticks() {}

  /** How many whole ticks of an oscillator of {@code hz} (below 2^30) have passed at clock {@code counts}. */
  static long at(long counts, long hz) {
    return counts / SECOND * hz + counts % SECOND * hz / SECOND;
  }

  /** The clock at which tick number {@code tick} has just passed. */
  static long clock(long tick, long hz) {
    return tick / hz * SECOND + (tick % hz * SECOND + hz - 1) / hz;
  }
}
