package org.xenolith.machine.apic;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.cpu.Clock;
import org.xenolith.machine.EventQueue;

@Timeout(20)
class LocalApicTest {
  private static final long BASE = LocalApic.DEFAULT_BASE;
  private static final int ENABLED = 0xc00;

  private final Clock clock = new Clock();
  private final EventQueue events = new EventQueue();
  private final ApicBus bus = new ApicBus();
  private final List<String> log = new ArrayList<>();

  /** A processor that writes down what it is told. */
  private final class Core implements LocalApic.Core {
    final int id;
    final LocalApic apic;
    boolean line;
    long tscOffset;

    Core(int id) {
      this.id = id;
      apic = new LocalApic(id, clock, events, bus, this, 40);
    }

    Core enabled() {
      write(0xf0, 0x1ff);
      return this;
    }

    void write(int offset, int value) {
      apic.write(BASE + offset, 4, value & 0xffff_ffffL);
    }

    int read(int offset) {
      return (int) apic.read(BASE + offset, 4);
    }

    boolean msr(int msr, long value) {
      return apic.writeMsr(msr, value);
    }

    long msr(int msr) {
      long[] value = new long[1];
      assertThat(apic.readMsr(msr, value)).isTrue();
      return value[0];
    }

    @Override
    public void interrupt(boolean asserted) {
      line = asserted;
    }

    @Override
    public void nmi() {
      log.add("nmi " + id);
    }

    @Override
    public void init() {
      log.add("init " + id);
    }

    @Override
    public void startup(int vector) {
      log.add("startup " + id + " " + vector);
    }

    @Override
    public long tscOffset() {
      return tscOffset;
    }
  }

  private void advance(long counts) {
    long end = clock.now + counts;
    while (events.next() <= end) {
      clock.now = Math.max(clock.now, events.next());
      events.runUntil(clock.now);
    }
    clock.now = end;
  }

  // ---- Registers ----

  @Test
  void resetStateIsTheManuals() {
    Core core = new Core(3);
    assertThat(core.read(0x20)).isEqualTo(3 << 24);
    assertThat(core.read(0x30)).isEqualTo(0x5_0014);
    assertThat(core.read(0xe0)).isEqualTo(-1);
    assertThat(core.read(0xf0)).isEqualTo(0xff);
    assertThat(core.read(0x320)).isEqualTo(0x1_0000);
    assertThat(core.read(0x370)).isEqualTo(0x1_0000);
    assertThat(core.msr(0x1b)).isEqualTo(0xfee0_0800L);
    assertThat(new Core(0).msr(0x1b)).isEqualTo(0xfee0_0900L);
  }

  @Test
  void itsRegistersMoveWithItsBase() {
    Core core = new Core(0);
    assertThat(core.apic.covers(BASE + 0x20)).isTrue();
    assertThat(core.msr(0x1b, 0xfec1_0900L)).isTrue();
    assertThat(core.apic.covers(BASE + 0x20)).isFalse();
    assertThat(core.apic.covers(0xfec1_0020L)).isTrue();
    assertThat(core.msr(0x1b, 1L << 40 | 0x900)).isFalse();
    assertThat(core.msr(0x1b, 0xfee0_0100L)).isTrue();
    assertThat(core.apic.enabled()).isFalse();
    assertThat(core.apic.covers(BASE)).isFalse();
  }

  @Test
  void narrowReadsSeeBytesAndNarrowWritesAreIgnored() {
    Core core = new Core(5);
    assertThat(core.apic.read(BASE + 0x23, 1)).isEqualTo(5);
    assertThat(core.apic.read(BASE + 0x24, 4)).isZero();
    core.apic.write(BASE + 0x80, 1, 0x20);
    assertThat(core.read(0x80)).isZero();
  }

  @Test
  void localVectorsStayMaskedWhileItIsDisabled() {
    Core core = new Core(0);
    core.write(0x320, 0x30);
    assertThat(core.read(0x320)).isEqualTo(0x1_0030);
    core.enabled();
    core.write(0x320, 0x30);
    assertThat(core.read(0x320)).isEqualTo(0x30);
    core.write(0xf0, 0xff);
    assertThat(core.read(0x320)).isEqualTo(0x1_0030);
  }

