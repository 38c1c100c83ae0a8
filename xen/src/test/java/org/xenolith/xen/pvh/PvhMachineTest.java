package org.xenolith.xen.pvh;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Cpu;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Errno;

class PvhMachineTest {
  private static final long A = TinyContainer.ARGUMENTS;

  @Test
  void aGuestPrintsAndPowersOff() {
    try (TinyContainer guest = new TinyContainer()) {
      guest.put(A, 0x0a6948).call(TinyContainer.CONSOLE_IO, 0, 3, A).powerOff();
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
      assertThat(guest.printed()).isEqualTo("Hi\n");
      assertThat(guest.machine().exits()).containsEntry("hypercall", 2L);
    }
  }

  @Test
  void aGuestThatHaltsWithInterruptsDisabledPowersOff() {
    try (TinyContainer guest = new TinyContainer()) {
      guest.code(0xf4);
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
    }
  }

  @Test
  void portE9Prints() {
    try (TinyContainer guest = new TinyContainer()) {
      guest.mov(0, 'x').code(0xe6, 0xe9).mov(0, '\n').code(0xe6, 0xe9, 0xf4);
      guest.run();
      assertThat(guest.printed()).isEqualTo("x\n");
      assertThat(guest.machine().exits()).containsEntry("io", 2L);
    }
  }

  @Test
  void theHypercallPageHasStubs() {
    try (TinyContainer guest = new TinyContainer()) {
      guest.mov(1, 0x40000000).mov(2, 0).mov(0, 0x1a0000).code(0x0f, 0x30).code(0xf4);
      guest.run();
      assertThat(guest.read(0x1a0000 + 12 * 32)).isEqualTo(0x0fd9_010f_0000_000cL << 8 & -1L | 0xb8 & 0xffL);
      assertThat(guest.word(0x1a0000 + 23 * 32) & 0xffff).isEqualTo(0x0b0f);
    }
  }

  @Test
  void theHypervisorNamesItself() {
    try (TinyContainer guest = new TinyContainer()) {
      guest.mov(0, 0x40000000).code(0x0f, 0xa2, 0x89, 0xd8).keep(A).mov(0, 0x40000004).mov(1, 0).code(0x0f, 0xa2).keep(A + 4).code(0xf4);
      guest.run();
      assertThat(guest.word(A)).isEqualTo(0x566e6558);
      assertThat(guest.word(A + 4)).isEqualTo(0x5c);
      assertThat(guest.machine().exits()).containsEntry("cpuid", 2L);
    }
  }

  @Test
  void cpuidFaultsOutsideRing0WhereTheKernelAsksForIt() {
    try (TinyContainer guest = new TinyContainer()) {
      guest.mov(1, 0xce).code(0x0f, 0x32).keep(A);
      guest.mov(1, 0x140).mov(0, 1).mov(2, 0).code(0x0f, 0x30).mov(0, 0).mov(1, 0x140).code(0x0f, 0x32).keep(A + 4);
      guest.mov(0, 0x40000000).code(0x0f, 0xa2, 0x89, 0xd8).keep(A + 8).code(0xf4);
      guest.run();
      Cpu cpu = guest.machine().domain().vcpus.getFirst().cpu;
      assertThat(guest.word(A)).isEqualTo(1 << 31);
      assertThat(guest.word(A + 4)).isEqualTo(1);
      assertThat(guest.word(A + 8)).isEqualTo(0x566e6558);
      assertThat(cpu.cpuidFaults).isTrue();
    }
  }

  @Test
  void otherFeaturesOfThatRegisterDoNotExist() {
    try (TinyContainer guest = new TinyContainer()) {
      guest.mov(1, 0x140).mov(0, 2).mov(2, 0).code(0x0f, 0x30).powerOff();
      // #GP without a handler: a triple fault.
      assertThat(guest.run().kind()).isNotEqualTo(RunOutcome.Kind.POWEROFF);
      assertThat(guest.machine().domain().vcpus.getFirst().cpu.cpuidFaults).isFalse();
    }
  }

  @Test
  void registersThatXenDoesNotAnswerForReadAsZeroWhereTheConfigurationIsRelaxed() {
    for (boolean relaxed : new boolean[] {false, true}) {
      try (TinyContainer guest = relaxed ? new TinyContainer().msrRelaxed() : new TinyContainer()) {
        // An IORR: written, then read.
        guest.mov(1, 0xc0010016).mov(0, 0x1000).mov(2, 0).code(0x0f, 0x30, 0x0f, 0x32).keep(A).powerOff();
        assertThat(guest.run().kind() == RunOutcome.Kind.POWEROFF).isEqualTo(relaxed);
        assertThat(guest.word(A) == 0).isEqualTo(relaxed);
      }
    }
  }

  @Test
  void theRecordOfBranchesIsKeptForTheKernelThoughNoneIsRecorded() {
    try (TinyContainer guest = new TinyContainer()) {
      guest.mov(1, 0x1d9).code(0x0f, 0x32).keep(A);
      guest.mov(0, 1).mov(2, 0).code(0x0f, 0x30).mov(0, 0).code(0x0f, 0x32).keep(A + 4);
      guest.mov(1, 0x1db).code(0x0f, 0x32).keep(A + 8).powerOff();
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
      assertThat(guest.word(A)).isZero();
      assertThat(guest.word(A + 4)).isEqualTo(1);
      assertThat(guest.word(A + 8)).isZero();
    }
  }

  @Test
  void equalRunsHaveEqualDigestsAndAnotherSeedAnotherOne() {
    String[] digests = new String[3];
    for (int n = 0; n < 3; n++) {
      try (TinyContainer guest = new TinyContainer().seed(n / 2)) {
        guest.put(A, 0x0a6948).call(TinyContainer.CONSOLE_IO, 0, 3, A).powerOff().run();
        digests[n] = guest.machine().digest();
      }
    }
    assertThat(digests[1]).isEqualTo(digests[0]);
    assertThat(digests[2]).isNotEqualTo(digests[0]);
  }

  @Test
  void narrowCodeIsAnsweredWhereItsStructuresAreTheSameAndStopsTheRunWhereNot() {
    try (TinyContainer guest = new TinyContainer()) {
      guest.call(TinyContainer.MEMORY_OP, 2).keep(A).call(0, A).keep(A + 4).call(TinyContainer.MEMORY_OP, 7, A);
      RunOutcome outcome = guest.run();
      assertThat(guest.word(A)).isEqualTo((int) guest.machine().memory().frames());
      assertThat(guest.word(A + 4)).isEqualTo(-Errno.ENOSYS);
      assertThat(outcome.kind()).isEqualTo(RunOutcome.Kind.UNIMPLEMENTED);
      assertThat(outcome.reason()).contains("memory_op 7").contains("32-bit");
    }
  }
}
