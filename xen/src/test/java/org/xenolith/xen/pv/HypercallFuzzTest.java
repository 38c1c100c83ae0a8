package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.event.HeldByEvents;
import org.xenolith.xen.grant.HeldByGrants;
import org.xenolith.xen.mm.CountAudit;

/**
 * Hypercalls of a guest with three vcpus, with random, half-valid and changing arguments, and stores into whatever it has mapped. Whatever
 * Xen answers, its invariants hold after each step: what a frame's counts say is what there is, no table or descriptor page can be written
 * by the guest, and no frame of another's is mapped.
 *
 * <p>{@code -Dxenolith.fuzz.calls=10000000 -Dxenolith.fuzz.seed=7} takes more steps, or others; a failure names seed and step.
 */
class HypercallFuzzTest {
  private static final long CALLS = Long.getLong("xenolith.fuzz.calls", 60_000), SEED = Long.getLong("xenolith.fuzz.seed", 1);
  private static final long SAY_AT_LEAST = 200_000;

  private final Random random = new Random(SEED);
  private final Map<String, long[]> made = new HashMap<>();

  @Test
  void invariantsHoldAfterEachStepWhateverIsAskedFor() throws IOException {
    RandomCalls guest = null;
    CountAudit audit = null;
    int guests = 0;
    long heap = 0;
    long begin = System.nanoTime();
    for (long n = 1; n <= CALLS; n++) {
      boolean alive = false;
      try {
        if (guest != null) {
          alive = guest.step();
        }
        if (!alive) {
          if (guest != null) {
            guest.close();
          }
          guest = new RandomCalls(random, made);
          audit = audit(guest);
          guests++;
        }
      } catch (RuntimeException e) {
        throw new AssertionError("seed %d, step %d".formatted(SEED, n), e);
      }
      if (!audit.differences().isEmpty()) {
        assertThat(audit.differences()).as("seed %d, step %d", SEED, n).isEmpty();
      }
      if (n == CALLS / 10) {
        heap = used();
        say("%d steps, %d s, heap %d KiB, resident %s".formatted(n, (System.nanoTime() - begin) / 1_000_000_000, heap >> 10, resident()));
      }
    }
    long growth = used() - heap;
    say("%d steps, %d s, %d guests, heap grown by %d KiB, resident %s%n%s".formatted(
        CALLS, (System.nanoTime() - begin) / 1_000_000_000, guests, growth >> 10, resident(), RandomCalls.table(made)));
    guest.close();
    long steps = made.values().stream().mapToLong(c -> c[0]).sum();
    long accepted = made.values().stream().mapToLong(c -> c[1]).sum();
    assertThat(accepted).isBetween(steps / 20, steps * 19 / 20);
    assertThat(growth).as("growth of the heap").isLessThan(24 << 20);
  }

  /** What holds frames beside tables and vcpus' registers: event channels, grants, vcpu_info pages, and domain 0's programs. */
  private static CountAudit audit(RandomCalls guest) {
    long console = guest.consoleMfn();
    long store = guest.storeMfn();
    return new CountAudit(guest.domain, holder -> {
      holder.holds(console, 1, 1);
      holder.holds(store, 1, 1);
      HeldByEvents.tell(guest.domain.channels, holder);
      HeldByGrants.tell(guest.grants, holder);
      for (Vcpu v : guest.domain.vcpus) {
        if (v.vcpuInfoRegistered) {
          holder.holds(v.vcpuInfoPa >>> 12, 1, 1);
        }
      }
    });
  }

  private static long used() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  private static String resident() throws IOException {
    Path status = Path.of("/proc/self/status");
    return Files.exists(status)
        ? Files.readAllLines(status).stream().filter(l -> l.startsWith("VmRSS")).findFirst().orElse("?").replaceAll("\\s+", " ")
        : "?";
  }

  private static void say(String text) {
    if (CALLS >= SAY_AT_LEAST) {
      System.out.println(text);
    }
  }
}
