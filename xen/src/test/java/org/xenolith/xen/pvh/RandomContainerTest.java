package org.xenolith.xen.pvh;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.mm.FrameTable;

/**
 * A container whose guest asks for anything about its frame numbers. Whatever Xen answers: every frame of RAM is at one guest frame, which
 * the way back names; nothing that is free or not its own is mapped; no TLB knows of what is gone; and nothing is thrown.
 */
class RandomContainerTest {
  private static final int OPERATIONS = 2_000, AUDIT_EVERY = 100;
  private static final long A = TinyContainer.ARGUMENTS, LIST = A + 0x800;

  /** Where a frame says which it is: no structure of Xen's reaches that far. */
  private static final int MARK = 0xff8;

  private static final int[] DOMAINS = {0x7ff0, 0x7ff0, 0x7ff0, 1, 1, 0, 2, 0x7ff1, 0x7fff};

  private final TinyContainer guest = new TinyContainer().vcpus(2).code(0xf4);
  private Random random;
  private GuestMemory memory;
  private FrameTable frames;
  private P2m p2m;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void keepsFramesRightWhateverTheGuestAsksFor(long seed) {
    random = new Random(seed);
    try (guest) {
      guest.build();
      memory = guest.machine().memory();
      frames = guest.machine().xen().frames;
      p2m = guest.machine().p2m();
      guest.machine().xen().stopOnUnknown = false;
      mark();
      int accepted = 0;
      for (int n = 1; n <= OPERATIONS; n++) {
        long result = operation();
        accepted += result >= 0 ? 1 : 0;
        assertThat(result).as("operation %d", n).isBetween(-200L, 1L << 32);
        guest.vcpu().rest = null;
        // What it is crashed for leaves nothing to clean up.
        guest.machine().domain().shutdown = Domain.RUNNING;
        assertReaches();
        if (n % AUDIT_EVERY == 0) {
          audit();
        }
      }
      assertThat(accepted).isBetween(OPERATIONS / 10, OPERATIONS * 9 / 10);
    }
  }

  private void mark() {
    for (long mfn = 0; mfn < memory.frames(); mfn++) {
      if (frames.owner(mfn) == guest.machine().domain().id) {
        touch(mfn);
      }
      memory.writeLong((mfn << 12) + MARK, mfn * 0x1_0001 + 1);
    }
  }

  private void touch(long mfn) {
    if (frames.pfn(mfn) != FrameTable.INVALID_PFN) {
      p2m.mfnForAccess(frames.pfn(mfn));
    }
  }

  /** Frames of which few are asked for often, so that they meet; and some that cannot be. */
  private long gfn() {
    return switch (random.nextInt(24)) {
      case 0 -> random.nextLong();
      case 1 -> random.nextLong() >>> 24;
      case 2 -> 1L << 20 + random.nextInt(20);
      case 3 -> P2m.FRAMES - 1 + random.nextInt(3);
      case 4 -> 0xfeff8 + random.nextInt(8);
      case 5 -> 0x600 + random.nextInt(4);
      case 6 -> -1 - random.nextInt(2);
      case 7, 8 -> 0x400 + random.nextInt(16);
      default -> 0x20 + random.nextInt(12);
    };
  }

  private int domid() {
    return DOMAINS[random.nextInt(DOMAINS.length)];
  }

