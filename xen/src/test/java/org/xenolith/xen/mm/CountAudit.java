package org.xenolith.xen.mm;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Vcpu;

/**
 * Looks at all frames and says which of the invariants in {@link FrameTable} do not hold for a domain: counts every reference, from tables,
 * roots, pins, descriptor tables and whoever else holds one, by the type that it needs the frame to have.
 *
 * <p>An audit that is repeated looks closely only at frames of which something has changed, in the frame table, in a table's contents or in
 * what holds them; so it can be made after every hypercall.
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

  /** The frame table as it was when looked at last. */
  private final int[] owner;

  private final int[] count;
  private final int[] typeCount;
  private final byte[] type;
  private final byte[] flags;

  /** By frame: references that entries of tables hold; and by type and frame, those that need the frame to be of that type. */
  private final int[] mapped;

  private final int[][] mappedAs = new int[FrameTable.WRITABLE + 1][];

  /** By frame: references and uses that are held besides, now and when looked at last. */
  private int[] held;

  private int[] heldUses;
  private int[] lastHeld;
  private int[] lastHeldUses;

  /** By frame: as a table of which type it was counted, with what contents; and the frames that were. */
  private final int[] seenAs;

  private final byte[][] seen;
  private final BitSet tables = new BitSet();

  private final BitSet changed = new BitSet();
  private final BitSet owned = new BitSet();
  private final byte[] contents = new byte[GuestMemory.FRAME_SIZE];
  private final List<String> wrong = new ArrayList<>();

  /** @param others tells of references that the frame table, tables and vcpus know nothing of */
  public CountAudit(Domain domain, Consumer<Holder> others) {
    this.domain = domain;
    this.memory = domain.xen.memory;
    this.frames = domain.xen.frames;
    this.others = others;
    int size = (int) frames.frames();
    this.owner = new int[size];
    this.count = new int[size];
    this.typeCount = new int[size];
    this.type = new byte[size];
    this.flags = new byte[size];
    this.mapped = new int[size];
    Arrays.setAll(mappedAs, t -> new int[size]);
    this.held = new int[size];
    this.heldUses = new int[size];
    this.lastHeld = new int[size];
    this.lastHeldUses = new int[size];
    this.seenAs = new int[size];
    this.seen = new byte[size][];
    changed.set(0, size);
  }

  /** What is wrong with a domain that has nothing but page tables and descriptor tables; empty when all is right. */
  public static List<String> of(Domain domain) {
    return new CountAudit(domain, holder -> {}).differences();
  }

  /** A sentence for each broken invariant; empty when all is right. The list is the next call's, too. */
  public List<String> differences() {
    wrong.clear();
    findChanges();
    for (int mfn = changed.nextSetBit(0); mfn >= 0; mfn = changed.nextSetBit(mfn + 1)) {
      look(mfn);
    }
    for (int mfn = tables.nextSetBit(0); mfn >= 0; mfn = tables.nextSetBit(mfn + 1)) {
      countTable(mfn, seenAs[mfn]);
    }
    if (owned.cardinality() != domain.totalPages) {
      wrong.add("the domain owns " + owned.cardinality() + " frames and is said to own " + domain.totalPages);
    }
    for (int mfn = changed.nextSetBit(0); mfn >= 0; mfn = changed.nextSetBit(mfn + 1)) {
      compare(mfn);
    }
    if (wrong.isEmpty()) {
      changed.clear();
    }
    return wrong;
  }

  // ---- What has changed ----

  private void findChanges() {
    int size = owner.length;
    for (int at = 0; at < size && (at = next(frames.owner, owner, at)) >= 0; at++) {
      owner[at] = frames.owner[at];
      changed.set(at);
    }
    for (int at = 0; at < size && (at = next(frames.count, count, at)) >= 0; at++) {
      count[at] = frames.count[at];
      changed.set(at);
    }
    for (int at = 0; at < size && (at = next(frames.typeCount, typeCount, at)) >= 0; at++) {
      typeCount[at] = frames.typeCount[at];
      changed.set(at);
    }
    for (int at = 0; at < size && (at = next(frames.type, type, at)) >= 0; at++) {
      type[at] = frames.type[at];
      changed.set(at);
    }
    for (int at = 0; at < size && (at = next(frames.flags, flags, at)) >= 0; at++) {
      flags[at] = frames.flags[at];
      changed.set(at);
    }
    findHolders();
  }

  private static int next(int[] now, int[] before, int from) {
    int at = Arrays.mismatch(now, from, now.length, before, from, before.length);
    return at < 0 ? -1 : from + at;
  }

  private static int next(byte[] now, byte[] before, int from) {
    int at = Arrays.mismatch(now, from, now.length, before, from, before.length);
    return at < 0 ? -1 : from + at;
  }

  private void findHolders() {
    int[] spare = lastHeld;
    lastHeld = held;
    held = spare;
    spare = lastHeldUses;
    lastHeldUses = heldUses;
    heldUses = spare;
    Arrays.fill(held, 0);
    Arrays.fill(heldUses, 0);
    for (Vcpu v : domain.vcpus) {
      hold(v.kernelRootMfn, FrameTable.L4);
      hold(v.userRootMfn, FrameTable.L4);
      for (int n = 0; n < v.gdtMfns.length; n++) {
        hold(v.gdtMfns[n], FrameTable.SEGMENT_DESCRIPTORS);
        hold(v.ldtMfns[n], FrameTable.SEGMENT_DESCRIPTORS);
      }
    }
    others.accept(this::hold);
    for (int at = 0; at < held.length && (at = next(held, lastHeld, at)) >= 0; at++) {
      changed.set(at);
    }
    for (int at = 0; at < held.length && (at = next(heldUses, lastHeldUses, at)) >= 0; at++) {
      changed.set(at);
    }
  }

  private void hold(long mfn, int as) {
    if (mfn != 0) {
      hold(mfn, 1, 1);
      if (frames.type(mfn) != as) {
        wrong.add("not used as " + FrameTable.typeName(as) + ": " + frames.describe(mfn));
      }
    }
  }

  private void hold(long mfn, int references, int uses) {
    held[(int) mfn] += references;
    heldUses[(int) mfn] += uses;
  }

  // ---- Tables ----

  private void look(int mfn) {
    boolean own = owner[mfn] == domain.id;
    owned.set(mfn, own && !frames.is(mfn, FrameTable.XEN_HEAP));
    boolean table = type[mfn] >= FrameTable.L1 && type[mfn] <= FrameTable.L4 && frames.is(mfn, FrameTable.VALIDATED);
    boolean descriptors = type[mfn] == FrameTable.SEGMENT_DESCRIPTORS && typeCount[mfn] > 0;
    int as = own && (table || descriptors) ? type[mfn] : NOTHING;
    if (as != NOTHING || seenAs[mfn] != NOTHING) {
      countTable(mfn, as);
    }
    tables.set(mfn, as != NOTHING);
  }

  /** Counts what has changed in a table since it was counted last. */
  private void countTable(int mfn, int as) {
    if (as != NOTHING && as == seenAs[mfn] && memory.frame(mfn).mismatch(MemorySegment.ofArray(seen[mfn])) < 0) {
      return;
    }
    if (as == NOTHING) {
      Arrays.fill(contents, (byte) 0);
    } else {
      memory.read((long) mfn << GuestMemory.FRAME_SHIFT, contents, 0, contents.length);
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
    if (as == FrameTable.SEGMENT_DESCRIPTORS) {
      if (by > 0 && (!DescriptorChecks.allowed(word) || DescriptorChecks.fix(word) != word)) {
        wrong.add("descriptor %d is 0x%x in %s".formatted(slot, word, frames.describe(tableMfn)));
      }
      return;
    }
    long mfn = Pte.mfn(word);
    if (as == NOTHING || !Pte.present(word) || !PageTables.guestSlot(as, slot) || as > FrameTable.L1 && mfn == tableMfn) {
      return;
    }
    boolean own = frames.valid(mfn) && (by < 0 || frames.owner(mfn) == domain.id);
    if (!own || (word & Pte.LARGE) != 0) {
      wrong.add("slot 0x%x of %s has 0x%x, which maps %s".formatted(slot, frames.describe(tableMfn), word, frames.describe(mfn)));
    }
    if (frames.valid(mfn)) {
      changed.set((int) mfn);
      mapped[(int) mfn] += by;
      int needs = as > FrameTable.L1 ? tableType((int) mfn, as, word, by) : (word & Pte.WRITABLE) != 0 ? FrameTable.WRITABLE : NOTHING;
      if (needs != NOTHING) {
        mappedAs[needs][(int) mfn] += by;
      }
    }
  }

  /** The type that an entry of a higher table needs: the next level's, or its own for a linear page table, which is read-only. */
  private int tableType(int mfn, int as, long word, int by) {
    boolean linear = by > 0 ? (word & Pte.WRITABLE) == 0 && frames.type(mfn) == as : mappedAs[as - 1][mfn] == 0;
    return linear ? as : as - 1;
  }

  // ---- Comparison ----

  private void compare(int mfn) {
    if (frames.is(mfn, FrameTable.BUSY)) {
      wrong.add("still being validated: " + frames.describe(mfn));
    }
    boolean own = owner[mfn] == domain.id;
    if (own && typeCount[mfn] > 0 && !frames.is(mfn, FrameTable.VALIDATED)) {
      wrong.add("in use and never checked: " + frames.describe(mfn));
    }
    int references = held[mfn] + mapped[mfn];
    int uses = heldUses[mfn];
    for (int t = FrameTable.L1; t <= FrameTable.WRITABLE; t++) {
      uses += mappedAs[t][mfn];
      if (mappedAs[t][mfn] != 0 && type[mfn] != t) {
        wrong.add("mapped as " + FrameTable.typeName(t) + ": " + frames.describe(mfn));
      }
    }
    boolean concerned = own || owner[mfn] == FrameTable.NOBODY || references != 0;
    if (own) {
      int pin = frames.is(mfn, FrameTable.PINNED) ? 1 : 0;
      references += pin + (frames.is(mfn, FrameTable.ALLOCATED) ? 1 : 0);
      uses += pin + (frames.is(mfn, FrameTable.XEN_HEAP) ? 1 : 0);
    }
    if (concerned && (count[mfn] != references || typeCount[mfn] != uses)) {
      wrong.add(frames.describe(mfn) + "; counted " + references + " and " + uses);
    }
  }
}
