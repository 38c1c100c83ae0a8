package org.xenolith.app;

import java.util.Arrays;
import org.xenolith.app.console.GuestSession;
import org.xenolith.machine.Computer;

/**
 * A thread beside a running machine that carries what a person does to it: keys typed, the wish to end. Nothing that it does reaches a
 * guest whose user types nothing, so such a run repeats exactly.
 */
final class SessionLink implements AutoCloseable {
  private static final long LOOK_EVERY_NS = 20_000_000;

  private final Computer machine;
  private final GuestSession session;
  private final Thread thread;
  private volatile boolean closed;

  SessionLink(Computer machine, GuestSession session) {
    this.machine = machine;
    this.session = session;
    this.thread = Thread.ofPlatform().daemon().name("session").start(this::run);
  }

  private void run() {
    byte[] typed = new byte[256];
    while (!closed) {
      session.await(LOOK_EVERY_NS);
      int count = session.typed(typed);
      if (count > 0) {
        machine.type(Arrays.copyOf(typed, count));
      }
      if (session.reasonToEnd() != null) {
        machine.stop();
        return;
      }
      session.progress(machine.virtualNanoseconds());
    }
  }

  @Override
  public void close() {
    closed = true;
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
