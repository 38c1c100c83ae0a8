package org.xenolith.xen.xenstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.xen.xenstore.Requests.READ;
import static org.xenolith.xen.xenstore.Requests.WRITE;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

class StoreRingTest {
  private final StoreClient c = new StoreClient();

  @Test
  void theServersFeaturesAreInThePage() {
    assertThat(c.memory.readInt(StoreClient.PAGE + 2064)).isEqualTo(14);
    assertThat(c.memory.readInt(StoreClient.PAGE + 2068)).isZero();
  }

  @Test
  void repliesCarryTheIdsOfTheirRequests() {
    byte[] request = XenStore.message(READ, 0x1234, 0, XenStore.bytes("name\0"));
    c.send(request, 1024);
    assertThat(c.messages()).containsExactly(new StoreClient.Message(READ, 0x1234, 0, "guest"));
    assertThat(c.channels.pending(c.ring.port())).isTrue();
  }

  @Test
  void aRequestMayComeByteByByte() {
    c.send(c.request(READ, 0, "name\0"), 1);
    assertThat(c.messages()).extracting(StoreClient.Message::payload).containsExactly("guest");
  }

  @Test
  void manyRequestsMayComeAtOnce() {
    byte[] one = c.request(READ, 0, "name\0");
    for (int i = 0; i < 10; i++) {
      c.put(one, 0);
    }
    c.event();
    assertThat(c.messages()).hasSize(10);
  }

  @Test
  void requestsAndRepliesLargerThanTheRingGoThroughInParts() {
    String value = "0123456789abcdef".repeat(120);
    c.send(c.request(WRITE, 0, "data/a\0" + value), 1024);
    assertThat(c.messages()).extracting(StoreClient.Message::payload).containsExactly("OK\0");
    c.send(c.request(READ, 0, "data/a\0"), 1024);
    assertThat(c.messages()).extracting(StoreClient.Message::payload).containsExactly(value);
  }

  @Test
  void indicesMayStartAnywhereAndOverflow() {
    for (long index : new long[] {StoreClient.REQ_CONS, StoreClient.REQ_PROD, StoreClient.RSP_CONS, StoreClient.RSP_PROD}) {
      c.memory.writeInt(index, -10);
    }
    c.send(c.request(READ, 0, "name\0"), 1024);
    assertThat(c.messages()).extracting(StoreClient.Message::payload).containsExactly("guest");
    assertThat(c.memory.readInt(StoreClient.REQ_CONS)).isEqualTo(11);
  }

  @Test
  void aGuestThatDoesNotReadItsRepliesIsNotListenedTo() {
    c.memory.writeInt(StoreClient.RSP_PROD, 1024);
    byte[] request = c.request(READ, 0, "name\0");
    int taken = 0;
    while (taken < 100) {
      c.put(request, 0);
      c.event();
      if (c.memory.readInt(StoreClient.REQ_CONS) != c.memory.readInt(StoreClient.REQ_PROD)) {
        break;
      }
      taken++;
    }
    assertThat(taken).isEqualTo(20);
    c.memory.writeInt(StoreClient.RSP_CONS, 1024);
    List<StoreClient.Message> messages = c.messages();
    assertThat(messages).hasSize(21);
    assertThat(c.memory.readInt(StoreClient.ERROR)).isZero();
  }

  @Test
  void aTooLongPayloadEndsTheConnection() {
    byte[] header = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putInt(READ).putInt(1).putInt(0).putInt(4097).array();
    c.put(header, 0);
    c.event();
    assertThat(c.memory.readInt(StoreClient.ERROR)).isEqualTo(3);
    c.put(c.request(READ, 0, "name\0"), 0);
    c.event();
    assertThat(c.memory.readInt(StoreClient.RSP_PROD)).isZero();
  }

  @Test
  void aNegativeLengthEndsTheConnection() {
    byte[] header = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putInt(READ).putInt(1).putInt(0).putInt(-1).array();
    c.put(header, 0);
    c.event();
    assertThat(c.memory.readInt(StoreClient.ERROR)).isEqualTo(3);
  }

  @Test
  void impossibleIndicesEndTheConnection() {
    c.memory.writeInt(StoreClient.REQ_PROD, 1025);
    c.event();
    assertThat(c.memory.readInt(StoreClient.ERROR)).isEqualTo(2);
    StoreClient other = new StoreClient();
    other.put(other.request(READ, 0, "name\0"), 0);
    other.memory.writeInt(StoreClient.RSP_CONS, 5);
    other.event();
    assertThat(other.memory.readInt(StoreClient.ERROR)).isEqualTo(2);
  }
}
