package org.xenolith.app.console;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import org.jline.terminal.Attributes;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/** The terminal of this process with every key, Ctrl-C included, going to the guest; as it was when closed, or at the end. */
public final class RawTerminal implements AutoCloseable {
  private final Terminal terminal;
  private final Attributes before;
  private final Thread atExit = new Thread(this::restore, "restore the terminal");
  private boolean restored;

  private RawTerminal(Terminal terminal) {
    this.terminal = terminal;
    this.before = terminal.getAttributes();
  }

  public static RawTerminal open() {
    try {
      // Without graphemeCluster(false) JLine asks the terminal questions, whose answers the guest would take for typed keys.
      Terminal terminal = TerminalBuilder.builder().system(true).dumb(false).graphemeCluster(false).build();
      RawTerminal raw = new RawTerminal(terminal);
      Runtime.getRuntime().addShutdownHook(raw.atExit);
      raw.terminal.enterRawMode();
      Attributes attributes = raw.terminal.getAttributes();
      attributes.setLocalFlag(Attributes.LocalFlag.ISIG, false);
      attributes.setOutputFlag(Attributes.OutputFlag.OPOST, false);
      raw.terminal.setAttributes(attributes);
      return raw;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The bytes that keys make. */
  public InputStream input() {
    return terminal.input();
  }

  private synchronized void restore() {
    if (!restored) {
      restored = true;
      terminal.setAttributes(before);
    }
  }

  @Override
  public void close() {
    restore();
  }
}
