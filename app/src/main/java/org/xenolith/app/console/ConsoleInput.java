package org.xenolith.app.console;

import java.io.IOException;
import java.io.InputStream;

/**
 * What a person types for the guest. A thread reads it, since a read blocks; the machine takes it between the guest's turns. The end of
 * the input becomes Ctrl-D, which ends the guest's shell.
 */
public final class ConsoleInput {
  /** Ctrl-], which leaves the guest. */
  public static final int LEAVE = 0x1d;

  private static final int END_OF_TRANSMISSION = 4;
  private static final int RING_SIZE = 1 << 16;
  private static final long NS_PER_MS = 1_000_000;

  private final InputStream in;
  private final boolean leaveKey;
  private final byte[] ring = new byte[RING_SIZE];
  private int first;
  private int count;
  private boolean left;

  /** @param leaveKey whether {@link #LEAVE} ends the session; only where a person types, since a file may hold any byte */
  public ConsoleInput(InputStream in, boolean leaveKey) {
    this.in = in;
    this.leaveKey = leaveKey;
  }

  /** Begins to read. */
  public void start() {
    Thread.ofPlatform().daemon().name("console input").start(this::read);
  }

  private void read() {
    try {
      for (int next = in.read(); next >= 0; next = in.read()) {
        if (leaveKey && next == LEAVE) {
          leave();
          return;
        }
        put(next);
      }
      put(END_OF_TRANSMISSION);
    } catch (IOException e) {
      // The terminal is gone, and so is the person.
      leave();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized void put(int next) throws InterruptedException {
    while (count == RING_SIZE) {
      wait();
    }
    ring[(first + count++) % RING_SIZE] = (byte) next;
    notifyAll();
  }

  private synchronized void leave() {
    left = true;
    notifyAll();
  }

  /** Whether the person asked to leave the guest, or is gone. */
  public synchronized boolean hasLeft() {
    return left;
  }

  /** Takes what is waiting, up to the size of {@code into}, and returns the number of bytes. */
  public synchronized int take(byte[] into) {
    int taken = Math.min(count, into.length);
    for (int i = 0; i < taken; i++) {
      into[i] = ring[(first + i) % RING_SIZE];
    }
    first = (first + taken) % RING_SIZE;
    count -= taken;
    notifyAll();
    return taken;
  }

  /** Waits until something can be taken, the person left, or {@code ns} nanoseconds have passed. */
  public synchronized void await(long ns) {
    long end = System.nanoTime() + ns;
    try {
      for (long remaining = ns; count == 0 && !left && remaining > 0; remaining = end - System.nanoTime()) {
        wait(remaining / NS_PER_MS, (int) (remaining % NS_PER_MS));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
