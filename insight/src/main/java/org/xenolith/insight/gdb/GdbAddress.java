package org.xenolith.insight.gdb;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * Where a debugger finds the machine: a TCP port of this host's loopback interface, or a Unix socket. Nothing else, since whoever reaches
 * it owns the guest.
 *
 * @param port 0 to 65535, 0 for one that is free; -1 for a socket
 * @param socket the socket's path, or null
 */
public record GdbAddress(int port, Path socket) {
  private static final int MAX_PORT = 65_535;

  /**
   * Reads what a user wrote: a number is a port, with or without the colon that gdb has before it; anything else is a path.
   *
   * @throws IllegalArgumentException if it is neither
   */
  public static GdbAddress parse(String text) {
    String number = text.startsWith(":") ? text.substring(1) : text;
    if (number.matches("\\d{1,9}")) {
      int port = Integer.parseInt(number);
      if (port > MAX_PORT) {
        throw new IllegalArgumentException("a port is at most " + MAX_PORT);
      }
      return new GdbAddress(port, null);
    }
    if (text.isBlank() || text.startsWith(":") || text.matches("[^/]*:\\d*")) {
      throw new IllegalArgumentException("neither a port nor the path of a socket");
    }
    try {
      return new GdbAddress(-1, Path.of(text));
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("no path", e);
    }
  }

  SocketAddress bindAddress() {
    return socket == null ? new InetSocketAddress(InetAddress.getLoopbackAddress(), port) : UnixDomainSocketAddress.of(socket);
  }

  /** As gdb's {@code target remote} takes it. */
  @Override
  public String toString() {
    return socket == null ? ":" + port : socket.toString();
  }
}