  // ---- Interrupts and priorities ----

  @Test
  void theHighestVectorComesFirstAndBlocksItsClassUntilItsEnd() {
    Core core = new Core(0).enabled();
    bus.send(false, 0, ApicBus.FIXED, 0x41, false);
    bus.send(false, 0, ApicBus.FIXED, 0x52, false);
    bus.send(false, 0, ApicBus.FIXED, 0x51, false);
    assertThat(core.line).isTrue();
    assertThat(core.apic.acknowledge()).isEqualTo(0x52);
    assertThat(core.line).isFalse();
    assertThat(core.read(0xa0)).isEqualTo(0x50);
    assertThat(core.read(0x120)).isEqualTo(1 << 0x12);
    assertThat(core.read(0x220)).isEqualTo(1 << 0x11 | 1 << 1);
    core.write(0xb0, 0);
    assertThat(core.apic.acknowledge()).isEqualTo(0x51);
    core.write(0xb0, 0);
    assertThat(core.apic.acknowledge()).isEqualTo(0x41);
    core.write(0xb0, 0);
    assertThat(core.line).isFalse();
  }

  @Test
  void taskPriorityHoldsInterruptsBack() {
    Core core = new Core(0).enabled();
    core.apic.setTaskPriority(4);
    assertThat(core.read(0x80)).isEqualTo(0x40);
    bus.send(false, 0, ApicBus.FIXED, 0x4f, false);
    assertThat(core.line).isFalse();
    core.write(0x80, 0x3f);
    assertThat(core.line).isTrue();
    assertThat(core.apic.taskPriority()).isEqualTo(3);
  }

  @Test
  void anInterruptThatWentAwayIsSpurious() {
    Core core = new Core(0).enabled();
    bus.send(false, 0, ApicBus.FIXED, 0x30, false);
    core.write(0x80, 0xf0);
    assertThat(core.apic.acknowledge()).isEqualTo(0xff);
    assertThat(core.read(0x210)).isEqualTo(1 << 0x10);
  }

  @Test
  void theEndOfALevelTriggeredInterruptIsBroadcast() {
    List<Integer> ended = new ArrayList<>();
    bus.onEnd(ended::add);
    Core core = new Core(0).enabled();
    bus.send(false, 0, ApicBus.FIXED, 0x30, true);
    bus.send(false, 0, ApicBus.FIXED, 0x40, false);
    core.apic.acknowledge();
    core.write(0xb0, 0);
    assertThat(ended).isEmpty();
    core.apic.acknowledge();
    core.write(0xb0, 0);
    assertThat(ended).containsExactly(0x30);
  }

  @Test
  void theEightyTwoFiftyNineComesThroughLint0() {
    Core core = new Core(0);
    bus.external(() -> 0x21);
    bus.external(true);
    assertThat(core.line).isFalse();
    core.apic.virtualWire();
    assertThat(core.line).isTrue();
    assertThat(core.apic.acknowledge()).isEqualTo(0x21);
    bus.external(false);
    assertThat(core.line).isFalse();
  }

  @Test
  void aDisabledLocalApicPassesTheEightyTwoFiftyNineOn() {
    Core core = new Core(0);
    core.msr(0x1b, 0xfee0_0100L);
    bus.external(() -> 0x20);
    bus.external(true);
    assertThat(core.line).isTrue();
    assertThat(core.apic.acknowledge()).isEqualTo(0x20);
  }

  // ---- Messages ----

  @Test
  void messagesReachWhomTheyAddress() {
    Core[] cores = {new Core(0).enabled(), new Core(1).enabled(), new Core(2).enabled()};
    for (Core core : cores) {
      core.write(0xd0, 1 << 24 + core.id);
    }
    cores[0].write(0x310, 2 << 24);
    cores[0].write(0x300, 0x31);
    assertThat(lines(cores)).isEqualTo("--i");
    cores[0].write(0x310, 3 << 24);
    cores[0].write(0x300, 0x832);
    assertThat(lines(cores)).isEqualTo("iii");
    acknowledgeAll(cores);
    cores[1].write(0x300, 0xc_0033);
    assertThat(lines(cores)).isEqualTo("i-i");
    acknowledgeAll(cores);
    cores[1].write(0x300, 0x8_0034);
    assertThat(lines(cores)).isEqualTo("iii");
    acknowledgeAll(cores);
    cores[1].write(0x300, 0x4_0035);
    assertThat(lines(cores)).isEqualTo("-i-");
  }

