package org.xenolith.xen.event;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.xen.Vcpu;

class TwoLevelTest {
  private final EventFixture f = new EventFixture(2);

  @Test
  void anEventSetsPortWordAndUpcallAndWakesTheVcpuItIsBoundTo() {
    int port = f.bindIpi(1);
    assertThat(f.call(EventFixture.SEND, port)).isZero();
    assertThat(f.pendingBit(port)).isTrue();
    assertThat(f.pendingSelector(1)).isEqualTo(1L << (port >> 6));
    assertThat(f.upcallPending(1)).isTrue();
    assertThat(f.test.vcpu(1).state).isEqualTo(Vcpu.State.RUNNABLE);
    assertThat(f.upcallPending(0)).isFalse();
    assertThat(f.test.vcpu(0).state).isEqualTo(Vcpu.State.BLOCKED);
  }

  @Test
  void aMaskedEventStaysPendingUntilTheHypercallUnmasksIt() {
    int port = f.bindIpi(0);
    f.mask(port, true);
    f.call(EventFixture.SEND, port);
    assertThat(f.pendingBit(port)).isTrue();
    assertThat(f.upcallPending(0)).isFalse();
    assertThat(f.call(EventFixture.UNMASK, port)).isZero();
    assertThat(f.upcallPending(0)).isTrue();
    assertThat(f.pendingSelector(0)).isEqualTo(1);
  }

  @Test
  void unmaskingWhatIsNotPendingRaisesNothing() {
    int port = f.bindIpi(0);
    f.mask(port, true);
    f.call(EventFixture.UNMASK, port);
    assertThat(f.upcallPending(0)).isFalse();
  }

  @Test
  void aSecondEventOnAPendingPortChangesNothing() {
    int port = f.bindIpi(0);
    f.call(EventFixture.SEND, port);
    f.memory.writeByte(f.test.vcpu(0).vcpuInfoPa, (byte) 0);
    f.call(EventFixture.SEND, port);
    assertThat(f.upcallPending(0)).isFalse();
  }

  @Test
  void pollersWakeEvenIfThePortIsMasked() {
    int port = f.bindIpi(1);
    f.mask(port, true);
    f.test.vcpu(0).pollPort = port;
    f.call(EventFixture.SEND, port);
    assertThat(f.test.vcpu(0).state).isEqualTo(Vcpu.State.RUNNABLE);
    assertThat(f.test.vcpu(1).state).isEqualTo(Vcpu.State.BLOCKED);
    assertThat(f.channels.pending(port)).isTrue();
  }

  @Test
  void closingAPortClearsItsPendingBit() {
    int port = f.bindIpi(0);
    f.mask(port, true);
    f.call(EventFixture.SEND, port);
    f.call(EventFixture.CLOSE, port);
    assertThat(f.pendingBit(port)).isFalse();
  }

  @Test
  void portsAboveSixtyFourUseTheNextWord() {
    int port = 0;
    while (port < 70) {
      port = f.bindIpi(0);
    }
    f.call(EventFixture.SEND, port);
    assertThat(f.memory.readLong(EventFixture.PENDING + 8)).isEqualTo(1L << 6);
    assertThat(f.pendingSelector(0)).isEqualTo(2);
  }

  @Test
  void aMovedVcpuInfoLooksWhollyPending() {
    f.test.vcpu(1).vcpuInfoPa = 0x20000;
    f.channels.vcpuInfoMoved(f.test.vcpu(1));
    assertThat(f.pendingSelector(1)).isEqualTo(-1L);
    assertThat(f.upcallPending(1)).isTrue();
  }
}
