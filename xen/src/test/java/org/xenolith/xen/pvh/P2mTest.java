package org.xenolith.xen.pvh;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.SecondStage;
import org.xenolith.xen.Errno;
import org.xenolith.xen.pvh.P2m.Kind;

class P2mTest {
  private static final long ALL = SecondStage.READ | SecondStage.WRITE | SecondStage.EXECUTE;

  private final P2m p2m = new P2m(100, mfn -> {}, mfn -> false);

  @Test
  void mapsFramesByLeavesOfThreeSizesAndCountsTheEntriesItReads() {
    assertThat(p2m.set(0x1234, 7, 0, Kind.RAM)).isZero();
    assertThat(p2m.set(0x2000, 0x400, 9, Kind.RAM)).isZero();
    assertThat(p2m.set(0x40000, 0x80000, 18, Kind.RAM)).isZero();

    assertThat(p2m.entry(0x1234)).isEqualTo(7 << 12 | ALL);
    assertThat(p2m.references()).isEqualTo(4);
    assertThat(p2m.entry(0x21ff)).isEqualTo(0x5ff << 12 | ALL);
    assertThat(p2m.references()).isEqualTo(3);
    assertThat(p2m.entry(0x7ffff)).isEqualTo(0xbffffL << 12 | ALL);
    assertThat(p2m.references()).isEqualTo(2);
    assertThat(p2m.entry(1L << 30)).isEqualTo(SecondStage.EMULATED);
    assertThat(p2m.references()).isEqualTo(1);
  }

  @Test
  void givesGrantsNoRightToExecuteAndReadOnlyOnesNoneToWrite() {
    p2m.set(1, 10, 0, Kind.GRANT);
    p2m.set(2, 11, 0, Kind.GRANT_READ_ONLY);

    assertThat(p2m.entry(1)).isEqualTo(10 << 12 | SecondStage.READ | SecondStage.WRITE);
    assertThat(p2m.entry(2)).isEqualTo(11 << 12 | SecondStage.READ);
  }

  @Test
  void splitsALargeLeafWhereAFrameOfItChanges() {
    p2m.set(0x40000, 0x80000, 18, Kind.RAM);

    assertThat(p2m.clear(0x40205, 0)).isZero();

    assertThat(p2m.kind(0x40205)).isEqualTo(Kind.NOTHING);
    assertThat(p2m.mfn(0x40204)).isEqualTo(0x80204);
    assertThat(p2m.order(0x40204)).isZero();
    assertThat(p2m.order(0x40400)).isEqualTo(P2m.ORDER_2M);
    assertThat(p2m.mfn(0x7fe00)).isEqualTo(0xbfe00);
  }

  @Test
  void refusesFramesOutOfReachAndMoreTablesThanItsPoolHas() {
    P2m small = new P2m(3, mfn -> {}, mfn -> false);

    assertThat(small.set(P2m.FRAMES, 1, 0, Kind.RAM)).isEqualTo(-Errno.EINVAL);
    assertThat(small.set(-1, 1, 0, Kind.RAM)).isEqualTo(-Errno.EINVAL);
    assertThat(small.set(0, 1, 0, Kind.RAM)).isZero();
    assertThat(small.set(1L << 30, 1, 0, Kind.RAM)).isEqualTo(-Errno.ENOMEM);
    assertThat(small.entry(P2m.FRAMES)).isEqualTo(SecondStage.EMULATED);
    assertThat(small.entry(-1)).isEqualTo(SecondStage.EMULATED);
  }

  @Test
  void usesTheTablesUnderALargeLeafAgain() {
    P2m small = new P2m(3, mfn -> {}, mfn -> false);
    for (int n = 0; n < 10; n++) {
      assertThat(small.set(5, 1, 0, Kind.RAM)).isZero();
      assertThat(small.set(0, 0x200, 9, Kind.RAM)).isZero();
    }
  }

  @Test
  void agreesWithAMapWhateverIsMapped() {
    Random random = new Random(1);
    Map<Long, Long> model = new HashMap<>();
    int[] orders = {0, 0, 0, 3, 9, 9, 18};
    P2m tree = new P2m(3000, mfn -> {}, mfn -> false);
    for (int n = 0; n < 400; n++) {
      int order = orders[random.nextInt(orders.length)];
      long gfn = random.nextLong(1 << 20) & -(1L << order);
      long mfn = random.nextLong(1 << 22) & -(1L << order);
      Kind kind = random.nextInt(3) == 0 ? Kind.NOTHING : Kind.RAM;
      assertThat(tree.set(gfn, mfn, order, kind)).isZero();
      for (long k = 0; k < 1L << order; k += order == 18 ? 997 : 1) {
        model.put(gfn + k, kind == Kind.NOTHING ? -1 : mfn + k);
      }
      if (order == 18) {
        // What lies between the samples is not compared any more.
        long last = gfn + (1 << 18);
        model.keySet().removeIf(g -> g >= gfn && g < last && (g - gfn) % 997 != 0);
      }
    }
    model.forEach((gfn, mfn) -> assertThat(tree.mfn(gfn)).as("gfn %x", gfn).isEqualTo(mfn));
  }

  @Test
  void lookingOnUsesNothingAndSeesNothingUnused() {
    List<Long> used = new ArrayList<>();
    P2m tree = new P2m(100, used::add, mfn -> !used.contains(mfn));
    tree.set(5, 7, 0, Kind.RAM);
    assertThat(tree.look(5)).isEqualTo(SecondStage.EMULATED);
    assertThat(tree.describe(5)).isEqualTo("gfn 0x5: mfn 0x7, ram, rwx, not used yet");
    assertThat(used).isEmpty();
    assertThat(tree.entry(5)).isEqualTo(tree.look(5)).isEqualTo(7 << 12 | 7);
    assertThat(tree.describe(5)).isEqualTo("gfn 0x5: mfn 0x7, ram, rwx");
    assertThat(tree.describe(6)).isEqualTo("gfn 0x6: nothing");
    assertThat(tree.look(1L << 50)).isEqualTo(SecondStage.EMULATED);
  }
}
