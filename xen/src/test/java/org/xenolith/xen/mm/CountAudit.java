package org.xenolith.xen.mm;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Vcpu;

/**
 * Looks at all frames of a domain and says which of the invariants in {@link FrameTable} do not hold: counts every reference anew, from
 * tables, roots, pins, descriptor tables and whoever else holds one, by the type that it needs the frame to have.
 *
 * <p>An audit keeps a copy of each table and counts only entries that have changed, so that it can be repeated after every hypercall.
 */
public final class CountAudit {
  /** Takes note of references to a frame, and of uses of its type, that no page table or vcpu holds. */
  public interface Holder {
    void holds(long mfn, int references, int uses);
  }

  private static final int NOTHING = FrameTable.NONE;

  private final Domain domain;
  private final GuestMemory memory;
  private final FrameTable frames;
  private final Consumer<Holder> others;

  /** By frame: references that entries of tables hold; and by type and frame, those that need the frame to be of that type. */
  private final int[] mapped;

  private final int[][] mappedAs = new int[FrameTable.WRITABLE + 1][];

  /** By frame: references and uses of all else, counted anew each time. */
  private final int[] held;

  private final int[] heldUses;

  /** By frame: as a table of which type it was counted, and with what contents. */
  private final int[] seenAs;

  private final byte[][] seen;
  private final byte[] contents = new byte[GuestMemory.FRAME_SIZE];
  private final List<String> wrong = new ArrayList<>();

  /** @param others tells of references that the frame table, tables and vcpus know nothing of */
  public CountAudit(Domain domain, Consumer<Holder> others) {
    this.domain = domain;
    this.memory = domain.xen.memory;
    this.frames = domain.xen.frames;
    this.others = others;
    int size = (int) frames.frames();
    this.mapped = new int[size];
    Arrays.setAll(mappedAs, type -> new int[size]);
    this.held = new int[size];
    this.heldUses = new int[size];
    this.seenAs = new int[size];
    this.seen = new byte[size][];
  }

  /** What is wrong with a domain that has nothing but page tables and descriptor tables; empty when all is right. */
  public static List<String> of(Domain domain) {
    return new CountAudit(domain, holder -> {}).differences();
  }

  /** A sentence for each broken invariant; empty when all is right. The list is the next call's, too. */
  public List<String> differences() {
    wrong.clear();
    Arrays.fill(held, 0);
    Arrays.fill(heldUses, 0);
    long owned = 0;
    for (int mfn = 0; mfn < held.length; mfn++) {
      if (frames.owner(mfn) == domain.id) {
        look(mfn);
        owned += frames.is(mfn, FrameTable.XEN_HEAP) ? 0 : 1;
      } else if (seenAs[mfn] != NOTHING) {
        count(mfn, NOTHING);
      }
    }
    if (owned != domain.totalPages) {
      wrong.add("the domain owns " + owned + " frames and is said to own " + domain.totalPages);
    }
    for (Vcpu v : domain.vcpus) {
      countUse(v.kernelRootMfn, FrameTable.L4);
      countUse(v.userRootMfn, FrameTable.L4);
      for (int n = 0; n < v.gdtMfns.length; n++) {
        countUse(v.gdtMfns[n], FrameTable.SEGMENT_DESCRIPTORS);
        countUse(v.ldtMfns[n], FrameTable.SEGMENT_DESCRIPTORS);
      }
    }
    others.accept(this::hold);
    for (int mfn = 0; mfn < held.length; mfn++) {
      compare(mfn);
    }
    return wrong;
  }

  private void look(int mfn) {
    hold(mfn, frames.is(mfn, FrameTable.ALLOCATED) ? 1 : 0, frames.is(mfn, FrameTable.XEN_HEAP) ? 1 : 0);
    if (frames.is(mfn, FrameTable.PINNED)) {
      hold(mfn, 1, 1);
    }
    if (frames.is(mfn, FrameTable.BUSY)) {
      wrong.add("still being validated: " + frames.describe(mfn));
    }
    boolean used = frames.typeCount(mfn) > 0;
    if (used && !frames.is(mfn, FrameTable.VALIDATED)) {
      wrong.add("in use and never checked: " + frames.describe(mfn));
    }
    int type = frames.type(mfn);
    boolean table = type >= FrameTable.L1 && type <= FrameTable.L4 && frames.is(mfn, FrameTable.VALIDATED);
    int as = table || type == FrameTable.SEGMENT_DESCRIPTORS && used ? type : NOTHING;
    if (as != NOTHING || seenAs[mfn] != NOTHING) {
      count(mfn, as);
    }
  }

