package org.xenolith.cpu;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/**
 * An access of Java's to guest memory. Why it matters: a quarter of a kernel's instructions have a memory operand; a hit must cost next to
 * nothing, and a boot misses more than half a million times.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class TlbBenchmark {
  private final Machine machine = TwiceMapped.machine();
  private final Mmu mmu = machine.cpu.mmu;
  private int n;

  /** One of 64 pages in turn. */
  private long next() {
    return Machine.DATA + ((long) (n++ & 63) << 12);
  }

  @Benchmark
  public long hitRead() {
    return mmu.read64(next());
  }

  @Benchmark
  public void hitWrite() {
    mmu.write64(next(), n);
  }

  /** Two addresses that drive each other out of the TLB: a walk of one stage and a new entry for each access. */
  @Benchmark
  public long missRead() {
    return mmu.read64(Machine.DATA + (n++ & 1) * TwiceMapped.APART);
  }

  @Benchmark
  public void missWrite() {
    mmu.write64(Machine.DATA + (n++ & 1) * TwiceMapped.APART, n);
  }
}
