package org.xenolith.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the standard streams of this process are connected to. */
final class StandardStreams {
  static final int IN = 0;
  static final int OUT = 1;
  static final int ERR = 2;

  private StandardStreams() {}

  /**
   * Whether a stream is a terminal. Java itself tells this of standard input and output together only, so Linux's own word is asked first.
   */
  static boolean isTerminal(int stream) {
    Path link = Path.of("/proc/self/fd/" + stream);
    try {
      String target = Files.readSymbolicLink(link).toString();
      return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
    } catch (IOException | UnsupportedOperationException e) {
      return System.console() != null && System.console().isTerminal();
    }
  }
}
