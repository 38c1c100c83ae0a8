package org.xenolith.xen.mm;

import org.xenolith.cpu.Cpu;
import org.xenolith.xen.GuestStruct;

/** The 32-bit count of requests done that mmu_update and mmuext_op give back through a pointer which may be null. */
final class PartialCount {
  private PartialCount() {}

  static int read(Cpu cpu, GuestStruct buffer, long va) {
    return va != 0 && buffer.read(cpu, va, 4) ? buffer.getInt(0) : 0;
  }

  /** Writes the count; an unwritable place changes no result. */
  static void write(Cpu cpu, GuestStruct buffer, long va, int count) {
    if (va != 0) {
      buffer.putInt(0, count);
      buffer.write(cpu, va, 0, 4);
    }
  }
}
