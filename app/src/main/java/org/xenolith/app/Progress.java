package org.xenolith.app;

import java.io.PrintStream;

/** What is going on now, on standard error: one line that is overwritten where a person looks on, else a line for each thing begun. */
public final class Progress {
  private static final long REPAINT_NS = 100_000_000L;

  private final PrintStream err;
  private final boolean overwrite;
  private String begun = "";
  private long paintedNs;
  private boolean open;

  /** @param overwrite whether {@code err} is a terminal */
  public Progress(PrintStream err, boolean overwrite) {
    this.err = err;
    this.overwrite = overwrite;
  }

  /** A thing that takes a while begins. */
  public synchronized void begin(String what) {
    begun = what;
    if (overwrite) {
      paint(what + " ...");
    } else {
      err.println("xenolith: " + what + " ...");
    }
  }

  /** How far it got, such as {@code 12 of 70 MB}; seen only where a person looks on. */
  public synchronized void at(String where) {
    if (overwrite && System.nanoTime() - paintedNs > REPAINT_NS) {
      paint(begun + ": " + where);
    }
  }

  /** Something to know, on a line that stays; {@code lineEnd} is what the terminal needs now. */
  public synchronized void note(String what, String lineEnd) {
    end();
    err.print("xenolith: " + what + lineEnd);
    err.flush();
  }

  /** The thing is done; the overwritten line goes away. */
  public synchronized void end() {
    if (open) {
      err.print("\r\033[K");
      err.flush();
      open = false;
    }
  }

  private void paint(String text) {
    err.print("\r\033[Kxenolith: " + text);
    err.flush();
    paintedNs = System.nanoTime();
    open = true;
  }
}
