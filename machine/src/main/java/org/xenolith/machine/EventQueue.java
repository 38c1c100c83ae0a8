package org.xenolith.machine;

import java.util.PriorityQueue;

/**
 * What is to happen at a count of the machine's clock. Events of the same count happen in the order in which they were scheduled, so a run
 * repeats exactly.
 */
public final class EventQueue {
  /** A scheduled event, kept by whoever may want to cancel it. */
  public static final class Event implements Comparable<Event> {
    final long due;
    final long order;
    final Runnable action;
    boolean cancelled;

    Event(long due, long order, Runnable action) {
      this.due = due;
      this.order = order;
      this.action = action;
    }

    /** Takes it back; without effect once it has happened. */
    public void cancel() {
      cancelled = true;
    }

    @Override
    public int compareTo(Event other) {
      int byDue = Long.compare(due, other.due);
      return byDue != 0 ? byDue : Long.compare(order, other.order);
    }
  }

  private final PriorityQueue<Event> queue = new PriorityQueue<>();
  private long order;

  /** Schedules an action for count {@code due}; one in the past happens at the next look. */
  public Event at(long due, Runnable action) {
    Event event = new Event(due, order++, action);
    queue.add(event);
    return event;
  }

  /** The count of the next event, or {@link Long#MAX_VALUE} if there is none. */
  public long next() {
    while (!queue.isEmpty() && queue.peek().cancelled) {
      queue.remove();
    }
    return queue.isEmpty() ? Long.MAX_VALUE : queue.peek().due;
  }

  /** Lets everything happen that is due at {@code now}. */
  public void runUntil(long now) {
    while (next() <= now) {
      queue.remove().action.run();
    }
  }
}
