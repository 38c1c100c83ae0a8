package org.xenolith.xen.pvh;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Mmu;
import org.xenolith.cpu.TwiceMapped;

/**
 * A walk of four levels of page tables. Why it matters: it is most of what a TLB miss costs, and a container's walk looks each of the
 * four tables and the page up in the second stage, too.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class WalkBenchmark {
  private static final int FRAMES = 1024;

  private final Cpu cpu = TwiceMapped.kernel(null);
  private int n;

  private long next() {
    return TwiceMapped.DATA + ((long) (n++ & TwiceMapped.PAGES - 1) << 12);
  }

  @Benchmark
  public long oneStage() {
    return cpu.mmu.translate(next(), Mmu.READ);
  }

  /** A second stage with pages of 4 KiB (order 0) or 2 MiB (order 9). */
  @State(Scope.Benchmark)
  public static class Container {
    @Param({"0", "9"})
    public int order;

    Cpu cpu;

    @Setup
    public void setUp() {
      P2m p2m = new P2m(FRAMES, mfn -> {}, mfn -> false);
      for (int gfn = 0; gfn < FRAMES; gfn += 1 << order) {
        if (p2m.set(gfn, gfn, order, P2m.Kind.RAM) < 0) {
          throw new IllegalStateException("gfn " + gfn);
        }
      }
      cpu = TwiceMapped.kernel(p2m);
    }
  }

  @Benchmark
  public long twoStages(Container container) {
    return container.cpu.mmu.translate(next(), Mmu.READ);
  }

  /** The whole of a miss behind two stages: two addresses that drive each other out of the TLB. */
  @Benchmark
  public long missTwoStages(Container container) {
    return container.cpu.mmu.read64(TwiceMapped.DATA + (n++ & 1) * TwiceMapped.APART);
  }
}
