package org.xenolith.xen.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.xen.Errno.EINVAL;
import static org.xenolith.xen.Errno.ENOENT;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.xenolith.xen.TestDomain;

class FifoTest {
  private static final long CONTROL_MFN = 20, ARRAY_MFN = 21;
  private static final long CONTROL = CONTROL_MFN << 12, ARRAY = ARRAY_MFN << 12;
  private static final int PENDING = 1 << 31, MASKED = 1 << 30, LINKED = 1 << 29, LINK = 0x1ffff;
  private final EventFixture f = new EventFixture(2);

  private void start() {
    assertThat(f.initControl(0, CONTROL_MFN, 0)).isZero();
    assertThat(f.memory.readByte(TestDomain.ARGUMENTS + 16)).as("link bits").isEqualTo((byte) 17);
    assertThat(f.expandArray(ARRAY_MFN)).isZero();
  }

  private int word(int port) {
    return f.memory.readInt(ARRAY + 4L * port);
  }

  private void setWord(int port, int word) {
    f.memory.writeInt(ARRAY + 4L * port, word);
  }

  /** Takes a queue's events off as Linux does (events_fifo.c, consume_one_event). */
  private List<Integer> consume(int priority) {
    List<Integer> ports = new ArrayList<>();
    int port = f.memory.readInt(CONTROL + 8 + 4L * priority);
    while (port != 0) {
      int next = word(port) & LINK;
      setWord(port, word(port) & ~(LINKED | LINK));
      if ((word(port) & PENDING) != 0 && (word(port) & MASKED) == 0) {
        setWord(port, word(port) & ~PENDING);
        ports.add(port);
      }
      port = next;
    }
    f.memory.writeInt(CONTROL, f.memory.readInt(CONTROL) & ~(1 << priority));
    f.memory.writeInt(CONTROL + 8 + 4L * priority, 0);
    f.memory.writeByte(f.test.vcpu(0).vcpuInfoPa, (byte) 0);
    return ports;
  }

  @Test
  void eventsComeInTheOrderInWhichTheyWereRaised() {
    start();
    int a = f.bindIpi(0);
    int b = f.bindIpi(0);
    int c = f.bindIpi(0);
    for (int port : new int[] {b, c, a}) {
      f.call(EventFixture.SEND, port);
    }
    assertThat(f.upcallPending(0)).isTrue();
    assertThat(f.memory.readInt(CONTROL)).as("ready").isEqualTo(1 << 7);
    assertThat(consume(7)).containsExactly(b, c, a);
    f.call(EventFixture.SEND, a);
    assertThat(consume(7)).containsExactly(a);
  }

  @Test
  void prioritiesHaveQueuesOfTheirOwn() {
    start();
    int low = f.bindIpi(0);
    int high = f.bindIpi(0);
    f.call(EventFixture.SET_PRIORITY, high, 0);
    f.call(EventFixture.SEND, low);
    f.call(EventFixture.SEND, high);
    assertThat(f.memory.readInt(CONTROL)).isEqualTo(1 << 7 | 1);
    assertThat(consume(0)).containsExactly(high);
    assertThat(consume(7)).containsExactly(low);
  }

  @Test
  void aMaskedEventIsPendingButNotLinkedUntilUnmasked() {
    start();
    int port = f.bindIpi(0);
    setWord(port, MASKED);
    f.call(EventFixture.SEND, port);
    assertThat(word(port)).isEqualTo(PENDING | MASKED);
    assertThat(f.upcallPending(0)).isFalse();
    f.call(EventFixture.UNMASK, port);
    assertThat(word(port)).isEqualTo(PENDING | LINKED);
    assertThat(consume(7)).containsExactly(port);
  }

  @Test
  void aLinkedEventIsNotLinkedTwice() {
    start();
    int a = f.bindIpi(0);
    int b = f.bindIpi(0);
    f.call(EventFixture.SEND, a);
    f.call(EventFixture.SEND, b);
    f.call(EventFixture.SEND, a);
    assertThat(word(a) & LINK).isEqualTo(b);
    assertThat(word(b) & LINK).isZero();
    assertThat(consume(7)).containsExactly(a, b);
  }

