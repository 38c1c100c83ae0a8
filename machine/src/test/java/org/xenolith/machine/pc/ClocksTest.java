package org.xenolith.machine.pc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.machine.Ports;

@Timeout(20)
class ClocksTest {
  private static final long MS = 1_000_000;

  private final TestBench pc = new TestBench();

  // ---- 8254 ----

  private void program(int counter, int mode, int count) {
    pc.out(0x43, counter << 6 | 0x30 | mode << 1);
    pc.out(0x40 + counter, count & 0xff);
    pc.out(0x40 + counter, count >> 8);
  }

  private int counter(int n) {
    pc.out(0x43, n << 6);
    return pc.in(0x40 + n) | pc.in(0x40 + n) << 8;
  }

  @Test
  void aRateGeneratorInterruptsAtItsRate() {
    pc.programPin(2, 0x30);
    program(0, 2, 11_932);
    pc.taken();
    long start = pc.clock.now;
    int taken = 0;
    while (pc.clock.now < start + 1_001 * MS) {
      pc.pass(MS);
      taken += pc.taken().size();
    }
    assertThat(taken).isEqualTo(100);
  }

  @Test
  void aOneShotInterruptsOnce() {
    pc.programPin(2, 0x30);
    program(0, 0, 1_193);
    pc.pass(990_000);
    assertThat(pc.taken()).isEmpty();
    pc.pass(20_000);
    assertThat(pc.taken()).containsExactly(0x30);
    pc.pass(200 * MS);
    assertThat(pc.taken()).isEmpty();
  }

  @Test
  void counterTwoRunsByItsGateAndShowsItsOutput() {
    pc.out(0x61, pc.in(0x61) & ~2 | 1);
    program(2, 0, 0xffff);
    pc.pass(10 * MS);
    assertThat(0xffff - counter(2)).isCloseTo(11_932, within(10));
    assertThat(pc.in(0x61) & 0x20).isZero();
    pc.pass(50 * MS);
    assertThat(pc.in(0x61) & 0x20).isEqualTo(0x20);
  }

  @Test
  void aLowGateStopsTheCount() {
    program(2, 0, 0xffff);
    pc.pass(10 * MS);
    assertThat(counter(2)).isEqualTo(0xffff);
    pc.out(0x61, 1);
    pc.pass(10 * MS);
    pc.out(0x61, 0);
    int count = counter(2);
    pc.pass(10 * MS);
    assertThat(counter(2)).isEqualTo(count);
    pc.out(0x61, 1);
    pc.pass(10 * MS);
    assertThat(count - counter(2)).isCloseTo(11_932, within(10));
  }

  @Test
  void aSquareWaveCountsByTwo() {
    program(0, 3, 0);
    pc.pass(MS);
    assertThat(0x1_0000 - counter(0)).isCloseTo(2 * 1_193, within(20));
    assertThat(counter(0) & 1).isZero();
  }

  @Test
  void theStatusTellsModeAndOutput() {
    program(1, 2, 1_000);
    pc.out(0x43, 0xe4);
    assertThat(pc.in(0x41) & 0x7f).isEqualTo(0x34);
    pc.out(0x43, 0xb0);
    pc.out(0x43, 0xe8);
    assertThat(pc.in(0x42)).isEqualTo(0x70);
  }

  @Test
  void decimalCountsAreDecimal() {
    pc.out(0x43, 0x31);
    pc.out(0x40, 0x00);
    pc.out(0x40, 0x50);
    pc.pass(MS);
    int count = counter(0);
    assertThat(Integer.parseInt(Integer.toHexString(count))).isCloseTo(5_000 - 1_193, within(10));
  }

  // ---- The clock of the CMOS ----

  private int cmos(int register) {
    pc.out(0x70, register);
    return pc.in(0x71);
  }

  private void cmos(int register, int value) {
    pc.out(0x70, register);
    pc.out(0x71, value);
  }

  private String time() {
    return "%02x%02x-%02x-%02x %02x:%02x:%02x".formatted(cmos(0x32), cmos(9), cmos(8), cmos(7), cmos(4), cmos(2), cmos(0));
  }

