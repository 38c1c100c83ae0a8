package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Counters of retired instructions. */
class PerformanceCountersTest {
  private static final long USER = 1 << 16, SYSTEM = 1 << 17, INTERRUPT = 1 << 20, ENABLE = 1 << 22;
  private static final String RDPMC = "0f 33";

  private final Machine machine = new Machine().privilege(0);
  private final Cpu cpu = machine.cpu;
  private int overflows;
  private long overflowedAt;

  @BeforeEach
  void platform() {
    cpu.ownsRing0 = true;
    cpu.cpl = 0;
    cpu.platform = new TestPlatform() {
      @Override
      public void counterOverflow() {
        overflows++;
        overflowedAt = machine.clock.now;
      }
    };
    machine.code("90".repeat(100));
  }

  private long read(int counter) {
    long[] value = new long[1];
    assertThat(cpu.msrs.read(PerformanceCounters.COUNTER + counter, value)).isTrue();
    return value[0];
  }

  @Test
  void countInstructionsOfTheModesThatAreAskedFor() {
    cpu.msrs.write(PerformanceCounters.SELECT, ENABLE | SYSTEM | 0xc0);
    cpu.msrs.write(PerformanceCounters.SELECT + 1, ENABLE | USER | SYSTEM | 0x76);
    cpu.msrs.write(PerformanceCounters.COUNTER + 1, 1000);
    machine.step(10);
    cpu.cpl = 3;
    machine.step(7);
    assertThat(read(0)).isEqualTo(10);
    assertThat(read(1)).isEqualTo(1017);
    cpu.msrs.write(PerformanceCounters.SELECT + 1, 0);
    machine.step(5);
    assertThat(read(1)).isEqualTo(1017);
  }

  @Test
  void areReadInTheMiddleOfCodeAndByUserCodeWhereTheSystemAllowsIt() {
    cpu.msrs.write(PerformanceCounters.SELECT, ENABLE | USER | SYSTEM | 0xc0);
    cpu.r[Cpu.RCX] = 0;
    machine.code("90 90 90" + RDPMC).step(4);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(3);
    cpu.cpl = 3;
    machine.code(cpu.rip, RDPMC);
    assertThat(machine.fault().vector()).isEqualTo(Fault.GP);
    cpu.cr4 |= Cpu.CR4_PCE;
    machine.step(1);
    cpu.r[Cpu.RCX] = 4;
    machine.code(cpu.rip, RDPMC);
    assertThat(machine.fault().vector()).isEqualTo(Fault.GP);
  }

  @Test
  void tellOfAnOverflowAtTheInstruction() {
    cpu.msrs.write(PerformanceCounters.COUNTER, (1L << 48) - 20);
    cpu.msrs.write(PerformanceCounters.SELECT, ENABLE | INTERRUPT | SYSTEM | 0x76);
    long end = machine.clock.now + 50;
    assertThat(cpu.run(end)).isEqualTo(new Exit.Budget());
    assertThat(machine.clock.now).isEqualTo(20);
    assertThat(overflows).isZero();
    cpu.run(end);
    assertThat(overflows).isEqualTo(1);
    assertThat(machine.clock.now).isEqualTo(50);
    assertThat(read(0)).isEqualTo(30);
  }

  @Test
  void eventsThatAreNotCountedAreUnknown() {
    cpu.r[Cpu.RCX] = PerformanceCounters.SELECT;
    cpu.r[Cpu.RAX] = ENABLE | USER | 0xc4;
    cpu.r[Cpu.RDX] = 0;
    machine.code("0f 30");
    assertThat(machine.run(1)).isInstanceOf(Exit.Unimplemented.class);
    cpu.r[Cpu.RAX] = ENABLE | USER | 1 << 18 | 0xc0;
    assertThat(machine.run(1)).isInstanceOf(Exit.Unimplemented.class);
  }

  @Test
  void countClocksWithAsManyEventsAsTheThreshold() {
    long invert = 1 << 23;
    long instructions = ENABLE | SYSTEM | 0xc0;
    cpu.msrs.write(PerformanceCounters.SELECT, instructions | 1 << 24);
    cpu.msrs.write(PerformanceCounters.SELECT + 1, instructions | 2 << 24);
    cpu.msrs.write(PerformanceCounters.SELECT + 2, instructions | 2 << 24 | invert);
    cpu.msrs.write(PerformanceCounters.SELECT + 3, instructions | 1 << 24 | invert);
    machine.step(10);
    assertThat(new long[] {read(0), read(1), read(2), read(3)}).containsExactly(10, 0, 10, 0);
  }

  @Test
  void countBranchesOneByOneWhateverTheEngine() {
    int[] blocks = new int[1];
    cpu.engine = (c, b, until) -> {
      blocks[0]++;
      return false;
    };
    cpu.r[Cpu.RCX] = 10;
    // 1: nop; loop 1b; jmp +0; call +0; cmp eax, eax; jne +0
    machine.code("90 e2 fd eb 00 e8 00 00 00 00 39 c0 75 00" + "90".repeat(20));
    cpu.msrs.write(PerformanceCounters.SELECT, ENABLE | SYSTEM | 0xc2);
    cpu.msrs.write(PerformanceCounters.SELECT + 1, ENABLE | USER | 0xc2);
    cpu.msrs.write(PerformanceCounters.SELECT + 2, ENABLE | USER | SYSTEM | 0xc3);
    machine.step(30);
    assertThat(read(0)).isEqualTo(13);
    assertThat(read(1)).isZero();
    assertThat(read(2)).isZero();
    cpu.cpl = 3;
    cpu.rip = Machine.CODE;
    cpu.r[Cpu.RCX] = 5;
    machine.step(30);
    assertThat(read(0)).isEqualTo(13);
    assertThat(read(1)).isEqualTo(8);
    assertThat(blocks[0]).isZero();
    cpu.msrs.write(PerformanceCounters.SELECT, 0);
    cpu.msrs.write(PerformanceCounters.SELECT + 1, 0);
    cpu.rip = Machine.CODE;
    cpu.r[Cpu.RCX] = 5;
    machine.step(13);
    assertThat(read(0)).isEqualTo(13);
    assertThat(read(1)).isEqualTo(8);
    assertThat(blocks[0]).isPositive();
  }

  @Test
  void interruptAtTheBranchThatOverflows() {
    cpu.r[Cpu.RCX] = 100;
    machine.code("90 90 90 e2 fb" + "90".repeat(20));
    cpu.msrs.write(PerformanceCounters.COUNTER, (1L << 48) - 3);
    cpu.msrs.write(PerformanceCounters.SELECT, ENABLE | INTERRUPT | SYSTEM | 0xc2);
    while (overflows == 0) {
      cpu.run(1000);
    }
    assertThat(overflowedAt).isEqualTo(12);
  }
}
