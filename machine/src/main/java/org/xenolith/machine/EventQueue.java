package org.xenolith.machine;

import java.util.Comparator;
import java.util.PriorityQueue;

/**
 * What is to happen at a count of the machine's clock. Events of the same count happen in the order in which they were scheduled, so a run
 * repeats exactly.
 */
public final class EventQueue {
  /** A scheduled event, kept by whoever may want to cancel it. */
  public final class Event {
    private final long due;
    private final long turn;
    private final Runnable action;

    private Event(long due, long turn, Runnable action) {
      this.due = due;
      this.turn = turn;
      this.action = action;
    }

    /** Takes it back; without effect once it has happened. Nothing of it stays: a guest may set and cancel timers without end. */
    public void cancel() {
      queue.remove(this);
    }
  }

  private final PriorityQueue<Event> queue =
      new PriorityQueue<>(Comparator.<Event>comparingLong(e -> e.due).thenComparingLong(e -> e.turn));

  private long order;

  /** Schedules an action for count {@code due}; one in the past happens at the next look. */
  public Event at(long due, Runnable action) {
    Event event = new Event(due, order++, action);
    queue.add(event);
    return event;
  }

  /** The count of the next event, or {@link Long#MAX_VALUE} if there is none. */
  public long next() {
    return queue.isEmpty() ? Long.MAX_VALUE : queue.peek().due;
  }

  /** Lets everything happen that is due at {@code now}. */
  public void runUntil(long now) {
    while (next() <= now) {
      queue.remove().action.run();
    }
  }
}
