package org.xenolith.insight.breach;

import java.util.HashMap;
import java.util.Map;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.Pte;

/** Which linear addresses the tables of a vcpu's roots are for. */
final class TableMap {
  private final GuestMemory memory;
  private final Map<Long, Long> firstVa = new HashMap<>();

  /** Walks the vcpu's roots: some thousand tables for a kernel. */
  TableMap(Vcpu vcpu) {
    memory = vcpu.domain.xen.memory;
    if (vcpu.kernelRootMfn != 0) {
      walk(vcpu.kernelRootMfn, 4, 0);
    }
    if (vcpu.userRootMfn != 0) {
      walk(vcpu.userRootMfn, 4, 0);
    }
  }

  private void walk(long tableMfn, int level, long va) {
    if (!memory.isRam(tableMfn) || firstVa.putIfAbsent(key(level, tableMfn), va) != null || level == 1) {
      return;
    }
    for (int slot = 0; slot < 512; slot++) {
      long entry = memory.readLong((tableMfn << GuestMemory.FRAME_SHIFT) + 8L * slot);
      boolean xens = level == 4 && slot >= 256 && slot < 272;
      if (Pte.present(entry) && !xens && (entry & Mmu.LARGE) == 0) {
        walk(Pte.mfn(entry), level - 1, va + ((long) slot << 3 + 9 * level));
      }
    }
  }

  private static long key(int level, long tableMfn) {
    return tableMfn << 3 | level;
  }

  /** The first linear address of a slot, if one of the roots leads to the table; else null. */
  Long va(int level, long tableMfn, int slot) {
    Long va = firstVa.get(key(level, tableMfn));
    return va == null ? null : va + ((long) slot << 3 + 9 * level) << 16 >> 16;
  }
}
