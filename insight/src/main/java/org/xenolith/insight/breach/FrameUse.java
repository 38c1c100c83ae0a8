package org.xenolith.insight.breach;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.mm.Pte;

/**
 * An entry of a page table in use that names a frame.
 *
 * @param slot the entry
 * @param va the first linear address that goes through it on the current roots, or null
 */
record FrameUse(Breach.Slot slot, Long va) {
  private static final int MOST = 64;

  /** All entries that name a frame now, at most 64, in the order of the tables' frames. */
  static List<FrameUse> of(Hypervisor xen, TableMap tables, long mfn) {
    List<FrameUse> uses = new ArrayList<>();
    FrameTable frames = xen.frames;
    for (long table = 0; table < frames.frames(); table++) {
      int level = frames.type(table);
      if (level < FrameTable.L1 || level > FrameTable.L4 || !frames.is(table, FrameTable.VALIDATED)) {
        continue;
      }
      for (int slot = 0; slot < 512; slot++) {
        long entry = xen.memory.readLong((table << GuestMemory.FRAME_SHIFT) + 8L * slot);
        boolean xens = level == FrameTable.L4 && slot >= 256 && slot < 272;
        if (Pte.present(entry) && Pte.mfn(entry) == mfn && !xens) {
          if (uses.size() == MOST) {
            return uses;
          }
          uses.add(new FrameUse(new Breach.Slot(level, table, slot, entry), tables.va(level, table, slot)));
        }
      }
    }
    return uses;
  }
}
