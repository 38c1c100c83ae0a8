package org.xenolith.machine.apic;

import org.xenolith.cpu.Clock;
import org.xenolith.machine.EventQueue;

/**
 * The timer of a local APIC (Intel SDM volume 3, "APIC Timer"). Its clock is 1 GHz, one tick a count, before the divider. Nothing happens
 * tick by tick: counts are computed when asked for, and one event waits for the end.
 */
final class ApicTimer {
  /** Modes, as in bits 17 and 18 of the local vector. */
  static final int ONE_SHOT = 0, PERIODIC = 1, DEADLINE = 2;

  private final Clock clock;
  private final EventQueue events;
  private final LocalApic apic;
  private final LocalApic.Core core;

  private EventQueue.Event event;
  private int mode;
  private boolean masked = true;

  /** The initial count; 0 stops the timer. */
  private long initial;

  /** The count {@link #from} held at clock {@link #start}; 0 for a timer at its end, which only a new initial count starts again. */
  private long from, start;

  private int divideRegister;
  private int divider = 2;
  private long deadline;

  ApicTimer(Clock clock, EventQueue events, LocalApic apic, LocalApic.Core core) {
    this.clock = clock;
    this.events = events;
    this.apic = apic;
    this.core = core;
  }

  void reset() {
    mode = ONE_SHOT;
    masked = true;
    initial = 0;
    from = 0;
    divideRegister = 0;
    divider = 2;
    deadline = 0;
    schedule();
  }

  /** The local vector was written. */
  void configure(int newMode, boolean newMasked) {
    if (newMode != mode) {
      if (newMode == DEADLINE || mode == DEADLINE) {
        initial = 0;
        from = 0;
        deadline = 0;
      }
      from = current();
      start = clock.now;
      mode = newMode;
    }
    masked = newMasked;
    schedule();
  }

  int initial() {
    return (int) initial;
  }

  void setInitial(int count) {
    if (mode == DEADLINE) {
      return;
    }
    initial = count & 0xffff_ffffL;
    from = initial;
    start = clock.now;
    schedule();
  }

  int divideRegister() {
    return divideRegister;
  }

  /** Bits 0, 1 and 3: the logarithm of the divider less 1; all set is a divider of 1. */
  void setDivide(int value) {
    from = current();
    start = clock.now;
    divideRegister = value & 0xb;
    int shift = (value & 3 | value >>> 1 & 4) + 1 & 7;
    divider = 1 << shift;
    schedule();
  }

  /** The current count. */
  long current() {
    if (from == 0 || mode == DEADLINE) {
      return 0;
    }
    long ticks = (clock.now - start) / divider;
    if (ticks < from) {
      return from - ticks;
    }
    return mode == PERIODIC ? initial - (ticks - from) % initial : 0;
  }

  long deadline() {
    return mode == DEADLINE ? deadline : 0;
  }

  /** IA32_TSC_DEADLINE was written: 0 disarms; without effect in the other modes. */
  void setDeadline(long value) {
    if (mode == DEADLINE) {
      deadline = value;
      schedule();
    }
  }

  /** To be called when the processor's time-stamp counter was set. */
  void moved() {
    schedule();
  }

  private void schedule() {
    if (event != null) {
      event.cancel();
      event = null;
    }
    long due = due();
    if (due >= 0) {
      event = events.at(due, this::expire);
    }
  }

  /** When the timer will next be at its end, or -1 if nobody will be told. */
  private long due() {
    if (mode == DEADLINE) {
      // A passed deadline expires even while masked, and is then over.
      if (deadline == 0) {
        return -1;
      }
      long left = deadline - (clock.now + core.tscOffset());
      boolean past = Long.compareUnsigned(deadline, clock.now + core.tscOffset()) <= 0;
      long due = past ? clock.now : clock.now + left;
      return past || left > 0 && due > 0 ? due : Long.MAX_VALUE;
    }
    if (from == 0 || masked) {
      return -1;
    }
    long ticks = (clock.now - start) / divider;
    if (ticks < from) {
      return start + from * divider;
    }
    return mode == PERIODIC ? start + (from + ((ticks - from) / initial + 1) * initial) * divider : -1;
  }

  private void expire() {
    event = null;
    if (mode == DEADLINE) {
      deadline = 0;
      if (!masked) {
        apic.timerExpired();
      }
      return;
    }
    apic.timerExpired();
    schedule();
  }
}
