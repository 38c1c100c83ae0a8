package org.xenolith.cpu;

import java.lang.foreign.Arena;
import java.util.HexFormat;
import org.xenolith.isa.Instruction;

/**
 * A processor with a little memory for tests: long mode at privilege level 3 (or as set), its four megabytes mapped to linear addresses of
 * the same number with 4 KiB pages that user code may write.
 */
final class Machine {
  static final int FRAMES = 1024;

  /** Frames of the page tables: the root, then one of each level, then two of the last. */
  static final long ROOT = 0x1000, LEVEL3 = 0x2000, LEVEL2 = 0x3000, LEVEL1 = 0x4000;

  static final long CODE = 0x10_0000, DATA = 0x20_0000, STACK = 0x30_0000;

  /** Bits of a present, writable user page, accessed and dirty. */
  static final long FLAGS = Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER | Mmu.ACCESSED | Mmu.DIRTY;

  final GuestMemory memory = new GuestMemory(Arena.ofAuto().allocate((long) FRAMES * GuestMemory.FRAME_SIZE, GuestMemory.FRAME_SIZE));
  final CodeCache code = new CodeCache(memory);
  final Clock clock = new Clock();
  final Cpu cpu = new Cpu(new AmdModel(), memory, code, Bus.EMPTY, clock);

  Machine() {
    memory.writeLong(ROOT, LEVEL3 | FLAGS);
    memory.writeLong(LEVEL3, LEVEL2 | FLAGS);
    for (int n = 0; n < FRAMES / 512; n++) {
      memory.writeLong(LEVEL2 + 8 * n, LEVEL1 + 0x1000L * n | FLAGS);
    }
    for (int n = 0; n < FRAMES; n++) {
      memory.writeLong(entry((long) n << 12), (long) n << 12 | FLAGS);
    }
    cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_WP | Cpu.CR0_PG | Cpu.CR0_NE | Cpu.CR0_MP;
    cpu.cr3 = ROOT;
    cpu.cr4 = Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT | 0x20;
    cpu.efer = Cpu.EFER_LMA | Cpu.EFER_LME | Cpu.EFER_NXE | Cpu.EFER_SCE;
    privilege(3);
    cpu.eflags = Cpu.IF;
    cpu.rip = CODE;
    cpu.r[Cpu.RSP] = STACK;
  }

  /** The address of the last-level entry of a linear address. */
  static long entry(long va) {
    return LEVEL1 + (va >>> 12) * 8;
  }

  Machine privilege(int level) {
    cpu.cpl = level;
    cpu.selector[Instruction.CS] = 0x30 | level;
    cpu.segmentAccess[Instruction.CS] = 0xa09b | level << 5;
    cpu.selector[Instruction.SS] = 0x28 | level;
    cpu.segmentAccess[Instruction.SS] = 0xc093 | level << 5;
    cpu.refresh();
    return this;
  }

  /** Code and data segments of 32 bits, flat. */
  Machine compatibility() {
    cpu.segmentAccess[Instruction.CS] = 0xc09b | 3 << 5;
    for (int s = 0; s < 6; s++) {
      cpu.segmentLimit[s] = -1;
      if (s != Instruction.CS) {
        cpu.segmentAccess[s] = 0xc093 | 3 << 5;
      }
    }
    cpu.refresh();
    return this;
  }

  /** Puts code at an address. */
  Machine code(long at, String hex) {
    byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
    memory.write(at, bytes, 0, bytes.length);
    return this;
  }

  /** Puts code where execution starts. */
  Machine code(String hex) {
    return code(CODE, hex);
  }

  /** Runs {@code count} counts at most. */
  Exit run(long count) {
    return cpu.run(clock.now + count);
  }

  /** Runs until the processor faults; the fault. */
  Exit.Exception fault() {
    Exit exit = run(1_000_000);
    if (exit instanceof Exit.Exception fault) {
      return fault;
    }
    throw new AssertionError(exit + " at 0x" + Long.toHexString(cpu.rip));
  }

  /** Sets the last-level entry of a linear address and forgets its translation. */
  Machine map(long va, long entry) {
    memory.writeLong(entry(va), entry);
    cpu.mmu.flushPage(va);
    return this;
  }

  long entryOf(long va) {
    return memory.readLong(entry(va));
  }

  /** Runs instructions that are to end with a spent budget. */
  Machine step(long count) {
    Exit exit = run(count);
    if (!(exit instanceof Exit.Budget)) {
      throw new AssertionError(exit + " at 0x" + Long.toHexString(cpu.rip));
    }
    return this;
  }
}
