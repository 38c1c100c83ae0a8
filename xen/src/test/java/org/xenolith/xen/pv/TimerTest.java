package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome.Kind;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.time.TimeKeeper;

/** Timers, blocking, and the clocks in shared memory. */
class TimerTest {
  private static final long DUE = 5_000_000;

  /** Binds VIRQ_TIMER, unmasks its port and registers the callback. */
  private static MicroGuest withTimer(MicroGuest guest, Label callback) {
    guest.put(20, 0).put(21, 0).call(MicroGuest.EVENT_CHANNEL_OP, 1, MicroGuest.DATA + 160).keep(0);
    guest.callback(0, 0, callback, 30);
    return guest.call(MicroGuest.VCPU_OP, 7, 0, 0);
  }

  @Test
  void aTimerWakesABlockedGuestAtItsTime() {
    try (MicroGuest guest = new MicroGuest()) {
      Label callback = guest.a.newLabel();
      withTimer(guest, callback).call(MicroGuest.SET_TIMER_OP, DUE).call(MicroGuest.SCHED_OP, 1);
      guest.shutdown(3);
      guest.a.bind(callback);
      guest.powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.machine().virtualNanoseconds()).isBetween(DUE, DUE + 100);
      assertThat(guest.machine().instructions()).isLessThan(1_000);
      assertThat(guest.machine().exits()).containsEntry("upcall", 1L);
      assertThat(guest.vcpu().eventsMasked()).isTrue();
    }
  }

  @Test
  void aStoppedTimerDoesNotCome() {
    try (MicroGuest guest = new MicroGuest()) {
      Label callback = guest.a.newLabel();
      withTimer(guest, callback).call(MicroGuest.SET_TIMER_OP, DUE).call(MicroGuest.SET_TIMER_OP, 0).call(MicroGuest.SCHED_OP, 1);
      guest.a.bind(callback);
      guest.powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.DEADLOCK);
    }
  }

  @Test
  void anEventInterruptsARunningGuestAtTheCountWhenItFallsDue() {
    try (MicroGuest guest = new MicroGuest()) {
      Label callback = guest.a.newLabel();
      Label unmasked = guest.a.newLabel();
      withTimer(guest, callback).call(MicroGuest.SET_TIMER_OP, 100_000);
      guest.goTo(unmasked, 0xe030, 0x202, MicroGuest.STACK, 0);
      guest.a.bind(unmasked);
      Label loop = guest.a.here();
      guest.a.jmp(loop).bind(callback);
      guest.powerOff();
      assertThat(guest.run(200_000).kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.machine().virtualNanoseconds()).isBetween(100_000L, 100_020L);
    }
  }

  @Test
  void aGuestHasATickerUntilItStopsIt() {
    try (MicroGuest guest = new MicroGuest()) {
      Label callback = guest.a.newLabel();
      guest.put(20, 0).put(21, 0).call(MicroGuest.EVENT_CHANNEL_OP, 1, MicroGuest.DATA + 160);
      guest.callback(0, 0, callback, 30).call(MicroGuest.SCHED_OP, 1);
      guest.a.bind(callback);
      guest.powerOff();
      guest.run();
      assertThat(guest.machine().virtualNanoseconds()).isBetween(10_000_000L, 10_000_100L);
    }
  }

  @Test
  void pollingEndsAtItsTimeout() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(40, 0).put(41, 0).put(42, DUE).call(MicroGuest.SCHED_OP, 3, MicroGuest.DATA + 320).keep(0).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(0)).isZero();
      assertThat(guest.machine().virtualNanoseconds()).isBetween(DUE, DUE + 100);
    }
  }

  @Test
  void aWatchdogEndsAGuestThatDoesNotFeedIt() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(40, 1L << 32).call(MicroGuest.SCHED_OP, 6, MicroGuest.DATA + 320).keep(0).call(MicroGuest.SCHED_OP, 1);
      assertThat(guest.run().reason()).contains("watchdog");
      assertThat(guest.word(0)).isEqualTo(1);
      assertThat(guest.machine().virtualNanoseconds()).isBetween(1_000_000_000L, 1_000_000_200L);
    }
  }

  @Test
  void systemTimeIsTheTimeStampCounter() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.powerOff();
      guest.run();
      long pa = guest.vcpu().vcpuInfoPa + Vcpu.TIME;
      var memory = guest.machine().xen().memory;
      assertThat(memory.readInt(pa)).isEqualTo(2);
      long tsc = 123_456_789;
      long delta = tsc - memory.readLong(pa + 8);
      long scaled = Math.unsignedMultiplyHigh(delta << memory.readByte(pa + 28) << 32, Integer.toUnsignedLong(memory.readInt(pa + 24)));
      assertThat(memory.readLong(pa + 16) + scaled).isEqualTo(tsc);
      long shared = guest.machine().domain().sharedInfoPa();
      assertThat(memory.readInt(shared + 3076) & 0xffff_ffffL).isEqualTo(TimeKeeper.EPOCH);
    }
  }

  @Test
  void runStateTimesAddUpToTheTimeSinceTheStart() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(40, 0).put(41, 0).put(42, DUE).call(MicroGuest.SCHED_OP, 3, MicroGuest.DATA + 320);
      guest.call(MicroGuest.VCPU_OP, 4, 0, MicroGuest.DATA + 8 * 50);
      guest.a.emit(Mnemonic.RDTSC);
      guest.keep(60, Assembler.RAX).powerOff();
      guest.run();
      assertThat(guest.word(50)).isZero();
      long sum = guest.word(52) + guest.word(53) + guest.word(54) + guest.word(55);
      assertThat(guest.word(60) - sum).isBetween(0L, 10L);
      assertThat(guest.word(54)).isBetween(DUE - 100, DUE);
    }
  }

  @Test
  void theRunStateIsWrittenAcrossPages() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(0, MicroGuest.DATA + 0xff0).call(MicroGuest.VCPU_OP, 5, 0, MicroGuest.DATA);
      guest.put(40, 0).put(41, 0).put(42, DUE).call(MicroGuest.SCHED_OP, 3, MicroGuest.DATA + 320);
      guest.powerOff();
      guest.run();
      assertThat(guest.word(514)).as("time blocked").isBetween(DUE - 100, DUE);
      assertThat(guest.word(511)).as("when it ran again").isGreaterThanOrEqualTo(DUE);
    }
  }
}
