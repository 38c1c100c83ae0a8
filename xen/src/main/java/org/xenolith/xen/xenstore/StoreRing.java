package org.xenolith.xen.xenstore;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.event.EventChannels;

/**
 * A domain's connection to the store: two rings of bytes in a page of the guest and an event channel (docs/misc/xenstore-ring.txt, public
 * header io/xs_wire.h, handle_input and handle_output in xenstored's core.c). A guest that breaks the ring's rules is not listened to any
 * more, and is told by the page's error field.
 */
public final class StoreRing {
  /** Offsets and sizes in struct xenstore_domain_interface. */
  private static final int REQUESTS = 0, RESPONSES = 1024, SIZE = 1024, REQ_CONS = 2048, REQ_PROD = 2052, RSP_CONS = 2056, RSP_PROD = 2060;

  private static final int SERVER_FEATURES = 2064, CONNECTION = 2068, ERROR = 2072;
  private static final int CONNECTED = 0;
  private static final int ERROR_RING_INDEX = 2, ERROR_PROTOCOL = 3;

  private final GuestMemory memory;
  private final EventChannels channels;
  private final XenStore store;
  private final Connection client;
  private final Requests requests;
  private final long page;
  private final int port;

  /** The header and payload of the request that is coming in, and how much of it is there. */
  private final byte[] message = new byte[XenStore.HEADER + XenStore.MAX_PAYLOAD];

  private final ByteBuffer header = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
  private int received;

  /** Bytes of the first waiting message that are in the ring already. */
  private int sent;

  private boolean ignored;
  private boolean moved;

  /**
   * Introduces a domain to the store.
   *
   * @param mfn the frame of the ring, zero-filled, the guest's for as long as it runs
   */
  public StoreRing(XenStore store, int domid, GuestMemory memory, long mfn, EventChannels channels) {
    this.memory = memory;
    this.channels = channels;
    this.store = store;
    this.client = store.connect(domid);
    this.requests = new Requests(store);
    this.page = mfn << GuestMemory.FRAME_SHIFT;
    this.port = channels.connect(this::serve);
    memory.writeInt(page + SERVER_FEATURES, Requests.FEATURES);
    memory.writeInt(page + CONNECTION, CONNECTED);
  }

  /** The guest's event channel, for start_info. */
  public int port() {
    return port;
  }

  /** Reads and answers what the guest has sent and sends what waits for it, as far as the rings allow. */
  public void serve() {
    if (ignored) {
      return;
    }
    moved = false;
    boolean more;
    do {
      boolean in = receive();
      boolean out = !ignored && send();
      more = in || out;
    } while (more && !ignored);
    if (moved) {
      channels.notify(port);
    }
  }

  /** Takes bytes of requests up to the end of one; whether there were any. */
  private boolean receive() {
    if (!store.canReceive(client)) {
      return false;
    }
    int wanted = received < XenStore.HEADER ? XenStore.HEADER : XenStore.HEADER + header.getInt(12);
    int consumed = memory.readInt(page + REQ_CONS);
    int available = memory.readInt(page + REQ_PROD) - consumed;
    if (available < 0 || available > SIZE) {
      ignore(ERROR_RING_INDEX);
      return false;
    }
    int length = Math.min(available, wanted - received);
    if (length == 0) {
      return false;
    }
    int start = consumed & SIZE - 1;
    int first = Math.min(length, SIZE - start);
    memory.read(page + REQUESTS + start, message, received, first);
    memory.read(page + REQUESTS, message, received + first, length - first);
    memory.writeInt(page + REQ_CONS, consumed + length);
    received += length;
    moved = true;
    if (received < XenStore.HEADER) {
      return true;
    }
    int payload = header.getInt(12);
    if (Integer.compareUnsigned(payload, XenStore.MAX_PAYLOAD) > 0) {
      ignore(ERROR_PROTOCOL);
    } else if (received == XenStore.HEADER + payload) {
      received = 0;
      byte[] body = new byte[payload];
      System.arraycopy(message, XenStore.HEADER, body, 0, payload);
      requests.answer(client, header.getInt(0), header.getInt(4), header.getInt(8), body);
    }
    return true;
  }

  /** Puts bytes of waiting messages into the ring; whether there were any and room for them. */
  private boolean send() {
    if (client.out.isEmpty()) {
      return false;
    }
    int produced = memory.readInt(page + RSP_PROD);
    int used = produced - memory.readInt(page + RSP_CONS);
    if (used < 0 || used > SIZE) {
      ignore(ERROR_RING_INDEX);
      return false;
    }
    byte[] bytes = client.out.peek().bytes();
    int length = Math.min(SIZE - used, bytes.length - sent);
    if (length == 0) {
      return false;
    }
    int start = produced & SIZE - 1;
    int first = Math.min(length, SIZE - start);
    memory.write(page + RESPONSES + start, bytes, sent, first);
    memory.write(page + RESPONSES, bytes, sent + first, length - first);
    memory.writeInt(page + RSP_PROD, produced + length);
    sent += length;
    moved = true;
    if (sent == bytes.length) {
      sent = 0;
      client.sent();
    }
    return true;
  }

  private void ignore(int error) {
    memory.writeInt(page + ERROR, error);
    ignored = true;
    client.reset();
    while (!client.out.isEmpty()) {
      client.sent();
    }
  }
}
