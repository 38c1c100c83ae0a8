package org.xenolith.xen.xenstore;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.GuestFrames;
import org.xenolith.xen.TestDomain;
import org.xenolith.xen.event.EventChannels;

/** A guest that talks to the store over its ring. */
final class StoreClient {
  static final long MFN = 40, PAGE = MFN << 12;
  static final long REQ_CONS = PAGE + 2048, REQ_PROD = PAGE + 2052, RSP_CONS = PAGE + 2056, RSP_PROD = PAGE + 2060, ERROR = PAGE + 2072;

  /** A message from the store. */
  record Message(int type, int requestId, int transactionId, String payload) {}

  final TestDomain test = new TestDomain(1);
  final GuestMemory memory = test.memory;
  final EventChannels channels = new EventChannels(test.domain, NO_FRAMES);
  final XenStore store = new XenStore();
  final StoreRing ring;
  private final ByteArrayOutputStream pending = new ByteArrayOutputStream();
  private int nextId = 1;

  private static final GuestFrames NO_FRAMES =
      new GuestFrames() {
        @Override
        public long hold(long gfn) {
          return -1;
        }

        @Override
        public void release(long mfn) {
          throw new AssertionError("nothing is held");
        }
      };

  StoreClient() {
    GuestTree.Size size = new GuestTree.Size(65536, 131072, 3, 2);
    new GuestTree(1, "pv", "guest", "01234567-89ab-cdef-0123-456789abcdef", size, MFN, 1, 30, 2).write(store);
    ring = new StoreRing(store, 1, memory, MFN, channels);
  }

  void event() {
    memory.writeInt(TestDomain.ARGUMENTS, ring.port());
    channels.call(test.vcpu(0), new long[] {4, TestDomain.ARGUMENTS, 0, 0, 0});
  }

  /** Puts raw bytes into the ring, as far as they fit; returns how many. */
  int put(byte[] bytes, int from) {
    int produced = memory.readInt(REQ_PROD);
    int room = 1024 - (produced - memory.readInt(REQ_CONS));
    int length = Math.min(room, bytes.length - from);
    for (int i = 0; i < length; i++) {
      memory.writeByte(PAGE + (produced + i & 1023), bytes[from + i]);
    }
    memory.writeInt(REQ_PROD, produced + length);
    return length;
  }

  /** Sends bytes in pieces of at most {@code piece}, with an event after each. */
  void send(byte[] bytes, int piece) {
    for (int at = 0; at < bytes.length; ) {
      byte[] part = Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + piece));
      at += put(part, 0);
      event();
      read();
    }
  }

  /** Takes what the store has sent out of the ring. */
  void read() {
    int consumed = memory.readInt(RSP_CONS);
    int produced = memory.readInt(RSP_PROD);
    while (consumed != produced) {
      pending.write(memory.readByte(PAGE + 1024 + (consumed++ & 1023)));
    }
    memory.writeInt(RSP_CONS, consumed);
  }

  /** All messages so far, whole ones; more are asked for until none come. */
  List<Message> messages() {
    int before;
    do {
      before = pending.size();
      read();
      event();
      read();
    } while (pending.size() != before);
    List<Message> messages = new ArrayList<>();
    ByteBuffer bytes = ByteBuffer.wrap(pending.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      int type = bytes.getInt();
      int requestId = bytes.getInt();
      int transactionId = bytes.getInt();
      byte[] payload = new byte[bytes.getInt()];
      bytes.get(payload);
      messages.add(new Message(type, requestId, transactionId, new String(payload, StandardCharsets.ISO_8859_1)));
    }
    pending.reset();
    return messages;
  }

  /** A request's bytes; its strings end with NUL unless {@code payload} has them already. */
  byte[] request(int type, int transaction, String payload) {
    return XenStore.message(type, nextId++, transaction, XenStore.bytes(payload));
  }

  /** Sends a request and returns all messages that come. */
  List<Message> talk(int type, int transaction, String payload) {
    send(request(type, transaction, payload), 1024);
    return messages();
  }

  /** The reply's payload without its last NUL; for an error its name. */
  String ask(int type, int transaction, String payload) {
    for (Message message : talk(type, transaction, payload)) {
      if (message.type != XenStore.WATCH_EVENT) {
        return message.payload.endsWith("\0") ? message.payload.substring(0, message.payload.length() - 1) : message.payload;
      }
    }
    throw new AssertionError("no reply");
  }

  String ask(int type, String payload) {
    return ask(type, 0, payload);
  }

  /** The watch events among messages, as path and token with a blank between. */
  static List<String> events(List<Message> messages) {
    return messages.stream()
        .filter(m -> m.type == XenStore.WATCH_EVENT)
        .map(m -> m.payload.substring(0, m.payload.length() - 1).replace('\0', ' '))
        .toList();
  }
}
