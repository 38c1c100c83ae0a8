package org.xenolith.xen.xenstore;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A guest that asks the store for anything in any form. */
class RandomRequestsTest {
  private static final String[] WORDS = {
    "data", "data/a", "data/a/b", "feature", "memory/target", "/", "/local/domain/1/data", "/local/domain/0", "@releaseDomain", "a//b",
    "x", "T", "F", "n1", "b0", "r1", "0", "1", "-1", "", "\u00ff", "name"
  };

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void everyRequestHasOneAnswerAndTheRestOfTheTreeStaysAsItIs(long seed) {
    Random random = new Random(seed);
    StoreClient c = new StoreClient();
    for (int n = 0; n < 3_000; n++) {
      StringBuilder payload = new StringBuilder();
      int words = random.nextInt(4);
      for (int i = 0; i < words; i++) {
        payload.append(WORDS[random.nextInt(WORDS.length)]);
        payload.append(random.nextInt(8) == 0 ? "" : "\0");
      }
      int type = random.nextInt(30) - 1;
      List<StoreClient.Message> answers = c.talk(type, random.nextInt(3) == 0 ? random.nextInt(40) : 0, payload.toString());
      assertThat(answers).as("type %d, payload %s", type, payload).filteredOn(m -> m.type() != XenStore.WATCH_EVENT).hasSize(1);
    }
    assertThat(c.store.read("/local/domain/1/memory/target")).isEqualTo("65536");
    assertThat(c.store.read("/local/domain/0/name")).isEqualTo("Domain-0");
    assertThat(c.memory.readInt(StoreClient.ERROR)).isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void bytesWithoutAnySenseEndTheConnectionAtWorst(long seed) {
    Random random = new Random(seed);
    StoreClient c = new StoreClient();
    for (int n = 0; n < 200; n++) {
      byte[] bytes = new byte[random.nextInt(200)];
      random.nextBytes(bytes);
      c.put(bytes, 0);
      if (random.nextInt(20) == 0) {
        c.memory.writeInt(StoreClient.REQ_CONS + 4L * random.nextInt(4), random.nextInt());
      }
      c.event();
    }
    assertThat(c.memory.readInt(StoreClient.ERROR)).isIn(2, 3);
  }
}
