package org.xenolith.insight.gdb;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/** Where debuggers connect, one after the other: a thread that reads from them into a queue. */
public final class GdbServer implements AutoCloseable {
  private static final int QUEUE = 64;
  private static final int BUFFER = 8192;

  /** What a debugger did. */
  sealed interface Event {
    Connection from();

    /** It connected. */
    record Attached(Connection from) implements Event {}

    /** It sent a packet. */
    record Packet(Connection from, String data) implements Event {}

    /** It asked to stop the guest. */
    record Interrupt(Connection from) implements Event {}

    /** Its connection is gone. */
    record Gone(Connection from) implements Event {}
  }

  /** A connected debugger. */
  static final class Connection {
    private final SocketChannel channel;
    private byte[] last = {};
    private boolean acknowledges = true;

    private Connection(SocketChannel channel) {
      this.channel = channel;
    }

    /** Sends a packet; if the connection is broken, its reader will find out. */
    synchronized void send(String data) {
      last = PacketReader.packet(data);
      write(last);
    }

    /** No acknowledgements any more, in either direction (QStartNoAckMode). */
    synchronized void stopAcknowledging() {
      acknowledges = false;
    }

    private synchronized void acknowledge(char sign) {
      if (acknowledges) {
        write(new byte[] {(byte) sign});
      }
    }

    private synchronized void repeat() {
      if (acknowledges) {
        write(last);
      }
    }

    private void write(byte[] bytes) {
      try {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
          channel.write(buffer);
        }
      } catch (IOException e) {
        close();
      }
    }

    void close() {
      try {
        channel.close();
      } catch (IOException e) {
        // It is of no more use, either way.
      }
    }
  }

  private final GdbAddress address;
  private final ServerSocketChannel listening;
  private final BlockingQueue<Event> events = new ArrayBlockingQueue<>(QUEUE);
  private final Thread thread;
  private volatile Runnable bell = () -> {};
  private volatile boolean closed;

  private GdbServer(GdbAddress address, ServerSocketChannel listening) {
    this.address = address;
    this.listening = listening;
    this.thread = Thread.ofPlatform().daemon().name("gdb").unstarted(this::serve);
  }

  /**
   * Listens at an address.
   *
   * @throws IOException if that is not possible; the message says why
   */
  public static GdbServer listen(GdbAddress address) throws IOException {
    boolean unix = address.socket() != null;
    ServerSocketChannel channel = unix ? ServerSocketChannel.open(StandardProtocolFamily.UNIX) : ServerSocketChannel.open();
    try {
      channel.bind(address.bindAddress(), 1);
      if (unix) {
        Files.setPosixFilePermissions(address.socket(), PosixFilePermissions.fromString("rw-------"));
      }
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
    GdbAddress bound = unix ? address : new GdbAddress(((InetSocketAddress) channel.getLocalAddress()).getPort(), null);
    GdbServer server = new GdbServer(bound, channel);
    server.thread.start();
    return server;
  }

  /** Where it listens; the port is never 0. */
  public GdbAddress address() {
    return address;
  }

  /** Says what to do, on the server's thread, when there is an event. */
  void onEvent(Runnable ring) {
    bell = ring;
  }

  /** Whether {@link #take} has something. */
  boolean isWaiting() {
    return !events.isEmpty();
  }

  /** The next event, or null if there is none after {@code ms} milliseconds. */
  Event take(long ms) {
    try {
      return events.poll(ms, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    }
  }

  private void serve() {
    while (!closed) {
      try (SocketChannel channel = listening.accept()) {
        if (address.socket() == null) {
          channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        }
        read(channel);
      } catch (ClosedChannelException e) {
        return;
      } catch (IOException e) {
        // This debugger is lost; another may come.
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private void read(SocketChannel channel) throws InterruptedException {
    Connection connection = new Connection(channel);
    PacketReader reader =
        new PacketReader(
            new PacketReader.Receiver() {
              @Override
              public void packet(String data) throws InterruptedException {
                connection.acknowledge('+');
                put(new Event.Packet(connection, data));
              }

              @Override
              public void damaged() {
                connection.acknowledge('-');
              }

              @Override
              public void repeat() {
                connection.repeat();
              }

              @Override
              public void interrupt() throws InterruptedException {
                put(new Event.Interrupt(connection));
              }
            });
    put(new Event.Attached(connection));
    ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
    try {
      while (channel.read(buffer.clear()) >= 0) {
        buffer.flip();
        while (buffer.hasRemaining()) {
          reader.take(buffer.get() & 0xff);
        }
      }
    } catch (IOException e) {
      // The same as its end.
    }
    put(new Event.Gone(connection));
  }

  private void put(Event event) throws InterruptedException {
    events.put(event);
    bell.run();
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
    try {
      listening.close();
      if (address.socket() != null) {
        Files.deleteIfExists(address.socket());
      }
    } catch (IOException e) {
      // What cannot be closed any more is closed.
    }
  }
}
