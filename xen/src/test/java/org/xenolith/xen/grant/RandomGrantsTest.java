package org.xenolith.xen.grant;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.TestDomain;

/** A guest that calls anything with anything and writes anything into its grant table. */
class RandomGrantsTest {
  private static final long ARG = TestDomain.ARGUMENTS, LIST = ARG + 0x1000;
  private static final int[] DOMAINS = {0, 1, 1, 1, 2, 0x7ff0, 0x7ff0, 0xffff};

  private final TestDomain test = new TestDomain(1);
  private final GuestMemory memory = test.memory;
  private final long[] own = test.domain.xen.mmu.populate(test.domain, 8, 1);
  private final GrantTables tables = new GrantTables(test.domain);

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void whateverAGuestDoesXenAnswersAndNoReferenceIsLost(long seed) {
    Random random = new Random(seed);
    test.domain.xen.stopOnUnknown = false;
    long guard = 0x50000;
    memory.writeLong(guard, 0x1234);
    memory.writeInt(ARG, 0x7ff0);
    memory.writeInt(ARG + 4, 1);
    memory.writeLong(ARG + 16, LIST);
    tables.call(test.vcpu(0), new long[] {2, ARG, 1, 0, 0});
    long table = memory.readLong(LIST) << 12;
    for (int n = 0; n < 20_000; n++) {
      memory.writeInt(table + 4L * random.nextInt(64), random.nextInt(0x200) | DOMAINS[random.nextInt(DOMAINS.length)] << 16);
      memory.writeLong(table + 8L * random.nextInt(32), random.nextInt(8) | 1L << 16 | mfn(random) << 32);
      int operation = random.nextInt(13);
      for (int i = 0; i < 40; i += 4) {
        memory.writeInt(ARG + i, random.nextInt(random.nextBoolean() ? 40 : 0x10000));
      }
      shape(operation, random);
      long result = tables.call(test.vcpu(0), new long[] {operation, ARG, random.nextInt(2), 0, 0});
      assertThat(result).as("operation %d", operation).isBetween(-200L, 0L);
    }
    for (long mfn : own) {
      assertThat(test.domain.xen.frames.count(mfn)).isPositive();
      assertThat(test.domain.xen.frames.typeCount(mfn)).isLessThan(test.domain.xen.frames.count(mfn));
    }
    assertThat(memory.readLong(guard)).isEqualTo(0x1234);
  }

  private long mfn(Random random) {
    return random.nextInt(4) == 0 ? 0x50 + random.nextInt(4) : own[random.nextInt(own.length)];
  }

  private void shape(int operation, Random random) {
    short domid = (short) DOMAINS[random.nextInt(DOMAINS.length)];
    switch (operation) {
      case 0 -> {
        memory.writeInt(ARG + 8, random.nextInt(32));
        memory.writeShort(ARG + 16, domid);
      }
      case 1, 7 -> {
        memory.writeLong(ARG + 8, random.nextBoolean() ? 0 : mfn(random) << 12);
        memory.writeInt(ARG + 16, random.nextInt(20));
      }
      case 2 -> memory.writeLong(ARG + 16, LIST);
      case 5 -> {
        memory.writeLong(ARG, random.nextBoolean() ? random.nextInt(40) : own[random.nextInt(own.length)]);
        memory.writeShort(ARG + 8, domid);
        memory.writeLong(ARG + 16, random.nextBoolean() ? random.nextInt(40) : own[random.nextInt(own.length)]);
        memory.writeShort(ARG + 24, random.nextBoolean() ? domid : 0x7ff0);
        memory.writeInt(ARG + 32, random.nextInt(4) << 16 | random.nextInt(4200));
      }
      case 8 -> memory.writeInt(ARG, random.nextInt(4));
      case 9 -> memory.writeLong(ARG + 8, LIST);
      default -> memory.writeShort(ARG, domid);
    }
  }
}