  private static String lines(Core... cores) {
    StringBuilder text = new StringBuilder();
    for (Core core : cores) {
      text.append(core.line ? 'i' : '-');
    }
    return text.toString();
  }

  private static void acknowledgeAll(Core... cores) {
    for (Core core : cores) {
      while (core.line) {
        core.apic.acknowledge();
        core.write(0xb0, 0);
      }
    }
  }

  @Test
  void clusterAddressesSelectAClusterAndItsMembers() {
    Core[] cores = {new Core(0).enabled(), new Core(1).enabled()};
    cores[0].write(0xe0, 0x0fff_ffff);
    cores[1].write(0xe0, 0x0fff_ffff);
    cores[0].write(0xd0, 0x11 << 24);
    cores[1].write(0xd0, 0x22 << 24);
    bus.send(true, 0x23, ApicBus.FIXED, 0x40, false);
    assertThat(lines(cores)).isEqualTo("-i");
    bus.send(true, 0xf1, ApicBus.FIXED, 0x40, false);
    assertThat(lines(cores)).isEqualTo("ii");
  }

  @Test
  void lowestPriorityReachesOneOnly() {
    Core[] cores = {new Core(0).enabled(), new Core(1).enabled(), new Core(2)};
    cores[0].write(0x80, 0x20);
    bus.send(false, ApicBus.EVERYBODY, ApicBus.LOWEST_PRIORITY, 0x40, false);
    assertThat(lines(cores)).isEqualTo("-i-");
  }

  @Test
  void initAndStartupReachAlsoDisabledOnes() {
    Core boot = new Core(0).enabled();
    new Core(1);
    boot.write(0x310, 1 << 24);
    boot.write(0x300, 0xc500);
    boot.write(0x300, 0x8500);
    boot.write(0x300, 0x69a);
    boot.write(0x300, 0x400);
    assertThat(log).containsExactly("init 1", "startup 1 154", "nmi 1");
  }

  @Test
  void illegalVectorsAreErrors() {
    Core core = new Core(0).enabled();
    core.write(0x370, 0xfe);
    core.write(0x300, 0x4_000f);
    assertThat(core.apic.acknowledge()).isEqualTo(0xfe);
    assertThat(core.read(0x280)).isZero();
    core.write(0x280, 0);
    assertThat(core.read(0x280)).isEqualTo(0x20);
    core.write(0x280, 0);
    assertThat(core.read(0x280)).isZero();
  }

  // ---- Extended mode ----

  @Test
  void whatIsPendedBeforeSoftwareEnablesItIsLost() {
    Core core = new Core(0);
    core.apic.pend(0xf3);
    core.enabled();
    assertThat(core.line).isFalse();

    core.apic.pend(0xf3);
    assertThat(core.line).isTrue();
    assertThat(core.apic.acknowledge()).isEqualTo(0xf3);
  }

  @Test
  void extendedModeIsEnteredAndLeftAsTheManualDraws() {
    Core core = new Core(1);
    assertThat(core.msr(0x800 + 0x0f, 0x1ff)).isFalse();
    assertThat(core.msr(0x1b, 0xfee0_0400L)).isFalse();
    assertThat(core.msr(0x1b, 0xfee0_0000L | ENABLED)).isTrue();
    assertThat(core.apic.covers(BASE)).isFalse();
    assertThat(core.msr(0x1b, 0xfee0_0800L)).isFalse();
    assertThat(core.msr(0x1b, 0xfee0_0000L)).isTrue();
    assertThat(core.msr(0x1b, 0xfee0_0000L | ENABLED)).isFalse();
    assertThat(core.msr(0x1b, 0xfee0_0800L)).isTrue();
    assertThat(core.msr(0x1b, 0xfee0_0000L | ENABLED)).isTrue();
  }

