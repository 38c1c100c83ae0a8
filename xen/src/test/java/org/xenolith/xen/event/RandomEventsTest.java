package org.xenolith.xen.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.xen.TestDomain;

/** A guest that calls anything with anything and writes over everything it shares with Xen. */
class RandomEventsTest {
  private static final int[] INTERESTING = {
    0, 1, 2, 3, 15, 16, 23, 24, 63, 64, 0x7ff0, 1022, 1023, 1024, 4096, -1, Integer.MIN_VALUE, 131071
  };

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void whateverAGuestDoesXenAnswersAndWritesOnlyWhatIsShared(long seed) {
    Random random = new Random(seed);
    EventFixture f = new EventFixture(3);
    int[] heard = {0};
    int backend = f.channels.connect(() -> heard[0]++);
    long guard = 0x50000;
    f.memory.writeLong(guard, 0x1234);
    for (int n = 0; n < 20_000; n++) {
      int[] words = new int[6];
      for (int i = 0; i < words.length; i++) {
        words[i] = random.nextBoolean() ? INTERESTING[random.nextInt(INTERESTING.length)] : random.nextInt(80);
      }
      int operation = random.nextInt(100) == 0 ? EventFixture.RESET : random.nextInt(16);
      if (operation == EventFixture.INIT_CONTROL || operation == EventFixture.EXPAND_ARRAY) {
        words[0] = 20 + random.nextInt(8);
        words[1] = 0;
        words[2] &= 0xfff8;
        words[3] = random.nextInt(4);
      }
      long result = f.call(operation, words);
      assertThat(result).as("operation %d", operation).isBetween(-200L, 0L);
      if (random.nextInt(4) == 0) {
        scribble(f, random);
      }
      if (random.nextInt(10) == 0) {
        f.channels.notify(backend);
        f.channels.raiseVirq(f.test.vcpu(random.nextInt(3)), EventChannels.VIRQ_TIMER);
      }
    }
    assertThat(f.memory.readLong(guard)).isEqualTo(0x1234);
    for (long mfn : f.held) {
      assertThat(mfn).isBetween(20L, 27L);
    }
  }

  private static void scribble(EventFixture f, Random random) {
    long page = random.nextInt(5) == 0 ? TestDomain.SHARED_INFO_MFN : 20 + random.nextInt(8);
    f.memory.writeInt((page << 12) + 4L * random.nextInt(1024), random.nextInt());
  }
}
