package org.xenolith.app.console;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Keeps the last lines of a guest's console. */
public final class ConsoleTail extends OutputStream {
  private static final int BYTES = 1 << 16, MOST_LINES = 40;

  private final byte[] ring = new byte[BYTES];
  private long written;

  @Override
  public synchronized void write(int b) {
    ring[(int) (written++ % BYTES)] = (byte) b;
  }

  /** The last lines, at most 40, without what a terminal would not show. */
  public synchronized List<String> lines() {
    int length = (int) Math.min(written, BYTES);
    byte[] bytes = new byte[length];
    for (int n = 0; n < length; n++) {
      bytes[n] = ring[(int) ((written - length + n) % BYTES)];
    }
    String text = new String(bytes, StandardCharsets.UTF_8).replaceAll("\\x1b\\[[0-9;?]*[A-Za-z]|[\\p{Cntrl}&&[^\\n]]", "");
    List<String> all = text.lines().toList();
    return all.subList(Math.max(0, all.size() - MOST_LINES), all.size());
  }
}