  @Test
  void extendedRegistersRefuseReservedBits() {
    Core core = new Core(1);
    core.msr(0x1b, 0xfee0_0000L | ENABLED);
    assertThat(core.msr(0x802)).isEqualTo(1);
    assertThat(core.msr(0x80d)).isEqualTo(2);
    assertThat(core.msr(0x802, 1)).isFalse();
    assertThat(core.msr(0x80b, 1)).isFalse();
    assertThat(core.msr(0x808, 0x100)).isFalse();
    assertThat(core.msr(0x80f, 0x200)).isFalse();
    assertThat(core.msr(0x80e, 0)).isFalse();
    assertThat(core.msr(0x831, 0)).isFalse();
    assertThat(core.msr(0x830, 1L << 20)).isFalse();
    assertThat(core.msr(0x8ff, 0)).isFalse();
    assertThat(core.apic.readMsr(0x80b, new long[1])).isFalse();
    assertThat(core.apic.readMsr(0x80e, new long[1])).isFalse();
  }

  @Test
  void extendedMessagesCarryWideDestinations() {
    Core[] cores = {new Core(0).enabled(), new Core(1).enabled()};
    for (Core core : cores) {
      core.msr(0x1b, 0xfee0_0000L | ENABLED | (core.id == 0 ? 0x100 : 0));
    }
    assertThat(cores[0].msr(0x830, 1L << 32 | 0x40)).isTrue();
    assertThat(lines(cores)).isEqualTo("-i");
    assertThat(cores[1].msr(0x830, 3L << 32 | 0x841)).isTrue();
    assertThat(lines(cores)).isEqualTo("ii");
    assertThat(cores[1].apic.acknowledge()).isEqualTo(0x41);
    assertThat(cores[0].msr(0x83f, 0x55)).isTrue();
    assertThat(cores[0].apic.acknowledge()).isEqualTo(0x55);
    assertThat(cores[0].msr(0x80b, 0)).isTrue();
    assertThat(cores[0].apic.acknowledge()).isEqualTo(0x41);
  }

  // ---- The timer ----

  @Test
  void theTimerCountsDownAndStrikesOnce() {
    Core core = new Core(0).enabled();
    core.write(0x3e0, 0xb);
    core.write(0x320, 0x40);
    core.write(0x380, 1_000);
    advance(400);
    assertThat(core.read(0x390)).isEqualTo(600);
    advance(599);
    assertThat(core.line).isFalse();
    advance(1);
    assertThat(core.apic.acknowledge()).isEqualTo(0x40);
    assertThat(core.read(0x390)).isZero();
    core.write(0xb0, 0);
    advance(10_000);
    assertThat(core.line).isFalse();
  }