  @Test
  void anEventMovesToItsNewQueueWhenItIsTakenOffTheOld() {
    start();
    int a = f.bindIpi(0);
    int b = f.bindIpi(0);
    f.call(EventFixture.SEND, a);
    assertThat(consume(7)).containsExactly(a);
    f.call(EventFixture.SET_PRIORITY, a, 3);
    f.call(EventFixture.SEND, a);
    f.call(EventFixture.SEND, b);
    assertThat(word(a) & LINK).as("b did not go behind a in its new queue").isZero();
    assertThat(consume(3)).containsExactly(a);
    assertThat(consume(7)).containsExactly(b);
  }

  @Test
  void whatWasPendingBeforeTheArrayCameIsRaisedThen() {
    int before = f.bindIpi(0);
    f.mask(before, true);
    f.call(EventFixture.SEND, before);
    f.initControl(0, CONTROL_MFN, 0);
    int between = f.bindIpi(0);
    f.call(EventFixture.SEND, between);
    assertThat(f.upcallPending(0)).isFalse();
    f.expandArray(ARRAY_MFN);
    assertThat(consume(7)).containsExactly(before, between);
  }

  @Test
  void anEventForAVcpuWithoutControlBlockIsLost() {
    start();
    int port = f.bindIpi(1);
    f.call(EventFixture.SEND, port);
    assertThat(word(port)).isZero();
    assertThat(f.initControl(1, 22, 0x100)).isZero();
    f.call(EventFixture.SEND, port);
    assertThat(f.memory.readInt((22L << 12) + 0x100 + 8 + 28)).isEqualTo(port);
    assertThat(f.upcallPending(1)).isTrue();
  }

  @Test
  void aPortStillOnAQueueIsNotGivenAway() {
    start();
    int port = f.bindIpi(0);
    f.call(EventFixture.SEND, port);
    f.call(EventFixture.CLOSE, port);
    assertThat(word(port)).as("closing clears only the pending bit").isEqualTo(LINKED);
    assertThat(f.bindIpi(0)).isNotEqualTo(port);
    setWord(port, 0);
    assertThat(f.bindIpi(0)).isEqualTo(port);
  }

  @Test
  void controlBlocksMustBeTheGuestsAlignedAndWithinTheirPage() {
    assertThat(f.initControl(0, CONTROL_MFN, 4)).isEqualTo(-EINVAL);
    assertThat(f.initControl(0, CONTROL_MFN, 4096 - 64)).isEqualTo(-EINVAL);
    assertThat(f.initControl(0, CONTROL_MFN, -8)).isEqualTo(-EINVAL);
    assertThat(f.initControl(9, CONTROL_MFN, 0)).isEqualTo(-ENOENT);
    f.refused.add(CONTROL_MFN);
    assertThat(f.initControl(0, CONTROL_MFN, 0)).isEqualTo(-EINVAL);
    assertThat(f.initControl(0, 1L << 40, 0)).isEqualTo(-EINVAL);
    f.refused.clear();
    assertThat(f.initControl(0, CONTROL_MFN, 4096 - 72)).isZero();
    assertThat(f.initControl(0, CONTROL_MFN, 0)).as("only once").isEqualTo(-EINVAL);
    f.refused.add(ARRAY_MFN);
    assertThat(f.expandArray(ARRAY_MFN)).isEqualTo(-EINVAL);
  }

  @Test
  void wordsThatTheGuestSpoilsHurtOnlyTheGuest() {
    start();
    int a = f.bindIpi(0);
    int b = f.bindIpi(0);
    f.call(EventFixture.SEND, a);
    f.memory.fill(ARRAY, 4096, (byte) -1);
    f.memory.fill(CONTROL, 4096, (byte) -1);
    assertThat(f.call(EventFixture.SEND, b)).isZero();
    assertThat(f.call(EventFixture.UNMASK, b)).isZero();
    assertThat(f.call(EventFixture.CLOSE, a)).isZero();
  }
}