  /** Counts what has changed in a table since it was counted last. */
  private void count(int mfn, int as) {
    if (as == NOTHING) {
      Arrays.fill(contents, (byte) 0);
    } else {
      memory.read((long) mfn << GuestMemory.FRAME_SHIFT, contents, 0, contents.length);
    }
    if (as == seenAs[mfn] && Arrays.equals(contents, seen[mfn])) {
      return;
    }
    if (seen[mfn] == null) {
      seen[mfn] = new byte[GuestMemory.FRAME_SIZE];
    }
    ByteBuffer now = ByteBuffer.wrap(contents).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer before = ByteBuffer.wrap(seen[mfn]).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 0; at < contents.length; at += Long.BYTES) {
      if (as != seenAs[mfn] || now.getLong(at) != before.getLong(at)) {
        countWord(mfn, seenAs[mfn], at / Long.BYTES, before.getLong(at), -1);
        countWord(mfn, as, at / Long.BYTES, now.getLong(at), 1);
      }
    }
    System.arraycopy(contents, 0, seen[mfn], 0, contents.length);
    seenAs[mfn] = as;
  }

  private void countWord(int tableMfn, int as, int slot, long word, int by) {
    if (as == NOTHING) {
      return;
    }
    if (as == FrameTable.SEGMENT_DESCRIPTORS) {
      if (by > 0 && (!DescriptorChecks.allowed(word) || DescriptorChecks.fix(word) != word)) {
        wrong.add("descriptor %d is 0x%x in %s".formatted(slot, word, frames.describe(tableMfn)));
      }
      return;
    }
    long mfn = Pte.mfn(word);
    if (!Pte.present(word) || !PageTables.guestSlot(as, slot) || as > FrameTable.L1 && mfn == tableMfn) {
      return;
    }
    boolean own = frames.valid(mfn) && (by < 0 || frames.owner(mfn) == domain.id);
    if (!own || (word & Pte.LARGE) != 0) {
      wrong.add("slot 0x%x of %s has 0x%x, which maps %s".formatted(slot, frames.describe(tableMfn), word, frames.describe(mfn)));
    }
    if (frames.valid(mfn)) {
      mapped[(int) mfn] += by;
      // A table of its own level is mapped by linear page tables, read-only.
      boolean linear = as > FrameTable.L1 && (word & Pte.WRITABLE) == 0 && frames.type(mfn) == as;
      if (as > FrameTable.L1) {
        mappedAs[linear && by > 0 || by < 0 && mappedAs[as - 1][(int) mfn] == 0 ? as : as - 1][(int) mfn] += by;
      } else if ((word & Pte.WRITABLE) != 0) {
        mappedAs[FrameTable.WRITABLE][(int) mfn] += by;
      }
    }
  }

  private void countUse(long mfn, int type) {
    if (mfn != 0) {
      hold(mfn, 1, 1);
      if (frames.type(mfn) != type) {
        wrong.add("not used as " + FrameTable.typeName(type) + ": " + frames.describe(mfn));
      }
    }
  }

  private void hold(long mfn, int references, int uses) {
    held[(int) mfn] += references;
    heldUses[(int) mfn] += uses;
  }

  private void compare(int mfn) {
    int references = held[mfn] + mapped[mfn];
    int uses = heldUses[mfn];
    if (mapped[mfn] != 0) {
      for (int type = FrameTable.L1; type <= FrameTable.WRITABLE; type++) {
        int as = mappedAs[type][mfn];
        uses += as;
        if (as != 0 && frames.type(mfn) != type) {
          wrong.add("mapped as " + FrameTable.typeName(type) + ": " + frames.describe(mfn));
        }
      }
    }
    boolean concerned = frames.owner(mfn) == domain.id || frames.owner(mfn) == FrameTable.NOBODY || references != 0;
    if (concerned && (frames.count(mfn) != references || frames.typeCount(mfn) != uses)) {
      wrong.add(frames.describe(mfn) + "; counted " + references + " and " + uses);
    }
  }
}
