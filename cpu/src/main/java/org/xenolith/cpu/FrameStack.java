package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/**
 * The stack on which an event or a call gate leaves its frame: the current one, or that which the task state segment names for an inner
 * privilege level. After {@link #begin} a fault may come at any point, and {@link #restore} undoes what was done.
 */
final class FrameStack {
  /** Where a 64-bit TSS has RSP of level 0, and the pointer of IST 1 (AMD64 APM volume 2, section 12.2.5). */
  private static final int RSP0 = 4, IST1 = 0x24;

  private final Cpu c;

  /** What is to be pushed, the first first: two for the old stack, 31 parameters at most, flags, two for the code, an error code. */
  private final long[] words = new long[40];

  private int count;

  /** Whether the stack has been switched outside long mode: then its faults name its selector. */
  private boolean switched;

  private int cpl, selector, limit, access;
  private long pointer, base;

  FrameStack(Cpu c) {
    this.c = c;
  }

  /** Begins a frame on the current stack. */
  void begin() {
    count = 0;
    switched = false;
    cpl = c.cpl;
    pointer = c.r[Cpu.RSP];
    selector = c.selector[Instruction.SS];
    base = c.segmentBase[Instruction.SS];
    limit = c.segmentLimit[Instruction.SS];
    access = c.segmentAccess[Instruction.SS];
  }

  /** The processor is again on the stack and at the privilege level of {@link #begin}. */
  void restore() {
    c.r[Cpu.RSP] = pointer;
    c.selector[Instruction.SS] = selector;
    c.segmentBase[Instruction.SS] = base;
    c.segmentLimit[Instruction.SS] = limit;
    c.segmentAccess[Instruction.SS] = access;
    setLevel(cpl);
  }

  private void setLevel(int level) {
    if (c.cpl != level) {
      c.cpl = level;
      c.mmu.select();
    }
  }

  /** The old stack's selector, to be pushed. */
  int oldSelector() {
    return selector;
  }

  /** The old stack's pointer, to be pushed. */
  long oldPointer() {
    return pointer;
  }

  // ---- Long mode ----

  /** The stack pointer of a level in the task state segment. */
  long pointerOfLevel(int level) {
    return task(RSP0 + 8 * level, 8);
  }

  /** The stack pointer of an interrupt stack, 1 to 7, in the task state segment. */
  long pointerOfIst(int number) {
    return task(IST1 + 8 * (number - 1), 8);
  }

  /** Goes to an inner level, whose SS is null. */
  void enter(int level) {
    Segments.setNull(c, Instruction.SS, level);
    setLevel(level);
  }

  private long task(int offset, int size) {
    if (offset + size - 1 > (c.taskLimit & 0xffff_ffffL)) {
      throw c.fault(Fault.TS, c.taskSelector & 0xfffc);
    }
    return SystemAccess.read(c, c.taskBase + offset, size);
  }

  /** Writes the frame in quadwords below a stack pointer, which then is RSP. */
  void write64(long top) {
    long bottom = top - 8L * count;
    if (!Mmu.canonical(bottom) || !Mmu.canonical(top - 1)) {
      throw c.fault(Fault.SS, 0);
    }
    c.mmu.checkWritable(bottom, 8 * count);
    for (int k = 0; k < count; k++) {
      c.mmu.write64(top - 8L * (k + 1), words[k]);
    }
    c.r[Cpu.RSP] = bottom;
  }

  // ---- Legacy modes ----

  /** Goes to an inner level and the stack that the task state segment of 32 or 16 bits has for it (AMD64 APM volume 2, section 12.2.3). */
  void enterLegacy(int level) {
    boolean wide = (c.taskAccess & 0xf & ~SystemTables.BUSY) == SystemTables.TSS32;
    int size = wide ? 4 : 2;
    int at = wide ? 4 + 8 * level : 2 + 4 * level;
    long newPointer = task(at, size);
    int newSelector = (int) task(at + size, 2);
    if (Segments.isNull(newSelector)) {
      throw c.fault(Fault.TS, 0);
    }
    long descriptor = Segments.stackDescriptor(c, newSelector, level, Fault.TS);
    Segments.touch(c, newSelector, descriptor);
    Segments.put(c, Instruction.SS, newSelector, descriptor);
    c.r[Cpu.RSP] = newPointer;
    setLevel(level);
    switched = true;
  }

  /** Writes the frame in words of {@code width} bytes on the stack that SS and its pointer name now. */
  void write(int width) {
    try {
      for (int k = 1; k <= count; k++) {
        c.mmu.checkWritable(address(k, width), width);
      }
    } catch (Fault f) {
      if (switched && f.vector == Fault.SS) {
        f.errorCode = c.selector[Instruction.SS] & 0xfffc;
      }
      throw f;
    }
    for (int k = 1; k <= count; k++) {
      c.mmu.write(address(k, width), width, words[k - 1]);
    }
    Stack.adjust(c, -(long) count * width);
  }

  private long address(int k, int width) {
    return Stack.address(c, Stack.pointer(c, -(long) k * width), width, true);
  }

  // ---- The frame ----

  /** Adds what is to be pushed next. */
  void add(long word) {
    words[count++] = word;
  }
}
