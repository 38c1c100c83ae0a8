package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.CountAudit;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.mm.Pte;

/**
 * Hypercalls about memory from three vcpus, with random, half-valid and changing arguments, and random edits of what may become page
 * tables. Whatever Xen answers, its invariants hold: what a frame's counts say is what there is, no table or descriptor page can be written
 * by the guest, and no frame of another's is mapped.
 *
 * <p>{@code -Dxenolith.fuzz.calls=10000000 -Dxenolith.fuzz.seed=7} makes more calls, or others; a failure names the seed.
 */
class HypercallFuzzTest {
  private static final long CALLS = Long.getLong("xenolith.fuzz.calls", 40_000), SEED = Long.getLong("xenolith.fuzz.seed", 1);

  /** Calls between two looks at everything; what can be seen at once is looked at after each. */
  private static final int AUDIT_EVERY = 2_000;

  private static final int SET_GDT = 2, UPDATE_DESCRIPTOR = 10, MEMORY_OP = 12, UPDATE_VA_MAPPING = 14, GRANT_TABLE_OP = 20;
  private static final int UPDATE_VA_MAPPING_OTHERDOMAIN = 22;
  private static final long SELF = 0x7ff0, PREEMPTED = 1L << 31;

  /** Pages that meet in all roles. */
  private static final int FIRST_PFN = 0x1a0, PFNS = 20;

  private static final int[] SLOTS = {0, 1, 2, 3, 5, 100, 255, 256, 260, 272, 511};

  private final Random random = new Random(SEED);
  private final MicroGuest guest = new MicroGuest().vcpus(3).goOnWithUnknown();
  private Domain domain;
  private FrameTable frames;
  private GuestMemory memory;
  private long[] p2m;
  private final long[][] rest = new long[3][];
  private final int[] restOf = new int[3];
  private long accepted;

  @Test
  void invariantsHoldWhateverIsAskedFor() {
    try (guest) {
      Label loop = guest.a.here();
      guest.a.jmp(loop);
      guest.run(1_000);
      domain = guest.machine().domain();
      frames = domain.xen.frames;
      memory = domain.xen.memory;
      p2m = guest.machine().built().p2m();
      List<String> before = CountAudit.of(domain);
      long heap = 0;
      for (long n = 1; n <= CALLS; n++) {
        call(domain.vcpus.get(random.nextInt(3)));
        domain.shutdown = Domain.RUNNING;
        domain.xen.unimplemented = null;
        assertThat(frames.is(p2m[FIRST_PFN], FrameTable.BUSY)).isFalse();
        if (n % AUDIT_EVERY == 0) {
          assertThat(CountAudit.of(domain)).as("seed %d, after %d calls", SEED, n).isEqualTo(before);
          assertThat(wrongMappings()).as("seed %d, after %d calls", SEED, n).isEmpty();
        }
        if (n == CALLS / 10) {
          heap = used();
        }
      }
      assertThat(accepted).isBetween(CALLS / 20, CALLS * 19 / 20);
      assertThat(used() - heap).as("growth of the heap").isLessThan(24 << 20);
    }
  }

  private static long used() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  // ---- Calls ----

  private void call(Vcpu vcpu) {
    // Events, roots and registers are the guest's own affair: what it asks for is asked in its kernel.
    vcpu.kernelMode = true;
    vcpu.cpu.cr3 = vcpu.kernelRootMfn << 12;
    if (vcpu.kernelRootMfn == 0) {
      vcpu = domain.vcpus.getFirst();
      vcpu.kernelMode = true;
    }
    vcpu.cpu.refresh();
    int number;
    long[] args;
    if (rest[vcpu.id] != null && random.nextInt(3) > 0) {
      // Goes on where a long call stopped; what it is about may have changed meanwhile.
      number = restOf[vcpu.id];
      args = rest[vcpu.id];
      rest[vcpu.id] = null;
    } else {
      args = new long[6];
      number = random.nextInt(12) == 0 ? multicall(args) : one(args, MicroGuest.DATA);
    }
    long result = domain.xen.hypercalls.call(vcpu, number, args);
    accepted += result >= 0 ? 1 : 0;
    vcpu.protectionFault = false;
    if (vcpu.rest != null) {
      rest[vcpu.id] = java.util.Arrays.copyOf(vcpu.rest, 6);
      restOf[vcpu.id] = number;
      vcpu.rest = null;
    }
  }

  private int multicall(long[] args) {
    int entries = 1 + random.nextInt(4);
    for (int n = 0; n < entries; n++) {
      long[] inner = new long[6];
      int number = one(inner, MicroGuest.DATA + 0x400 * (n + 1));
      word(0x200 + 8 * n, number);
      for (int k = 0; k < 6; k++) {
        word(0x200 + 8 * n + 2 + k, inner[k]);
      }
    }
    args[0] = MicroGuest.DATA + 8 * 0x200;
    args[1] = entries;
    return MicroGuest.MULTICALL;
  }