  private long operation() {
    return switch (random.nextInt(16)) {
      case 0, 1, 2 -> reservation();
      case 3, 4, 5 -> addToPhysmap();
      case 6 -> addBatch();
      case 7 -> {
        guest.arguments(domid(), 0);
        guest.write(A + 8, gfn());
        yield guest.hypercall(TinyContainer.MEMORY_OP, 15, A);
      }
      case 8, 9 -> grant();
      case 10 -> event();
      case 11 -> {
        guest.write(A, gfn());
        guest.write(A + 8, random.nextInt(0x1010) & -8);
        yield guest.hypercall(TinyContainer.VCPU_OP, 10, random.nextInt(3), A);
      }
      case 12 -> {
        guest.arguments(domid(), 0);
        guest.write(A + 8, gfn());
        yield guest.hypercall(TinyContainer.HVM_OP, 15, A);
      }
      case 13 -> {
        guest.arguments(domid(), random.nextInt(42));
        guest.write(A + 8, random.nextInt(3) == 0 ? random.nextLong() : random.nextInt(300));
        yield guest.hypercall(TinyContainer.HVM_OP, random.nextInt(2), A);
      }
      case 14 -> {
        long[] value = {gfn() << 12};
        yield guest.vcpu().cpu.platform.writeMsr(0x40000000, value[0]) ? 0 : -1;
      }
      default -> {
        int[] operations = {2, 3, 4, 5, 9, 12, 14, 16, 20, 22, 24, 27, 28, 40};
        guest.arguments(random.nextInt(), random.nextInt(), random.nextInt(), random.nextInt(), domid(), domid(), domid(), domid());
        yield guest.hypercall(TinyContainer.MEMORY_OP, operations[random.nextInt(operations.length)], A);
      }
    };
  }

  private long reservation() {
    int order = random.nextInt(10) == 0 ? random.nextInt(12) : 0;
    int count = random.nextInt(4);
    guest.write(A, LIST);
    guest.write(A + 8, count);
    guest.write(A + 16, order);
    guest.write(A + 24, domid());
    for (int n = 0; n < 4; n++) {
      guest.write(LIST + 8 * n, gfn() & (random.nextBoolean() ? -1L << order : -1));
    }
    int[] operations = {0, 1, 1, 6, 6};
    return guest.hypercall(TinyContainer.MEMORY_OP, operations[random.nextInt(operations.length)] | (long) random.nextInt(2) << 6, A);
  }

  private long addToPhysmap() {
    int space = random.nextInt(7);
    guest.arguments(domid() | random.nextInt(8) << 16, space);
    long index = space == 1 ? random.nextInt(70) | (long) random.nextInt(2) << 31 : space == 0 ? random.nextInt(2) : gfn();
    guest.write(A + 8, index);
    guest.write(A + 16, gfn());
    return guest.hypercall(TinyContainer.MEMORY_OP, 7 | (long) random.nextInt(2) << 6, A);
  }

  private long addBatch() {
    guest.arguments(domid() | random.nextInt(6) << 16, random.nextInt(4) | domid() << 16);
    guest.write(A + 8, LIST);
    guest.write(A + 16, LIST + 64);
    guest.write(A + 24, LIST + 128);
    for (int n = 0; n < 4; n++) {
      guest.write(LIST + 8 * n, gfn());
      guest.write(LIST + 64 + 8 * n, gfn());
    }
    return guest.hypercall(TinyContainer.MEMORY_OP, 23, A);
  }

  private long grant() {
    int operation = random.nextInt(13);
    switch (operation) {
      case 0 -> {
        guest.write(A, gfn() << 12);
        guest.words(A + 8, random.nextInt(32), random.nextInt(10), domid());
      }
      case 1 -> {
        guest.write(A, gfn() << 12);
        guest.write(A + 8, random.nextInt(3) == 0 ? gfn() << 12 : 0);
        guest.write(A + 16, random.nextInt(20));
      }
      case 2 -> {
        guest.arguments(domid(), random.nextInt(6));
        guest.write(A + 16, LIST);
      }
      case 5 -> {
        guest.write(A, random.nextBoolean() ? gfn() : random.nextInt(10));
        guest.write(A + 8, domid() | (long) random.nextInt(2000) << 16);
        guest.write(A + 16, random.nextBoolean() ? gfn() : random.nextInt(10));
        guest.write(A + 24, domid() | (long) random.nextInt(2000) << 16);
        guest.write(A + 32, random.nextInt(2000) | random.nextInt(4) << 16);
      }
      case 8 -> guest.write(A, random.nextInt(4));
      default -> guest.arguments(domid(), random.nextInt(40), domid(), 0);
    }
    // Entries of the first frame of the table, wherever the guest has it, name frames of all kinds.
    for (int n = 0; n < 2; n++) {
      long entry = random.nextInt(8) | 1L << 16 | (gfn() & 0xffff_ffffL) << 32;
      table().ifPresent(mfn -> memory.writeLong((mfn << 12) + 8L * random.nextInt(10), entry));
    }
    return guest.hypercall(TinyContainer.GRANT_TABLE_OP, operation, A, random.nextInt(2));
  }

