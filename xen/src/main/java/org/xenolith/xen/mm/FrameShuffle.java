package org.xenolith.xen.mm;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** Chooses a new domain's frames: runs of 2 MiB as Xen hands them out, in an order drawn from a seed. */
final class FrameShuffle {
  private static final int RUN = 512;

  private final FrameAllocator allocator;
  private final long machineFrames;
  private final Random random;

  FrameShuffle(FrameAllocator allocator, long machineFrames, long seed) {
    this.allocator = allocator;
    this.machineFrames = machineFrames;
    this.random = new Random(seed);
  }

  /** Takes {@code pages} frames from the pool, by pfn. */
  long[] take(int pages) {
    List<Long> runs = new ArrayList<>();
    for (long mfn = 0; mfn + RUN <= machineFrames; mfn += RUN) {
      if (allocator.isFree(mfn, RUN)) {
        runs.add(mfn);
      }
    }
    Collections.shuffle(runs, random);
    int whole = Math.min(pages / RUN, runs.size());
    avoidIdentity(runs, whole);
    long[] p2m = new long[pages];
    for (int n = 0; n < whole; n++) {
      allocator.take(runs.get(n), RUN);
      for (int k = 0; k < RUN; k++) {
        p2m[n * RUN + k] = runs.get(n) + k;
      }
    }
    takeSingles(p2m, whole * RUN);
    return p2m;
  }

  private static void avoidIdentity(List<Long> runs, int whole) {
    for (int n = 0; n < whole; n++) {
      if (runs.get(n) == (long) n * RUN) {
        Collections.swap(runs, n, (n + 1) % runs.size());
      }
    }
  }

  private void takeSingles(long[] p2m, int from) {
    List<Long> singles = new ArrayList<>();
    for (int pfn = from; pfn < p2m.length; pfn++) {
      long mfn = allocator.take(0);
      if (mfn < 0) {
        throw new IllegalStateException("the machine has too few frames for the domain");
      }
      singles.add(mfn);
    }
    Collections.shuffle(singles, random);
    for (int n = 0; n < singles.size(); n++) {
      if (singles.get(n) == from + n) {
        Collections.swap(singles, n, (n + 1) % singles.size());
      }
      p2m[from + n] = singles.get(n);
    }
  }
}
