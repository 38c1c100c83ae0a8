package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/**
 * String instructions. One entry runs at most {@link #ITERATIONS} iterations, counts once, and leaves RIP on the instruction if iterations
 * remain. Registers hold the completed iterations whenever an access may fault, so that a fault is precise. With single-step each iteration
 * is an entry of its own; a data breakpoint ends the entry.
 */
final class Strings {
  /** The most iterations of one entry. */
  static final int ITERATIONS = 4096;

  private Strings() {}

  // ---- Registers ----

  private static long mask(Instruction i) {
    return -1L >>> Operands.shift(i.addressWidth);
  }

  private static boolean repeated(Instruction i) {
    return (i.prefixes & (Instruction.REP | Instruction.REPNE)) != 0;
  }

  /** How many iterations this entry may run; 0 if the counter is 0. */
  static int limit(Cpu c, Instruction i) {
    c.unfinished = Cpu.NOTHING;
    if (!repeated(i)) {
      return 1;
    }
    long count = c.r[Cpu.RCX] & mask(i);
    long most = (c.eflags & Cpu.TF) != 0 ? 1 : ITERATIONS;
    return (int) (Long.compareUnsigned(count, most) < 0 ? count : most);
  }

  /** Counts {@code done} completed iterations. */
  static void count(Cpu c, Instruction i, int done) {
    if (repeated(i)) {
      Operands.setRegister(c, Cpu.RCX, i.addressWidth, c.r[Cpu.RCX] - done);
    }
  }

  static void advance(Cpu c, Instruction i, int register, long bytes) {
    Operands.setRegister(c, register, i.addressWidth, c.r[register] + ((c.eflags & Cpu.DF) == 0 ? bytes : -bytes));
  }

  /** Leaves RIP on the instruction if iterations remain. */
  static void finish(Cpu c, Instruction i) {
    if (repeated(i) && (c.r[Cpu.RCX] & mask(i)) != 0) {
      c.rip = i.address;
      c.unfinished = i.address;
    }
  }

  static long source(Cpu c, Instruction i, int size) {
    long offset = c.r[Cpu.RSI] & mask(i);
    return c.mode == CpuMode.LONG64 ? c.linear(i.segment, offset) : Segments.linear(c, i.segment, offset, size, false);
  }

  static long destination(Cpu c, Instruction i, int size, boolean write) {
    long offset = c.r[Cpu.RDI] & mask(i);
    return c.mode == CpuMode.LONG64 ? offset : Segments.linear(c, Instruction.ES, offset, size, write);
  }

  /** How many whole elements lie from {@code va} to the end of its page. */
  private static int elementsInPage(long va, int width) {
    return (GuestMemory.FRAME_SIZE - (int) (va & GuestMemory.FRAME_SIZE - 1)) / width;
  }

  private static boolean inBulk(Cpu c, Instruction i) {
    return repeated(i) && (c.eflags & Cpu.DF) == 0 && c.mode == CpuMode.LONG64 && i.addressWidth == 8;
  }

  // ---- MOVS ----

  static void movs(Cpu c, Instruction i) {
    int width = i.width;
    int left = limit(c, i);
    while (left > 0) {
      int n = inBulk(c, i) ? copy(c, i, width, left) : 0;
      if (n == 0) {
        c.mmu.write(destination(c, i, width, true), width, c.mmu.read(source(c, i, width), width));
        n = 1;
      }
      advance(c, i, Cpu.RSI, (long) n * width);
      advance(c, i, Cpu.RDI, (long) n * width);
      count(c, i, n);
      left -= n;
      if (c.interrupted()) {
        break;
      }
    }
    finish(c, i);
  }

  /** Copies what lies in the current pages of source and destination, at most {@code most} elements; 0 if it must be done one by one. */
  private static int copy(Cpu c, Instruction i, int width, int most) {
    long from = c.linear(i.segment, c.r[Cpu.RSI]);
    long to = c.r[Cpu.RDI];
    int n = Math.min(most, Math.min(elementsInPage(from, width), elementsInPage(to, width)));
    if (n < 2) {
      return 0;
    }
    long source = c.mmu.hostForRead(from);
    if (source == 0) {
      return 0;
    }
    long target = c.mmu.hostForWrite(to);
    if (target == 0) {
      return 0;
    }
    long bytes = (long) n * width;
    if (target > source && target < source + bytes) {
      // Overlapping forwards: what is copied comes round again.
      return 0;
    }
    Host.copy(source, target, bytes);
    return n;
  }

