package org.xenolith.machine;

import java.util.List;
import java.util.function.BooleanSupplier;
import org.xenolith.cpu.Clock;

/**
 * Lets the processors of a machine take turns on one thread. A turn lasts {@link #QUANTUM} counts where there are several, or until its
 * processor gives it up; who is next depends on nothing but the order and the counts, so a run repeats exactly. When nobody can run, the
 * clock jumps to the next event.
 */
public final class Scheduler {
  /** The length of a turn in counts. */
  public static final long QUANTUM = 20_000;

  /** The length of a turn that nobody waits for. */
  private static final long SOLO = 1_000_000;

  /** After so many events that woke nobody, none ever will: a ticker runs on while everybody waits. */
  private static final int MAX_IDLE_EVENTS = 100_000;

  /**
   * Events from this count on, 146 years, never happen: idle time takes the clock no further, so that times a guest's timers may add to
   * it do not overflow.
   */
  public static final long HORIZON = 1L << 62;

  /** A processor, as the scheduler sees it. */
  public interface Runner {
    /** Whether it can run now. */
    boolean runnable();

    /**
     * Runs until the clock reaches {@code until} or the turn ends.
     *
     * @return whether the turn goes on: {@code until} was reached, or an event is due before it
     */
    boolean run(long until);

    /** Its turn begins. */
    default void begin() {}

    /** Its turn is over, and the machine goes on without it. */
    default void end() {}
  }

  /** What happens while nobody can run. */
  public interface Idle {
    /**
     * Lets idle time pass.
     *
     * @param counts until the next event; {@link Long#MAX_VALUE} if there is none that will wake anybody
     * @return how much of it has passed, or -1 to end the run as a deadlock
     */
    long pass(long counts);

    /** Idle time costs nothing: the clock jumps to the next event, and without one the run is over. */
    Idle SKIP = counts -> counts == Long.MAX_VALUE ? -1 : counts;
  }

  /** Why {@link #run} returned. */
  public enum End {
    /** {@link #stop} was called, or the caller's condition holds. */
    STOPPED,
    /** The limit was reached. */
    LIMIT,
    /** Nobody can run, and no event will come or none has woken anybody for long. */
    DEADLOCK
  }

  private final Clock clock;
  private final EventQueue events;
  private final List<? extends Runner> runners;
  private final Idle idling;
  private volatile boolean stopped;
  private long idle;
  private int turn;

  /**
   * @param runners the processors, in the order of their turns
   * @param idling what to do while none of them can run
   */
  public Scheduler(Clock clock, EventQueue events, List<? extends Runner> runners, Idle idling) {
    this.clock = clock;
    this.events = events;
    this.runners = runners;
    this.idling = idling;
  }

  /** Ends the run at the next look; from any thread. */
  public void stop() {
    stopped = true;
  }

  /** The number of the processor whose turn it is, or whose turn was the last. */
  public int turn() {
    return turn;
  }

  /** Counts skipped because nobody could run. */
  public long idle() {
    return idle;
  }

  /**
   * Runs the machine.
   *
   * @param limit counts, idle time not included, after which to return
   * @param over asked before each turn: whether to return
   */
  public End run(long limit, BooleanSupplier over) {
    int next = 0;
    int idleEvents = 0;
    Runner current = null;
    // A processor of its own has nobody to make way for, and each end of a turn costs some interpreted instructions.
    long quantum = runners.size() == 1 ? SOLO : QUANTUM;
    long turnEnd = 0;
    while (true) {
      events.runUntil(clock.now);
      if (over.getAsBoolean() || stopped) {
        return End.STOPPED;
      }
      long left = limit - (clock.now - idle);
      if (left <= 0) {
        return End.LIMIT;
      }
      if (current == null || !current.runnable() || clock.now >= turnEnd) {
        Runner before = current;
        int chosen = -1;
        for (int n = 0; n < runners.size() && chosen < 0; n++) {
          int candidate = (next + n) % runners.size();
          if (runners.get(candidate).runnable()) {
            chosen = candidate;
          }
        }
        if (chosen < 0) {
          if (before != null) {
            before.end();
            current = null;
          }
          long due = events.next();
          boolean forEver = due >= HORIZON || ++idleEvents > MAX_IDLE_EVENTS;
          long passed = idling.pass(forEver ? Long.MAX_VALUE : due - clock.now);
          if (passed < 0) {
            return End.DEADLOCK;
          }
          idleEvents = forEver ? 0 : idleEvents;
          idle += passed;
          clock.now += passed;
          continue;
        }
        idleEvents = 0;
        turn = chosen;
        next = (chosen + 1) % runners.size();
        current = runners.get(chosen);
        turnEnd = clock.now + quantum;
        if (current != before) {
          if (before != null) {
            before.end();
          }
          current.begin();
        }
      }
      // Idle time is not limited, so this may lie behind the end of all counts.
      long end = left > Long.MAX_VALUE - clock.now ? Long.MAX_VALUE : clock.now + left;
      long until = Math.min(Math.min(turnEnd, events.next()), end);
      if (!current.run(until)) {
        turnEnd = clock.now;
      }
    }
  }
}
