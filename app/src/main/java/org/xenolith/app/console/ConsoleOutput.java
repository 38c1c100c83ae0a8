package org.xenolith.app.console;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/** Where the guest's console goes. When its reader goes away (a broken pipe), that is no error: the output is closed from then on. */
public final class ConsoleOutput {
  private final OutputStream out;
  private volatile boolean closed;
  private boolean lineOpen;

  public ConsoleOutput(OutputStream out) {
    this.out = out;
  }

  /** The standard output of this process, unbuffered. */
  public static ConsoleOutput standard() {
    return new ConsoleOutput(new FileOutputStream(FileDescriptor.out));
  }

  /** One that drops everything. */
  public static ConsoleOutput none() {
    return new ConsoleOutput(OutputStream.nullOutputStream());
  }

  /** Writes the first {@code length} of {@code bytes}. */
  public void write(byte[] bytes, int length) {
    if (closed) {
      return;
    }
    try {
      out.write(bytes, 0, length);
      out.flush();
      lineOpen = length == 0 ? lineOpen : bytes[length - 1] != '\n';
    } catch (IOException e) {
      // EPIPE has no type of its own in Java. Any other error (a full disk) loses console output just as well, and ends the run, too.
      closed = true;
    }
  }

  /** Ends the guest's last line, if it did not: what follows is not the guest's. */
  public void endLine() {
    if (lineOpen) {
      write(new byte[] {'\n'}, 1);
    }
  }

  /** Whether nobody can read what is written any more. */
  public boolean isClosed() {
    return closed;
  }
}
