package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome.Kind;
import org.xenolith.xen.Domain;

class PvMachineTest {
  @Test
  void aGuestPrintsAndPowersOff() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.print("hello\n").powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.printed()).isEqualTo("hello\n");
      assertThat(guest.machine().hypercalls()).containsEntry("console_io", 1L).containsEntry("sched_op", 1L).hasSize(2);
      assertThat(guest.machine().exits()).containsEntry("hypercall", 2L);
    }
  }

  @Test
  void reasonsOfAShutdownBecomeOutcomes() {
    assertThat(shutdown(Domain.SHUTDOWN_REBOOT)).isEqualTo(Kind.REBOOT);
    assertThat(shutdown(Domain.SHUTDOWN_SUSPEND)).isEqualTo(Kind.SUSPEND);
    assertThat(shutdown(Domain.SHUTDOWN_CRASH)).isEqualTo(Kind.CRASH);
    assertThat(shutdown(Domain.SHUTDOWN_WATCHDOG)).isEqualTo(Kind.CRASH);
  }

  private static Kind shutdown(int reason) {
    try (MicroGuest guest = new MicroGuest()) {
      guest.shutdown(reason);
      return guest.run().kind();
    }
  }

  @Test
  void equalRunsHaveEqualDigestsAndAChangedByteChangesThem() {
    String first = digest("hello", 0);
    assertThat(digest("hello", 0)).isEqualTo(first);
    assertThat(digest("hellp", 0)).isNotEqualTo(first);
    assertThat(digest("hello", 1)).isNotEqualTo(first);
  }

  private static String digest(String text, long data) {
    try (MicroGuest guest = new MicroGuest()) {
      guest.print(text).put(0, data).powerOff();
      guest.run();
      return guest.machine().digest();
    }
  }

  @Test
  void anEndlessLoopEndsAtTheLimit() {
    try (MicroGuest guest = new MicroGuest()) {
      Label loop = guest.a.here();
      guest.a.jmp(loop);
      assertThat(guest.run(100_000).kind()).isEqualTo(Kind.LIMIT);
      assertThat(guest.machine().instructions()).isEqualTo(100_000);
    }
  }

  @Test
  void anEndlessFaultEndsAtTheLimit() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(6, 0, handler, 10);
      guest.a.emit(Mnemonic.UD2);
      guest.a.bind(handler);
      guest.goBack();
      assertThat(guest.run(50_000).kind()).isEqualTo(Kind.LIMIT);
      assertThat(guest.machine().faults().get(6)).isGreaterThan(4_000);
    }
  }

  @Test
  void aGuestThatWaitsForNothingIsADeadlock() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.call(MicroGuest.SCHED_OP, 1).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.DEADLOCK);
    }
  }

  @Test
  void somethingUnknownStopsTheRunAndNamesItself() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.call(31, 3).powerOff();
      assertThat(guest.run()).satisfies(
          o -> {
            assertThat(o.kind()).isEqualTo(Kind.UNIMPLEMENTED);
            assertThat(o.reason()).contains("xenoprof_op 3");
          });
    }
    try (MicroGuest guest = new MicroGuest().goOnWithUnknown()) {
      guest.call(31, 3).keep(0).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(0)).isEqualTo(-38);
    }
  }

  @Test
  void numbersWithoutAHandlerAreNotImplementedInXenEither() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.call(38).keep(0).call(39).keep(1).call(63).keep(2).call(4711).keep(3).powerOff();
      guest.run();
      assertThat(new long[] {guest.word(0), guest.word(1), guest.word(2), guest.word(3)}).containsOnly(-38);
    }
  }
}