  /** Makes one call, with its structures at {@code at}. */
  private int one(long[] args, long at) {
    int w = (int) (at - MicroGuest.DATA) / 8;
    args[0] = at;
    args[3] = random.nextInt(30) == 0 ? random.nextInt(1 << 16) : SELF;
    switch (random.nextInt(14)) {
      case 0, 1, 2 -> {
        int count = 1 + random.nextInt(4);
        for (int n = 0; n < count; n++) {
          int type = random.nextInt(6) == 0 ? random.nextInt(8) : 0;
          word(w + 2 * n, mfn() << 12 | (long) slot() << 3 | type);
          word(w + 2 * n + 1, entry());
        }
        args[1] = count | (random.nextInt(20) == 0 ? PREEMPTED : 0);
        args[2] = random.nextInt(4) == 0 ? at + 512 : 0;
        return 1;
      }
      case 3, 4, 5 -> {
        int command = random.nextInt(24);
        word(w, command == 5 && random.nextInt(4) > 0 ? 15 : command);
        word(w + 1, random.nextInt(8) == 0 ? random.nextLong() : mfn());
        word(w + 2, random.nextInt(3) == 0 ? at : mfn());
        args[1] = 1;
        return MicroGuest.MMUEXT_OP;
      }
      case 6, 7, 8 -> {
        int pfn = pfn();
        args[0] = (long) pfn << 12;
        // Often with no right to write, so that pages become free for other roles.
        args[1] = random.nextBoolean() ? Pte.of(p2m[pfn], 0x61) : entry();
        args[2] = random.nextInt(8);
        return random.nextInt(8) == 0 ? UPDATE_VA_MAPPING_OTHERDOMAIN : UPDATE_VA_MAPPING;
      }
      case 9 -> {
        word(w, mfn());
        word(w + 1, mfn());
        args[1] = random.nextInt(3) == 0 ? 0 : random.nextInt(1100);
        return SET_GDT;
      }
      case 10 -> {
        args[0] = mfn() << 12 | (long) random.nextInt(512) << 3;
        args[1] = random.nextBoolean() ? 0x00cf_f300_0000_ffffL : random.nextLong();
        return UPDATE_DESCRIPTOR;
      }
      case 11 -> {
        return memoryOp(args, at, w);
      }
      case 12 -> {
        return grantOp(args, at, w);
      }
      default -> {
        args[0] = random.nextInt(2);
        args[1] = random.nextInt(6);
        return MicroGuest.VM_ASSIST;
      }
    }
  }

  /** Gives a page back, or asks for one. */
  private int memoryOp(long[] args, long at, int w) {
    // struct xen_memory_reservation: extent_start, nr_extents, extent_order and flags, domid.
    boolean take = random.nextBoolean();
    int pfn = pfn();
    word(w, at + 256);
    word(w + 1, 1);
    word(w + 2, random.nextInt(20) == 0 ? random.nextInt(4) : 0);
    word(w + 3, SELF);
    word(w + 32, take ? pfn : p2m[pfn]);
    args[0] = take ? 6 : 1;
    args[1] = at;
    return MEMORY_OP;
  }

  private int grantOp(long[] args, long at, int w) {
    int operation = random.nextInt(3);
    word(w, (long) pfn() << 12);
    word(w + 1, operation == 0 ? 2 | random.nextInt(2) << 2 | (long) (8 + random.nextInt(4)) << 32 : 0);
    word(w + 2, operation == 0 ? 1 : operation == 1 ? random.nextInt(16) : at + 512);
    word(w + 3, 0);
    if (operation == 2) {
      word(w, SELF | 1L << 32);
    }
    args[0] = operation;
    args[1] = at;
    args[2] = 1;
    return GRANT_TABLE_OP;
  }

  private void word(int n, long value) {
    long va = MicroGuest.DATA + 8L * n;
    memory.writeLong((p2m[(int) (va >>> 12)] << 12) + (va & 0xfff), value);
  }

  private int pfn() {
    return FIRST_PFN + random.nextInt(PFNS);
  }

  private int slot() {
    return random.nextInt(3) == 0 ? (FIRST_PFN + random.nextInt(PFNS)) & 511 : SLOTS[random.nextInt(SLOTS.length)];
  }

  /** Mostly pages of its own that it can do without, sometimes others. */
  private long mfn() {
    return switch (random.nextInt(30)) {
      case 0 -> random.nextInt(300);
      case 1 -> frames.frames() - 1 + random.nextInt(3);
      case 2 -> random.nextLong() >>> 20;
      case 3 -> domain.sharedInfoMfn;
      default -> p2m[pfn()];
    };
  }

  private long entry() {
    long flags = new long[] {0x61, 0x63, 0x67, 0x65, 0}[random.nextInt(5)];
    if (random.nextInt(20) == 0) {
      flags |= 1L << random.nextInt(12) | 1L << 52 + random.nextInt(12);
    }
    return random.nextInt(5) == 0 ? 0 : Pte.of(mfn(), flags);
  }

  // ---- Invariants ----

  /** Present L1 entries of tables in use that make a table or descriptors writable, or name what is not the domain's. */
  private List<String> wrongMappings() {
    List<String> wrong = new ArrayList<>();
    for (long table = 0; table < frames.frames(); table++) {
      if (frames.type(table) != FrameTable.L1 || !frames.is(table, FrameTable.VALIDATED)) {
        continue;
      }
      for (int slot = 0; slot < 512; slot++) {
        long entry = memory.readLong((table << 12) + 8L * slot);
        long mfn = Pte.mfn(entry);
        boolean writable = (entry & Pte.WRITABLE) != 0;
        if (Pte.present(entry) && (frames.owner(mfn) != domain.id || writable && frames.type(mfn) != FrameTable.WRITABLE)) {
          wrong.add("slot 0x%x of %s: %s".formatted(slot, frames.describe(table), frames.describe(mfn)));
        }
      }
    }
    return wrong;
  }
}
