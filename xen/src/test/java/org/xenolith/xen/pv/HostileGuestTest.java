package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Vcpu;

/** Whatever a guest does, the worst is its own end: nothing is thrown, nothing goes on for ever. */
@Timeout(60)
class HostileGuestTest {
  private static final int[] NUMBERS = {
    0, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 18, 19, 21, 23, 24, 25, 28, 29, 30, 31, 32, 33, 34, 35, 36, 40, 41
  };

  private static long number(Random random) {
    return switch (random.nextInt(12)) {
      case 0 -> random.nextLong();
      case 1 -> random.nextInt();
      case 2 -> MicroGuest.DATA + 0x3fe0 + random.nextInt(64);
      case 3 -> 0xffff_8800_0000_0000L + random.nextInt(16) - 8;
      case 4 -> 0x7fff_ffff_fff0L + random.nextInt(32);
      case 5, 6, 7 -> MicroGuest.DATA + random.nextInt(0x4000);
      case 8 -> 0;
      default -> random.nextInt(40);
    };
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void anyHypercallWithAnyArguments(long seed) {
    Random random = new Random(seed);
    try (MicroGuest guest = new MicroGuest().vcpus(2).goOnWithUnknown()) {
      Label loop = guest.a.here();
      guest.a.jmp(loop);
      guest.run(100);
      Domain domain = guest.machine().domain();
      Vcpu vcpu = guest.vcpu();
      long[] args = new long[6];
      long[] p2m = guest.machine().built().p2m();
      for (int n = 0; n < 30_000; n++) {
        for (int k = 0; k < 4; k++) {
          long va = MicroGuest.DATA + 8L * random.nextInt(0x800);
          domain.xen.memory.writeLong((p2m[(int) (va >>> 12)] << 12) + (va & 0xfff), number(random));
        }
        for (int k = 0; k < args.length; k++) {
          args[k] = number(random);
        }
        domain.xen.hypercalls.call(vcpu, NUMBERS[random.nextInt(NUMBERS.length)], args);
        domain.shutdown = Domain.RUNNING;
        vcpu.state = Vcpu.State.RUNNABLE;
        vcpu.rest = null;
        domain.xen.unimplemented = null;
      }
      assertThat(domain.xen.hypercalls.counts()).containsKeys("multicall", "iret", "vcpu_op");
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void anyInstructionsWithHandlersThatGoAnywhere(long seed) {
    Random random = new Random(seed);
    for (int n = 0; n < 25; n++) {
      try (MicroGuest guest = new MicroGuest()) {
        Label target = guest.a.newLabel();
        for (int vector = 0; vector < 20; vector++) {
          guest.handler(vector, random.nextInt(8), target, 1000);
        }
        guest.callback(0, 0, target, 1000).callback(2, 0, target, 1000).userRoot(1000);
        guest.call(MicroGuest.STACK_SWITCH, 0xe02b, MicroGuest.STACK);
        guest.a.bind(target);
        for (int k = 0; k < 200; k++) {
          switch (random.nextInt(8)) {
            case 0 -> guest.a.emit(Mnemonic.SYSCALL);
            case 1 -> guest.a.mov(random.nextInt(16), number(random));
            case 2 -> guest.a.raw(0x0f, random.nextInt(256), random.nextInt(256));
            default -> guest.a.raw(random.nextInt(256));
          }
        }
        RunOutcome outcome = guest.run(20_000);
        assertThat(outcome.reason()).isNotBlank();
        assertThat(guest.machine().virtualNanoseconds()).isLessThan(Long.MAX_VALUE / 2);
      }
    }
  }

  @Test
  void workThatOneHypercallMakesCountsForTheLimit() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.call(MicroGuest.CONSOLE_IO, 0, 64 << 10, MicroGuest.DATA).powerOff();
      guest.run(500);
      assertThat(guest.machine().domain().shutdown).isEqualTo(Domain.RUNNING);
      assertThat(guest.printed().length()).isBetween(32 << 10, 64 << 10);
    }
  }

  @Test
  void aListOfCallsThatNeverEndsMeetsTheLimit() {
    try (MicroGuest guest = new MicroGuest()) {
      // Entries over all of the address space below Xen's: most are not mapped, so the list ends there.
      guest.call(MicroGuest.MULTICALL, 0, (1L << 47) / 64).keep(0).powerOff();
      guest.run(1_000_000);
      assertThat(guest.word(0)).isEqualTo(-14);
    }
  }
}
