package org.xenolith.xen.mm;

import org.xenolith.cpu.GuestMemory;

/** Prints what a root maps, for diagnosis: one line for each run of pages with consecutive frames and the same rights. */
public final class PageTableDump {
  private static final int MAX_LINES = 10_000;

  private final GuestMemory memory;
  private final FrameTable frames;
  private final StringBuilder text = new StringBuilder();
  private int lines;

  private long runVa, runMfn, runFlags, runBytes;

  private PageTableDump(GuestMemory memory, FrameTable frames) {
    this.memory = memory;
    this.frames = frames;
  }

  /**
   * The mappings of the root in frame {@code rootMfn}, sorted by linear address: range, first frame, its pfn, rights. At most 10,000 lines.
   * Linear page tables are printed as what they are for the processor, down to the pages; what Xen has for itself is left out.
   */
  public static String of(GuestMemory memory, FrameTable frames, long rootMfn) {
    PageTableDump dump = new PageTableDump(memory, frames);
    dump.walk(rootMfn, FrameTable.L4, 0, Pte.WRITABLE | Pte.USER);
    dump.endRun();
    return dump.text.toString();
  }

  private void walk(long tableMfn, int level, long va, long rights) {
    for (int slot = 0; slot < PageTables.ENTRIES && lines < MAX_LINES; slot++) {
      long entry = memory.readLong(PageTables.slotPa(tableMfn, slot));
      boolean xens = level == FrameTable.L4 && !PageTables.guestSlot(level, slot) && slot != PageTables.FIRST_XEN_SLOT;
      if (!Pte.present(entry) || xens) {
        continue;
      }
      int shift = 12 + 9 * (level - 1);
      long at = va | (long) slot << shift;
      at = at << 16 >> 16;
      long mfn = Pte.mfn(entry);
      if (level == FrameTable.L1 || (entry & Pte.LARGE) != 0) {
        long flags = entry & ~Pte.ADDRESS & ~(Pte.WRITABLE | Pte.USER) | rights & entry;
        page(at, 1L << shift, mfn, flags);
      } else if (memory.isRam(mfn)) {
        walk(mfn, level - 1, at, rights & entry);
      } else {
        endRun();
        line("%016x  L%d entry %s leads outside RAM".formatted(at, level, Pte.hex(entry)));
      }
    }
  }

  private void page(long va, long bytes, long mfn, long flags) {
    long shown = flags & ~(Pte.ACCESSED | Pte.DIRTY);
    boolean continues = runBytes != 0 && va == runVa + runBytes && mfn == runMfn + (runBytes >>> 12) && shown == runFlags;
    if (!continues) {
      endRun();
      runVa = va;
      runMfn = mfn;
      runFlags = shown;
    }
    runBytes += bytes;
  }

  private void endRun() {
    if (runBytes != 0) {
      String pfn = frames.valid(runMfn) && frames.pfn(runMfn) != FrameTable.INVALID_PFN ? "pfn %x".formatted(frames.pfn(runMfn)) : "no pfn";
      line("%016x-%016x  mfn %x  %s  %s".formatted(runVa, runVa + runBytes - 1, runMfn, pfn, rights(runFlags)));
      runBytes = 0;
    }
  }

  private void line(String line) {
    text.append(line).append('\n');
    lines++;
  }

  private static String rights(long flags) {
    StringBuilder rights = new StringBuilder();
    rights.append('r').append((flags & Pte.WRITABLE) != 0 ? 'w' : '-').append(flags < 0 ? '-' : 'x');
    rights.append((flags & Pte.GUEST_KERNEL) != 0 ? " kernel" : (flags & Pte.USER) != 0 ? " user" : " xen");
    if ((flags & Pte.GLOBAL) != 0) {
      rights.append(" global");
    }
    if ((flags & Pte.LARGE) != 0) {
      rights.append(" large");
    }
    return rights.toString();
  }
}
