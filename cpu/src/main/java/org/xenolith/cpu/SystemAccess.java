package org.xenolith.cpu;

/**
 * What the processor reads and writes for itself, in descriptor tables and task state segments: a supervisor's accesses whatever the
 * privilege level, to which AC does not open user pages (AMD64 APM volume 2, section 5.6.6).
 */
final class SystemAccess {
  private SystemAccess() {}

  /** Reads 1, 2, 4 or 8 bytes, as {@link Mmu#read}. */
  static long read(Cpu c, long va, int size) {
    int level = c.cpl;
    int flags = c.eflags;
    if (level != 3 && (flags & Cpu.AC) == 0) {
      return c.mmu.read(va, size);
    }
    asSystem(c);
    try {
      return c.mmu.read(va, size);
    } finally {
      as(c, level, flags);
    }
  }

  /** Writes 1, 2, 4 or 8 bytes, as {@link Mmu#write}. */
  static void write(Cpu c, long va, int size, long value) {
    int level = c.cpl;
    int flags = c.eflags;
    asSystem(c);
    try {
      c.mmu.write(va, size, value);
    } finally {
      as(c, level, flags);
    }
  }

  private static void asSystem(Cpu c) {
    as(c, 0, c.eflags & ~Cpu.AC);
  }

  private static void as(Cpu c, int level, int flags) {
    c.cpl = level;
    c.eflags = flags;
    c.mmu.select();
  }
}