  @Test
  void timeBeginsWithTheYear() {
    assertThat(time()).isEqualTo("2026-01-01 00:00:00");
    assertThat(cmos(6)).isEqualTo(5);
    pc.pass(86_400_000 * MS + 3_723_000 * MS);
    assertThat(time()).isEqualTo("2026-01-02 01:02:03");
    cmos(11, 0);
    assertThat(cmos(4)).isEqualTo(1);
    pc.pass(12 * 3_600_000 * MS);
    assertThat(cmos(4)).isEqualTo(0x81);
    cmos(11, 6);
    assertThat(cmos(4)).isEqualTo(13);
  }

  @Test
  void anUpdateIsAnnouncedShortlyBefore() {
    pc.pass(999 * MS + 800_000);
    assertThat(cmos(10)).isEqualTo(0xa6);
    pc.pass(MS);
    assertThat(cmos(10)).isEqualTo(0x26);
    assertThat(cmos(0)).isEqualTo(1);
  }

  @Test
  void timeCanBeSet() {
    cmos(11, 0x82);
    int[][] values = {{0x32, 0x19}, {9, 0x99}, {8, 0x12}, {7, 0x31}, {4, 0x23}, {2, 0x59}, {0, 0x58}};
    for (int[] value : values) {
      cmos(value[0], value[1]);
    }
    pc.pass(5_000 * MS);
    assertThat(time()).isEqualTo("1999-12-31 23:59:58");
    cmos(11, 2);
    pc.pass(1_500 * MS);
    assertThat(time()).isEqualTo("1999-12-31 23:59:59");
    pc.pass(1_000 * MS);
    assertThat(time()).isEqualTo("2000-01-01 00:00:00");
  }

  @Test
  void alarmsUpdatesAndPeriodsInterruptUntilTheyAreRead() {
    pc.programPin(8, 0x38);
    cmos(1, 0x03);
    cmos(3, 0xff);
    cmos(5, 0xff);
    cmos(11, 0x22);
    pc.pass(2_900 * MS);
    assertThat(pc.taken()).isEmpty();
    pc.pass(200 * MS);
    assertThat(pc.taken()).containsExactly(0x38);
    assertThat(cmos(12)).isEqualTo(0xf0);
    assertThat(cmos(12)).isZero();
    cmos(11, 0x12);
    pc.pass(1_000 * MS);
    assertThat(pc.taken()).containsExactly(0x38);
    assertThat(cmos(12) & 0x90).isEqualTo(0x90);
    cmos(11, 0x42);
    int periods = 0;
    for (int n = 0; n < 100; n++) {
      pc.pass(MS);
      if (!pc.taken().isEmpty()) {
        periods++;
        assertThat(cmos(12) & 0xc0).isEqualTo(0xc0);
      }
    }
    assertThat(periods).isCloseTo(100, within(5));
  }

  @Test
  void theSizeOfMemoryIsTold() {
    assertThat(cmos(0x34) | cmos(0x35) << 8).isEqualTo((512 - 16) * 16);
    assertThat(cmos(0x15) | cmos(0x16) << 8).isEqualTo(640);
    cmos(0x40, 0x5a);
    assertThat(cmos(0x40)).isEqualTo(0x5a);
  }

  // ---- The power-management timer ----

  @Test
  void thePowerManagementTimerCounts() {
    long first = pc.in(0x608, 4);
    pc.pass(1_000 * MS);
    assertThat(pc.in(0x608, 4) - first).isCloseTo(3_579_545, within(10L));
    assertThat(pc.in(0x60a, 2)).isEqualTo(pc.in(0x608, 4) >>> 16);
  }

  @Test
  void itsHighestBitInterruptsWhenItChanges() {
    pc.programPin(9, 0x8039);
    pc.out(0x602, 2, 1);
    pc.pass(599_900 * MS);
    assertThat(pc.line).isFalse();
    pc.pass(100 * MS);
    assertThat(pc.apic.acknowledge()).isEqualTo(0x39);
    assertThat(pc.in(0x600, 2)).isEqualTo(1);
    pc.out(0x600, 2, 1);
    pc.apic.write(0xfee0_00b0L, 4, 0);
    assertThat(pc.in(0x600, 4)).isEqualTo(0x1_0000);
    assertThat(pc.line).isFalse();
  }

  @Test
  void portsTakeTime() {
    long before = pc.clock.now;
    pc.in(0x80);
    assertThat(pc.clock.now - before).isEqualTo(Ports.ACCESS_COUNTS);
  }
}
