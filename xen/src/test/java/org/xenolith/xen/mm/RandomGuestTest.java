package org.xenolith.xen.mm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.cpu.Exit;
import org.xenolith.xen.Domain;

/**
 * A guest that asks for anything. Whatever Xen answers: references stay right, nothing that is a table can be written, and nothing is
 * thrown.
 */
class RandomGuestTest {
  private static final int OPERATIONS = 6_000, AUDIT_EVERY = 500;

  /** Few frames, so that they meet in all roles. */
  private static final int FIRST = SmallDomain.FREE, FRAMES = 24;

  private final SmallDomain guest = new SmallDomain();
  private final long[] shared = {guest.xen.mmu.shareFrame(guest.domain, true), guest.xen.mmu.shareFrame(guest.domain, false)};
  private Random random;
  private int accepted;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void keepsTheRulesWhateverTheGuestAsksFor(long seed) {
    random = new Random(seed);
    guest.domain.assists = Domain.ASSIST_WRITABLE_PAGETABLES;
    guest.vcpu.cpu.refresh();
    for (int n = 1; n <= OPERATIONS; n++) {
      accepted += operation() == 0 ? 1 : 0;
      store();
      guest.breaches.clear();
      if (n % AUDIT_EVERY == 0) {
        assertThat(guest.miscounted()).as("after %d operations", n).isEmpty();
        assertNoWritableTables();
      }
    }
    giveSharedFramesBack();
    assertThat(accepted).isBetween(OPERATIONS / 10, OPERATIONS * 9 / 10);
  }

  private int frame() {
    return random.nextInt(10) == 0 ? random.nextInt(SmallDomain.ARGUMENTS) : FIRST + random.nextInt(FRAMES);
  }

  private long mfn() {
    return switch (random.nextInt(40)) {
      case 0 -> random.nextInt(300);
      case 1 -> guest.frames.frames() - 1 + random.nextInt(3);
      case 2 -> random.nextLong() >>> 24;
      case 3, 4 -> shared[random.nextInt(2)];
      default -> guest.p2m[frame()];
    };
  }

  private long entry() {
    long flags = random.nextInt(3) == 0 ? SmallDomain.READ_ONLY : random.nextInt(3) == 0 ? SmallDomain.PAGE : SmallDomain.TABLE;
    if (random.nextInt(30) == 0) {
      flags |= 1L << random.nextInt(12);
    }
    return random.nextInt(4) == 0 ? 0 : Pte.of(mfn(), flags);
  }

  private int slot() {
    int[] slots = {0, 1, 2, 255, 256, 260, 272, 511};
    return slots[random.nextInt(slots.length)];
  }

  private long operation() {
    int pfn = frame();
    return switch (random.nextInt(15)) {
      case 14 -> giveBackShared();
      case 0, 1 -> guest.pin(1 + random.nextInt(4), pfn);
      case 2 -> guest.unpin(pfn);
      case 3, 4, 5 -> {
        // With a flush of the page or without: then only Xen's own flushes keep tables from being written.
        long entry = random.nextBoolean() ? entry() : Pte.of(guest.p2m[pfn], 0x61);
        yield guest.call(14, SmallDomain.va(FIRST + random.nextInt(FRAMES)), entry, random.nextInt(4) == 0 ? 2 : 0);
      }
      case 6, 7, 8 -> updateEntry(mfn(), slot());
      case 9 -> guest.mmuext(15, random.nextBoolean() ? 0 : mfn(), 0);
      case 10 -> guest.call(2, guest.arguments(mfn()), random.nextBoolean() ? 0 : 1 + random.nextInt(512));
      case 11 -> guest.mmuext(16 + random.nextInt(2), mfn(), mfn());
      case 12 -> guest.call(10, mfn() << 12 | random.nextInt(512) << 3, random.nextBoolean() ? 0x00cff3000000ffffL : random.nextLong());
      default -> giveBackAndTakeNew(pfn);
    };
  }

  /** Leaves alone those entries of the first tables without which the guest could ask for nothing more. */
  private long updateEntry(long mfn, int slot) {
    for (int table = 0; table < SmallDomain.FIRST_L1; table++) {
      if (mfn == guest.p2m[table] && (slot < 2 || slot == 256)) {
        return -1;
      }
    }
    int command = random.nextInt(5) == 0 ? random.nextInt(4) : 0;
    return guest.mmuUpdate(mfn << 12 | (long) slot << 3 | command, entry());
  }