  // ---- STOS ----

  static void stos(Cpu c, Instruction i) {
    int width = i.width;
    int left = limit(c, i);
    while (left > 0) {
      int n = inBulk(c, i) ? fill(c, width, left) : 0;
      if (n == 0) {
        c.mmu.write(destination(c, i, width, true), width, c.r[Cpu.RAX]);
        n = 1;
      }
      advance(c, i, Cpu.RDI, (long) n * width);
      count(c, i, n);
      left -= n;
      if (c.interrupted()) {
        break;
      }
    }
    finish(c, i);
  }

  private static int fill(Cpu c, int width, int most) {
    long to = c.r[Cpu.RDI];
    int n = Math.min(most, elementsInPage(to, width));
    if (n < 2) {
      return 0;
    }
    long target = c.mmu.hostForWrite(to);
    if (target == 0) {
      return 0;
    }
    long a = c.r[Cpu.RAX];
    long value =
        switch (width) {
          case 1 -> (a & 0xff) * 0x0101_0101_0101_0101L;
          case 2 -> (a & 0xffff) * 0x0001_0001_0001_0001L;
          case 4 -> (a & 0xffff_ffffL) * 0x0000_0001_0000_0001L;
          default -> a;
        };
    int bytes = n * width;
    if (value == (value & 0xff) * 0x0101_0101_0101_0101L) {
      Host.fill(target, bytes, (int) value);
      return n;
    }
    int at = 0;
    for (; at + 8 <= bytes; at += 8) {
      Host.putLong(target + at, value);
    }
    for (; at < bytes; at += width) {
      if (width == 4) {
        Host.putInt(target + at, (int) value);
      } else {
        Host.putShort(target + at, (int) value);
      }
    }
    return n;
  }

  // ---- LODS, SCAS, CMPS ----

  static void lods(Cpu c, Instruction i) {
    int width = i.width;
    for (int left = limit(c, i); left > 0 && !c.interrupted(); left--) {
      Operands.setRegister(c, Cpu.RAX, width, c.mmu.read(source(c, i, width), width));
      advance(c, i, Cpu.RSI, width);
      count(c, i, 1);
    }
    finish(c, i);
  }

  /** Whether REPE or REPNE goes on after a comparison. */
  private static boolean goesOn(Cpu c, Instruction i) {
    return c.zf() == ((i.prefixes & Instruction.REP) != 0);
  }

  static void scas(Cpu c, Instruction i) {
    int width = i.width;
    int shift = Operands.shift(width);
    for (int left = limit(c, i); left > 0; left--) {
      Arithmetic.sub(c, c.r[Cpu.RAX], c.mmu.read(destination(c, i, width, false), width), shift);
      advance(c, i, Cpu.RDI, width);
      count(c, i, 1);
      if (!repeated(i) || !goesOn(c, i)) {
        return;
      }
      if (c.interrupted()) {
        break;
      }
    }
    finish(c, i);
  }

  static void cmps(Cpu c, Instruction i) {
    int width = i.width;
    int shift = Operands.shift(width);
    for (int left = limit(c, i); left > 0; left--) {
      long source = source(c, i, width);
      long destination = destination(c, i, width, false);
      if (!Mmu.canonical(destination)) {
        throw c.nonCanonical(destination);
      }
      long a = c.mmu.read(source, width);
      Arithmetic.sub(c, a, c.mmu.read(destination, width), shift);
      advance(c, i, Cpu.RSI, width);
      advance(c, i, Cpu.RDI, width);
      count(c, i, 1);
      if (!repeated(i) || !goesOn(c, i)) {
        return;
      }
      if (c.interrupted()) {
        break;
      }
    }
    finish(c, i);
  }
}
