package org.xenolith.xen.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.xen.Errno.EACCES;
import static org.xenolith.xen.Errno.EBUSY;
import static org.xenolith.xen.Errno.EEXIST;
import static org.xenolith.xen.Errno.EFAULT;
import static org.xenolith.xen.Errno.EINVAL;
import static org.xenolith.xen.Errno.ENOENT;
import static org.xenolith.xen.Errno.ENOSPC;
import static org.xenolith.xen.Errno.ENOSYS;
import static org.xenolith.xen.Errno.EOPNOTSUPP;
import static org.xenolith.xen.Errno.EPERM;
import static org.xenolith.xen.Errno.ESRCH;

import org.junit.jupiter.api.Test;
import org.xenolith.xen.TestDomain;

class EventChannelsTest {
  private static final int SELF = 0x7ff0;
  private final EventFixture f = new EventFixture(2);

  @Test
  void programsOfDomainZeroGetTheFirstPortsInTheirOrder() {
    assertThat(f.channels.connect(() -> {})).isEqualTo(1);
    assertThat(f.channels.connect(() -> {})).isEqualTo(2);
    assertThat(f.bindIpi(0)).isEqualTo(3);
    assertThat(f.call(EventFixture.STATUS, SELF, 2)).isZero();
    assertThat(f.answer(2)).isEqualTo(2);
    assertThat(f.answer(4) & 0xffff).isZero();
  }

  @Test
  void eventsGoBothWaysBetweenGuestAndDomainZero() {
    int[] heard = {0};
    int port = f.channels.connect(() -> heard[0]++);
    assertThat(f.call(EventFixture.SEND, port)).isZero();
    assertThat(heard[0]).isEqualTo(1);
    assertThat(f.pendingBit(port)).isFalse();
    f.channels.notify(port);
    assertThat(f.pendingBit(port)).isTrue();
  }

  @Test
  void aGuestMayCloseAndBindAgainWhatDomainZeroHolds() {
    int[] heard = {0};
    int port = f.channels.connect(() -> heard[0]++);
    f.call(EventFixture.STATUS, SELF, port);
    int remote = f.answer(5);
    assertThat(f.call(EventFixture.BIND_INTERDOMAIN, 0, remote, 0)).isEqualTo(-EINVAL);
    f.call(EventFixture.CLOSE, port);
    f.channels.notify(port);
    assertThat(f.pendingBit(port)).isFalse();
    assertThat(f.call(EventFixture.BIND_INTERDOMAIN, 0, remote, 0)).isZero();
    f.call(EventFixture.SEND, f.answer(2));
    assertThat(heard[0]).isEqualTo(1);
  }

  @Test
  void aLoopWithinTheDomainCarriesEventsBothWays() {
    assertThat(f.call(EventFixture.ALLOC_UNBOUND, SELF | SELF << 16, 0)).isZero();
    int first = f.answer(1);
    assertThat(f.call(EventFixture.BIND_INTERDOMAIN, SELF, first, 0)).isZero();
    int second = f.answer(2);
    assertThat(f.pendingBit(second)).as("binding raises the local end").isTrue();
    f.call(EventFixture.SEND, second);
    assertThat(f.pendingBit(first)).isTrue();
    f.call(EventFixture.CLOSE, second);
    f.call(EventFixture.STATUS, SELF, first);
    assertThat(f.answer(2)).as("the other end is unbound again").isEqualTo(1);
  }

  @Test
  void virtualInterruptsAreBoundOncePerVcpu() {
    assertThat(f.call(EventFixture.BIND_VIRQ, EventChannels.VIRQ_TIMER, 1, 0)).isZero();
    int port = f.answer(2);
    assertThat(f.call(EventFixture.BIND_VIRQ, EventChannels.VIRQ_TIMER, 1, 0)).isEqualTo(-EEXIST);
    f.channels.raiseVirq(f.test.vcpu(0), EventChannels.VIRQ_TIMER);
    assertThat(f.pendingBit(port)).isFalse();
    f.channels.raiseVirq(f.test.vcpu(1), EventChannels.VIRQ_TIMER);
    assertThat(f.pendingBit(port)).isTrue();
    f.call(EventFixture.CLOSE, port);
    assertThat(f.channels.virqBound(f.test.vcpu(1), EventChannels.VIRQ_TIMER)).isFalse();
  }

