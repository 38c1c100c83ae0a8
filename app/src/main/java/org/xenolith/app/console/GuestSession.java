package org.xenolith.app.console;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.xenolith.app.Progress;

/**
 * What connects a running guest with the person who started it: the console both ways, how far the run is, and the wish to end it. A signal
 * (Ctrl-C) asks the run to end and lets this process live until {@link #close}, so that the summary is still printed.
 */
public final class GuestSession implements AutoCloseable {
  private static final long MOST_SECONDS_TO_END = 20;

  private final ConsoleOutput output;
  private final ConsoleInput input;
  private final RawTerminal terminal;
  private final Progress progress;
  private final CountDownLatch finished = new CountDownLatch(1);
  private volatile boolean signalled;
  private boolean hasPrinted;

  /**
   * @param input what is typed, or null for none
   * @param terminal to be as it was when the guest ends, or null
   */
  public GuestSession(ConsoleOutput output, ConsoleInput input, RawTerminal terminal, Progress progress) {
    this.output = output;
    this.input = input;
    this.terminal = terminal;
    this.progress = progress;
    Runtime.getRuntime().addShutdownHook(new Thread(this::endBySignal, "end of the guest"));
    if (input != null) {
      input.start();
    }
  }

  private void endBySignal() {
    signalled = true;
    try {
      finished.await(MOST_SECONDS_TO_END, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The guest printed something on its own console. */
  public void printed(byte[] bytes, int length) {
    hasPrinted = true;
    output.write(bytes, length);
  }

  /** The guest printed on Xen's console, where some guests print everything a second time: shown until it has a console of its own. */
  public void logged(byte[] bytes, int length) {
    if (!hasPrinted) {
      output.write(bytes, length);
    }
  }

  /** Whether somebody may type. */
  public boolean isInteractive() {
    return input != null;
  }

  /** Takes what was typed, up to the size of {@code into}; returns the number of bytes. */
  public int typed(byte[] into) {
    return input == null ? 0 : input.take(into);
  }

  /** Waits for something typed, but at most {@code ns} nanoseconds. */
  public void await(long ns) {
    if (input != null) {
      input.await(ns);
    } else {
      LockSupport.parkNanos(ns);
    }
  }

  /** Why the run is to end now, or null if it is to go on. */
  public String reasonToEnd() {
    if (signalled) {
      return "ended by a signal";
    }
    if (output.isClosed()) {
      return "nobody reads the console any more";
    }
    return input != null && input.hasLeft() ? "left with Ctrl-]" : null;
  }

  /** Whether the run was ended because nobody reads any more, which is no error. */
  public boolean isUnread() {
    return output.isClosed();
  }

  /** How far the run is. */
  public void progress(long virtualNs) {
    progress.at("%.2f s for the guest".formatted(virtualNs / 1e9));
  }

  /** Tells the person a line that is not the guest's. */
  public void note(String line) {
    progress.note(line, terminal == null ? "\n" : "\r\n");
  }

  /** The guest has ended: gives the terminal back. */
  public void leaveTerminal() {
    progress.end();
    if (terminal != null) {
      terminal.close();
    }
    output.endLine();
  }

  /** All is printed: a signal may end this process now. */
  @Override
  public void close() {
    leaveTerminal();
    finished.countDown();
  }
}
