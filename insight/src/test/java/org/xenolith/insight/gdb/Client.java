package org.xenolith.insight.gdb;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** A debugger's side of the protocol for tests: sends a packet, reads the next, acknowledging both. */
final class Client implements AutoCloseable {
  private static final int TIMEOUT_MS = 20_000;

  private final Socket socket;
  private final InputStream in;

  Client(int port) throws IOException {
    socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(TIMEOUT_MS);
    in = socket.getInputStream();
  }

  /** Sends a packet and reads the answer. */
  String ask(String data) throws IOException {
    tell(data);
    return hear();
  }

  /** Sends a packet. */
  void tell(String data) throws IOException {
    raw(new String(PacketReader.packet(data), StandardCharsets.ISO_8859_1));
  }

  /** Sends bytes as they are. */
  void raw(String bytes) throws IOException {
    socket.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
  }

  /** The data of the next packet, or "end" where the other side closes the connection. */
  String hear() throws IOException {
    int next = in.read();
    while (next == '+') {
      next = in.read();
    }
    if (next < 0) {
      return "end";
    }
    if (next != '$') {
      return "" + (char) next;
    }
    StringBuilder data = new StringBuilder();
    for (next = in.read(); next != '#'; next = in.read()) {
      data.append((char) (next == '}' ? in.read() ^ 0x20 : next));
    }
    in.read();
    in.read();
    raw("+");
    return data.toString();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
