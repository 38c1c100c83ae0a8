package org.xenolith.xen.mm;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Vcpu;

/** Counts every reference to a domain's frames anew, from tables, roots, pins and descriptor tables, and compares with the frame table. */
public final class CountAudit {
  private final Domain domain;
  private final GuestMemory memory;
  private final FrameTable frames;
  private final Map<Long, int[]> expected = new HashMap<>();

  private CountAudit(Domain domain) {
    this.domain = domain;
    this.memory = domain.xen.memory;
    this.frames = domain.xen.frames;
  }

  /** Frames whose counts in the table differ, with both; empty when all is right. */
  public static List<String> of(Domain domain) {
    return new CountAudit(domain).differences();
  }

  private List<String> differences() {
    for (long mfn = 0; mfn < frames.frames(); mfn++) {
      if (frames.owner(mfn) == domain.id) {
        countFrame(mfn);
      }
    }
    for (Vcpu v : domain.vcpus) {
      countHeld(v.kernelRootMfn, v.userRootMfn);
      countHeld(v.gdtMfns);
      countHeld(v.ldtMfns);
    }
    List<String> wrong = new ArrayList<>();
    for (long mfn = 0; mfn < frames.frames(); mfn++) {
      if (frames.owner(mfn) == domain.id || expected.containsKey(mfn)) {
        int[] should = expected.getOrDefault(mfn, new int[2]);
        if (frames.count(mfn) != should[0] || frames.typeCount(mfn) != should[1]) {
          wrong.add(frames.describe(mfn) + "; counted " + should[0] + " and " + should[1]);
        }
      }
    }
    return wrong;
  }

  private void countFrame(long mfn) {
    if (frames.is(mfn, FrameTable.ALLOCATED)) {
      count(mfn, 1, 0);
    }
    if (frames.is(mfn, FrameTable.XEN_HEAP)) {
      count(mfn, 0, 1);
    }
    if (frames.is(mfn, FrameTable.PINNED)) {
      count(mfn, 1, 1);
    }
    int level = frames.type(mfn);
    if (level >= FrameTable.L1 && level <= FrameTable.L4 && frames.is(mfn, FrameTable.VALIDATED)) {
      countEntries(mfn, level);
    }
  }

  private void countEntries(long tableMfn, int level) {
    for (int slot = 0; slot < 512; slot++) {
      long entry = memory.readLong(PageTables.slotPa(tableMfn, slot));
      long mfn = Pte.mfn(entry);
      boolean self = level > FrameTable.L1 && mfn == tableMfn;
      if (Pte.present(entry) && PageTables.guestSlot(level, slot) && !self) {
        count(mfn, 1, level > FrameTable.L1 || (entry & Pte.WRITABLE) != 0 ? 1 : 0);
      }
    }
  }

  private void countHeld(long... mfns) {
    for (long mfn : mfns) {
      if (mfn != 0) {
        count(mfn, 1, 1);
      }
    }
  }

  private void count(long mfn, int references, int uses) {
    int[] counts = expected.computeIfAbsent(mfn, m -> new int[2]);
    counts[0] += references;
    counts[1] += uses;
  }
}