  @Test
  void thePeriodicTimerStrikesAgain() {
    Core core = new Core(0).enabled();
    core.write(0x3e0, 0);
    core.write(0x320, 0x2_0040);
    core.write(0x380, 500);
    for (int n = 0; n < 3; n++) {
      advance(999);
      assertThat(core.line).isFalse();
      advance(1);
      assertThat(core.apic.acknowledge()).isEqualTo(0x40);
      core.write(0xb0, 0);
    }
    assertThat(core.read(0x390)).isEqualTo(500);
    core.write(0x380, 0);
    advance(10_000);
    assertThat(core.line).isFalse();
    assertThat(events.next()).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void anotherModeGoesOnCountingButStartsNothing() {
    Core core = new Core(0).enabled();
    core.write(0x3e0, 0xb);
    core.write(0x320, 0x40);
    core.write(0x380, 1_000);
    advance(400);
    core.write(0x320, 0x2_0040);
    assertThat(core.read(0x390)).isEqualTo(600);
    advance(700);
    assertThat(core.apic.acknowledge()).isEqualTo(0x40);
    core.write(0xb0, 0);
    assertThat(core.read(0x390)).isEqualTo(900);
    core.write(0x320, 0x40);
    assertThat(core.read(0x390)).isEqualTo(900);
    advance(1_000);
    assertThat(core.apic.acknowledge()).isEqualTo(0x40);
    core.write(0xb0, 0);
    core.write(0x320, 0x2_0040);
    assertThat(core.read(0x390)).isZero();
    assertThat(core.read(0x380)).isEqualTo(1_000);
    advance(10_000);
    assertThat(core.line).isFalse();
  }

  @Test
  void theDividerScalesTheTimer() {
    Core core = new Core(0).enabled();
    int[] shifts = {1, 2, 3, 4, 5, 6, 7, 0};
    for (int n = 0; n < 8; n++) {
      core.write(0x3e0, n & 3 | (n & 4) << 1);
      core.write(0x380, 1_000_000);
      advance(128 * 1_000);
      assertThat(core.read(0x390)).isEqualTo(1_000_000 - (128_000 >> shifts[n]));
    }
  }

  @Test
  void aPeriodOfOneCountDoesNotHangTheMachine() {
    Core core = new Core(0).enabled();
    core.write(0x3e0, 0xb);
    core.write(0x320, 0x2_0040);
    core.write(0x380, 1);
    clock.now += 1_000_000_000L;
    events.runUntil(clock.now);
    assertThat(core.line).isTrue();
    assertThat(events.next()).isEqualTo(clock.now + 1);
  }

  @Test
  void theDeadlineStrikesAtItsTimeStampAndIsOver() {
    Core core = new Core(0).enabled();
    core.tscOffset = 1_000_000;
    core.msr(0x6e0, 1_000_500);
    assertThat(core.msr(0x6e0)).isZero();
    core.write(0x320, 0x4_0040);
    core.msr(0x6e0, 1_000_500);
    assertThat(core.msr(0x6e0)).isEqualTo(1_000_500);
    advance(499);
    assertThat(core.line).isFalse();
    advance(1);
    assertThat(core.apic.acknowledge()).isEqualTo(0x40);
    assertThat(core.msr(0x6e0)).isZero();
  }

  @Test
  void aPassedDeadlineStrikesAtOnceAndAFarOneNever() {
    Core core = new Core(0).enabled();
    clock.now = 1_000;
    core.write(0x320, 0x4_0040);
    core.msr(0x6e0, 1);
    events.runUntil(clock.now);
    assertThat(core.line).isTrue();
    core.msr(0x6e0, -1L);
    assertThat(events.next()).isEqualTo(Long.MAX_VALUE);
    core.msr(0x6e0, 2_000);
    core.tscOffset = 5_000;
    core.apic.tscMoved();
    events.runUntil(clock.now);
    assertThat(core.msr(0x6e0)).isZero();
  }

  @Test
  void leavingTheDeadlineModeDisarmsIt() {
    Core core = new Core(0).enabled();
    core.write(0x320, 0x4_0040);
    core.msr(0x6e0, 1_000);
    core.write(0x320, 0x40);
    core.write(0x320, 0x4_0040);
    advance(5_000);
    assertThat(core.line).isFalse();
  }

  @Test
  void anythingMayBeWrittenAnywhere() {
    Core core = new Core(0);
    new Core(1);
    Random random = new Random(1);
    int[] sizes = {1, 2, 4, 8};
    for (int n = 0; n < 200_000; n++) {
      long value = random.nextBoolean() ? random.nextLong() : random.nextInt(1 << 20);
      switch (random.nextInt(6)) {
        case 0 -> core.apic.write(BASE + random.nextInt(4096), sizes[random.nextInt(4)], value);
        case 1 -> core.apic.write(BASE + 16 * random.nextInt(64), 4, value);
        case 2 -> core.apic.read(BASE + random.nextInt(4096), sizes[random.nextInt(4)]);
        case 3 -> core.msr(0x800 + random.nextInt(256), value);
        case 4 -> core.msr(random.nextInt(8) == 0 ? 0x1b : 0x6e0, random.nextInt(8) == 0 ? 0xfee0_0900L : value);
        default -> {
          if (core.line) {
            assertThat(core.apic.acknowledge()).isBetween(0, 255);
          }
        }
      }
      clock.now += random.nextInt(100);
      events.runUntil(clock.now);
      core.apic.lint0(random.nextBoolean());
    }
    assertThat(events.next()).isGreaterThan(clock.now);
  }
}