  @Test
  void virtualInterruptsOfTheMachineAreNotTheGuests() {
    assertThat(f.call(EventFixture.BIND_VIRQ, 2, 0, 0)).isEqualTo(-EBUSY);
    assertThat(f.call(EventFixture.BIND_VIRQ, 2, 1, 0)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.BIND_VIRQ, 24, 0, 0)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.BIND_VIRQ, -1, 0, 0)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.BIND_VIRQ, 0, 2, 0)).isEqualTo(-ENOENT);
    assertThat(f.call(EventFixture.BIND_PIRQ, 3, 0, 0)).isEqualTo(-EPERM);
    assertThat(f.call(EventFixture.BIND_PIRQ, 4000, 0, 0)).isEqualTo(-EINVAL);
  }

  @Test
  void onlySomeChannelsMoveToAnotherVcpu() {
    int ipi = f.bindIpi(0);
    assertThat(f.call(EventFixture.BIND_VCPU, ipi, 1)).isEqualTo(-EINVAL);
    int port = f.channels.connect(() -> {});
    assertThat(f.call(EventFixture.BIND_VCPU, port, 1)).isZero();
    assertThat(f.call(EventFixture.BIND_VCPU, port, 2)).isEqualTo(-ENOENT);
    f.channels.notify(port);
    assertThat(f.upcallPending(1)).isTrue();
  }

  @Test
  void wrongArgumentsGetXensErrors() {
    assertThat(f.call(EventFixture.CLOSE, 0)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.CLOSE, 5000)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.CLOSE, -1)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.SEND, 5)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.UNMASK, 5000)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.BIND_IPI, 7, 0)).isEqualTo(-ENOENT);
    assertThat(f.call(EventFixture.ALLOC_UNBOUND, 0, 0)).isEqualTo(-EPERM);
    assertThat(f.call(EventFixture.ALLOC_UNBOUND, 9, 0)).isEqualTo(-ESRCH);
    assertThat(f.call(EventFixture.BIND_INTERDOMAIN, 9, 1, 0)).isEqualTo(-ESRCH);
    assertThat(f.call(EventFixture.STATUS, SELF, 1000)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.SET_PRIORITY, 1, 1)).isEqualTo(-ENOSYS);
    assertThat(f.expandArray(20)).isEqualTo(-EOPNOTSUPP);
    assertThat(f.call(15, 0)).isEqualTo(-ENOSYS);
    assertThat(f.channels.call(f.test.vcpu(0), new long[] {4, TestDomain.UNMAPPED, 0, 0, 0})).isEqualTo(-EFAULT);
    assertThat(f.channels.call(f.test.vcpu(0), new long[] {4, 0xffff800000000000L, 0, 0, 0})).isEqualTo(-EFAULT);
  }

  @Test
  void portsRunOutAtTheLimit() {
    for (int port = 1; port <= 1023; port++) {
      assertThat(f.bindIpi(0)).isEqualTo(port);
    }
    assertThat(f.call(EventFixture.BIND_IPI, 0, 0)).isEqualTo(-ENOSPC);
  }

  @Test
  void aResetClosesEverythingAndGoesBackToTwoLevels() {
    int port = f.bindIpi(0);
    f.initControl(0, 20, 0);
    f.expandArray(21);
    assertThat(f.held).containsExactlyInAnyOrder(20L, 21L);
    assertThat(f.call(EventFixture.RESET, SELF)).isZero();
    assertThat(f.held).isEmpty();
    assertThat(f.call(EventFixture.SEND, port)).isEqualTo(-EINVAL);
    port = f.bindIpi(0);
    f.call(EventFixture.SEND, port);
    assertThat(f.pendingBit(port)).isTrue();
  }

  @Test
  void closedPortsTakeNoPriority() {
    f.initControl(0, 20, 0);
    assertThat(f.call(EventFixture.SET_PRIORITY, 5, 1)).isEqualTo(-EACCES);
    int port = f.bindIpi(0);
    assertThat(f.call(EventFixture.SET_PRIORITY, port, 16)).isEqualTo(-EINVAL);
    assertThat(f.call(EventFixture.SET_PRIORITY, port, 0)).isZero();
  }

  @Test
  void eventsFollowAnEndThatTheGuestBindsToAnotherPort() {
    int port = f.channels.connect(() -> {});
    f.call(EventFixture.STATUS, SELF, port, 0, 0, 0, 0);
    int remotePort = f.answer(5);
    f.call(EventFixture.CLOSE, port);
    int other = f.bindIpi(0);
    assertThat(other).as("the guest's old port is something else now").isEqualTo(port);
    assertThat(f.call(EventFixture.BIND_INTERDOMAIN, 0, remotePort, 0)).isZero();
    int bound = f.answer(2);
    f.memory.writeLong(EventFixture.PENDING, 0);
    f.channels.notify(port);
    assertThat(f.memory.readLong(EventFixture.PENDING)).isEqualTo(1L << bound);
  }
}
