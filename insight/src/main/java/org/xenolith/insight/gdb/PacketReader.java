package org.xenolith.insight.gdb;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Takes the bytes of a debugger's stream apart: packets {@code $data#checksum} with escapes undone, acknowledgements, and the interrupt
 * byte between packets (GDB manual, appendix "Packet Overview" and "Interrupts"). Bytes are characters 0 to 255 here.
 */
final class PacketReader {
  /** The most characters of a packet's data; what is longer is answered as a bad one. */
  static final int MAX_PACKET = 0x8000;

  private static final int INTERRUPT = 3;
  private static final int ESCAPE = '}';
  private static final int ESCAPE_BIT = 0x20;

  /** Receives what was found. */
  interface Receiver {
    /** A packet whose checksum is right. */
    void packet(String data) throws InterruptedException;

    /** A packet whose checksum is wrong. */
    void damaged();

    /** The other side asks for the last packet again. */
    void repeat();

    /** Ctrl-C. */
    void interrupt() throws InterruptedException;
  }

  private enum State {
    BETWEEN,
    DATA,
    ESCAPED,
    CHECKSUM_HIGH,
    CHECKSUM_LOW
  }

  private final Receiver receiver;
  private final ByteArrayOutputStream data = new ByteArrayOutputStream();
  private State state = State.BETWEEN;
  private int sum;
  private int expected;

  PacketReader(Receiver receiver) {
    this.receiver = receiver;
  }

  /** Takes one byte, 0 to 255. */
  void take(int next) throws InterruptedException {
    switch (state) {
      case BETWEEN -> between(next);
      case DATA -> data(next);
      case ESCAPED -> {
        sum += next;
        put(next ^ ESCAPE_BIT);
        state = State.DATA;
      }
      case CHECKSUM_HIGH -> {
        expected = Character.digit(next, 16) << 4;
        state = State.CHECKSUM_LOW;
      }
      case CHECKSUM_LOW -> {
        state = State.BETWEEN;
        int low = Character.digit(next, 16);
        if (expected < 0 || low < 0 || (expected | low) != (sum & 0xff) || data.size() > MAX_PACKET) {
          receiver.damaged();
        } else {
          receiver.packet(data.toString(StandardCharsets.ISO_8859_1));
        }
      }
    }
  }

  private void between(int next) throws InterruptedException {
    switch (next) {
      case '$' -> begin();
      case '-' -> receiver.repeat();
      case INTERRUPT -> receiver.interrupt();
      default -> {}
    }
  }

  private void data(int next) {
    switch (next) {
      case '#' -> state = State.CHECKSUM_HIGH;
      // The rest of the packet before was lost.
      case '$' -> begin();
      case ESCAPE -> {
        sum += next;
        state = State.ESCAPED;
      }
      default -> {
        sum += next;
        put(next);
      }
    }
  }

  private void begin() {
    data.reset();
    sum = 0;
    state = State.DATA;
  }

  private void put(int next) {
    if (data.size() <= MAX_PACKET) {
      data.write(next);
    }
  }

  /** A packet as it goes over the line. */
  static byte[] packet(String data) {
    StringBuilder text = new StringBuilder(data.length() + 4).append('$');
    int sum = 0;
    for (int n = 0; n < data.length(); n++) {
      int next = data.charAt(n);
      if (next == '#' || next == '$' || next == ESCAPE || next == '*') {
        text.append((char) ESCAPE);
        sum += ESCAPE;
        next ^= ESCAPE_BIT;
      }
      text.append((char) next);
      sum += next;
    }
    return text.append('#').append("%02x".formatted(sum & 0xff)).toString().getBytes(StandardCharsets.ISO_8859_1);
  }
}