  /** The frame of the grant table that is mapped, if one is. */
  private OptionalLong table() {
    long found = p2m.mfn(0x600);
    return found >= 0 && frames.is(found, FrameTable.XEN_HEAP) && found != guest.machine().domain().sharedInfoMfn
        ? OptionalLong.of(found)
        : OptionalLong.empty();
  }

  private long event() {
    guest.write(A, gfn());
    guest.write(A + 8, random.nextInt(0x1000) & -8 | (long) random.nextInt(3) << 32);
    int[] operations = {11, 11, 12, 10, 6, 7};
    return guest.hypercall(TinyContainer.EVENT_CHANNEL_OP, operations[random.nextInt(operations.length)], A);
  }

  /** What the processor reads at a guest frame is what the second stage has there now, whatever its TLB knew before. */
  private void assertReaches() {
    Cpu cpu = guest.vcpu().cpu;
    for (long gfn : new long[] {0x20 + random.nextInt(12), 0x400 + random.nextInt(16), 0x600 + random.nextInt(4)}) {
      long mfn = p2m.mfn(gfn);
      long expected = mfn < 0 ? -1 : memory.readLong((mfn << 12) + MARK);
      assertThat(cpu.mmu.read((gfn << 12) + MARK, 8)).as("gfn %x", gfn).isEqualTo(expected);
    }
  }

  private void audit() {
    Domain domain = guest.machine().domain();
    Map<Long, Long> seen = new HashMap<>();
    p2m.forEach((first, firstMfn, order, kind) -> {
      for (int n = 0; n < 1 << order; n++) {
        long gfn = first + n;
        long mfn = firstMfn + n;
        assertThat(frames.owner(mfn)).as(frames.describe(mfn)).isEqualTo(domain.id);
        if (kind == P2m.Kind.RAM) {
          assertThat(seen.put(mfn, gfn)).as("a second guest frame of %s", frames.describe(mfn)).isNull();
          assertThat(frames.pfn(mfn)).isEqualTo(gfn);
        }
        if (!frames.is(mfn, FrameTable.XEN_HEAP)) {
          assertThat(frames.count(mfn)).as(frames.describe(mfn)).isPositive();
        }
      }
    });
    long owned = 0;
    for (long mfn = 0; mfn < frames.frames(); mfn++) {
      int own = frames.is(mfn, FrameTable.XEN_HEAP) ? 1 : 0;
      assertThat(frames.typeCount(mfn)).as(frames.describe(mfn)).isBetween(0, frames.count(mfn) + own);
      if (frames.owner(mfn) == domain.id && !frames.is(mfn, FrameTable.XEN_HEAP)) {
        owned++;
        assertThat(frames.count(mfn)).as(frames.describe(mfn)).isPositive();
      }
      if (frames.pfn(mfn) != FrameTable.INVALID_PFN && frames.owner(mfn) == domain.id) {
        assertThat(seen).as("the way back of %s", frames.describe(mfn)).containsEntry(mfn, frames.pfn(mfn));
      }
    }
    assertThat(domain.totalPages).isEqualTo(owned);
    assertThat(domain.totalPages).isLessThanOrEqualTo(domain.maxPages);
  }
}
