package org.xenolith.cpu;

/**
 * The one clock of a machine: a count that grows by 1 for each retired instruction and each delivered event, exit or fault, by more for
 * PAUSE, and by what the machine's owner adds for work of its own. One count is one nanosecond of guest time, and the time-stamp counter.
 */
public final class Clock {
  /** Counts since the machine was made. */
  public long now;
}
