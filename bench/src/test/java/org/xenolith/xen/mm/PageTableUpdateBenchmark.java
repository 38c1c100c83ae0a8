package org.xenolith.xen.mm;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/**
 * mmu_update of entries of a last-level table, as Xen does it: the request read from the guest, the frame found, its type and counts
 * checked and changed, the entry written. Why it matters: it is what paravirtual fork and exec are made of.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class PageTableUpdateBenchmark {
  private static final int MMU_UPDATE = 1, BATCH = 32;

  /** A request is two words. */
  private static final int REQUEST = 16;

  private final SmallDomain small = new SmallDomain();

  /** Arguments of the calls: each pair makes a change and undoes it. */
  private final long[][] one = new long[2][], protect = new long[2][], batch = new long[2][];

  private int n;

  public PageTableUpdateBenchmark() {
    long at = SmallDomain.va(SmallDomain.ARGUMENTS);
    for (int side = 0; side < 2; side++) {
      one[side] = new long[] {at, 1, 0, SmallDomain.SELF, 0};
      at = request(at, 0, 1 + side, SmallDomain.PAGE);
      protect[side] = new long[] {at, 1, 0, SmallDomain.SELF, 0};
      at = request(at, 4, 4, side == 0 ? SmallDomain.READ_ONLY : SmallDomain.PAGE);
      batch[side] = new long[] {at, BATCH, 0, SmallDomain.SELF, 0};
      for (int k = 0; k < BATCH; k++) {
        at = request(at, 8 + k, 8 + (k + side) % BATCH, SmallDomain.PAGE);
      }
    }
    for (long[][] calls : new long[][][] {one, protect, batch}) {
      for (int side = 0; side < 2; side++) {
        if (call(calls[side]) != 0) {
          throw new IllegalStateException(small.breaches.toString());
        }
      }
    }
  }

  /** Writes a request that maps a free page anew, to the frame of another one; returns the place for the next. */
  private long request(long at, int page, int frameOf, long flags) {
    long to = (small.p2m[SmallDomain.ARGUMENTS] << 12) + (at & 0xfff);
    small.memory.writeLong(to, small.mappingPa(SmallDomain.FREE + page));
    small.memory.writeLong(to + 8, Pte.of(small.p2m[SmallDomain.FREE + frameOf], flags));
    return at + REQUEST;
  }

  private long call(long[] arguments) {
    return small.xen.hypercalls.call(small.vcpu, MMU_UPDATE, arguments);
  }

  /** A page gets another frame. */
  @Benchmark
  public long remap() {
    return call(one[n++ & 1]);
  }

  /** A page becomes read-only, then writable again. */
  @Benchmark
  public long protect() {
    return call(protect[n++ & 1]);
  }

  /** 32 pages get other frames by one call; for each. */
  @Benchmark
  @OperationsPerInvocation(BATCH)
  public long batch() {
    return call(batch[n++ & 1]);
  }
}