  /** Gives a frame back and gets another for its pfn. */
  private long giveBackAndTakeNew(int pfn) {
    if (pfn < FIRST || guest.domain.totalPages >= guest.domain.maxPages) {
      return -1;
    }
    long list = SmallDomain.va(SmallDomain.ARGUMENTS) + 64;
    guest.arguments(list, 1, 0, SmallDomain.SELF, 0, 0, 0, 0, guest.p2m[pfn]);
    if (guest.call(12, 1, SmallDomain.va(SmallDomain.ARGUMENTS)) != 1) {
      return -1;
    }
    guest.arguments(list, 1, 0, SmallDomain.SELF, 0, 0, 0, 0, pfn);
    if (guest.call(12, 6, SmallDomain.va(SmallDomain.ARGUMENTS)) != 1) {
      return -1;
    }
    guest.p2m[pfn] = guest.argument(8);
    return 0;
  }

  /** Gives up the domain's own reference to a frame that is Xen's. */
  private long giveBackShared() {
    if (random.nextInt(200) != 0) {
      return -1;
    }
    long list = SmallDomain.va(SmallDomain.ARGUMENTS) + 64;
    guest.arguments(list, 1, 0, SmallDomain.SELF, 0, 0, 0, 0, shared[random.nextInt(2)]);
    return guest.call(12, 1, SmallDomain.va(SmallDomain.ARGUMENTS)) - 1;
  }

  /** Xen takes its frames back only once the guest maps them no more. */
  private void giveSharedFramesBack() {
    for (long mfn : shared) {
      boolean mapped = false;
      for (long table = 0; table < guest.frames.frames(); table++) {
        boolean l1 = guest.frames.type(table) == FrameTable.L1 && guest.frames.is(table, FrameTable.VALIDATED);
        for (int slot = 0; l1 && slot < 512; slot++) {
          long entry = guest.memory.readLong(PageTables.slotPa(table, slot));
          mapped |= Pte.present(entry) && Pte.mfn(entry) == mfn;
        }
      }
      assertThat(guest.xen.mmu.takeBackFrame(mfn)).isEqualTo(!mapped);
    }
  }

  /** Stores through the guest's mappings, as the TLB has them, fresh or stale; what faults Xen may carry out. */
  private void store() {
    long va = SmallDomain.va(FIRST + random.nextInt(FRAMES)) + 8L * slot();
    long value = random.nextInt(6) == 0 ? entry() : random.nextLong() & ~1L;
    if (random.nextInt(4) == 0) {
      va = SmallDomain.va(random.nextInt(SmallDomain.ARGUMENTS)) + 8L * (FIRST + random.nextInt(FRAMES));
    }
    // mov %rax,(%rdi) in the last of the domain's frames
    int code = SmallDomain.PAGES - 1;
    guest.memory.writeInt(guest.p2m[code] << 12, 0x078948);
    var cpu = guest.vcpu.cpu;
    cpu.rip = SmallDomain.va(code);
    cpu.r[0] = value;
    cpu.r[7] = va;
    long before = tables();
    Exit exit = cpu.run(cpu.clock.now + 1);
    assertThat(tables()).isEqualTo(before);
    if (exit instanceof Exit.Exception fault && (fault.errorCode() & 3) == 3) {
      guest.xen.mmu.writableTables().emulate(guest.vcpu, fault.address());
    }
  }

  /** A sum over what all tables hold, without the accessed and dirty bits that the processor sets. */
  private long tables() {
    long sum = 0;
    for (long mfn = 0; mfn < guest.frames.frames(); mfn++) {
      int type = guest.frames.type(mfn);
      if (guest.frames.typeCount(mfn) > 0 && type != FrameTable.WRITABLE && type != FrameTable.NONE) {
        for (int slot = 0; slot < 512; slot++) {
          sum = sum * 31 + (guest.memory.readLong(PageTables.slotPa(mfn, slot)) & ~(Pte.ACCESSED | Pte.DIRTY));
        }
      }
    }
    return sum;
  }

  private void assertNoWritableTables() {
    for (long mfn = 0; mfn < guest.frames.frames(); mfn++) {
      if (guest.frames.type(mfn) == FrameTable.L1 && guest.frames.is(mfn, FrameTable.VALIDATED)) {
        for (int slot = 0; slot < 512; slot++) {
          long entry = guest.memory.readLong(PageTables.slotPa(mfn, slot));
          if (Pte.present(entry) && (entry & Pte.WRITABLE) != 0) {
            assertThat(guest.frames.type(Pte.mfn(entry))).isEqualTo(FrameTable.WRITABLE);
          }
        }
      }
    }
  }
}
