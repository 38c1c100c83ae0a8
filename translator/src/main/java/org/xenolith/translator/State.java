package org.xenolith.translator;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;

/**
 * What machine code and Java share of one processor, in one block of host memory. Machine code holds its address in {@link Host#STATE}; the
 * places below are distances from there, the most used within a signed byte.
 *
 * <p>Outside machine code all general registers are in the block. Inside, most are in host registers ({@link Host#HOME}).
 */
final class State {
  /** General register n is at {@code REGISTERS + 8 * n}. */
  static final int REGISTERS = -128;

  /** The tables of the TLB. */
  static final int TLB = 0;

  /** The table of {@link JumpCache}. */
  static final int JUMPS = 8;

  /** The arithmetic flags: a byte that is 1 for OF, then one as LAHF has them. */
  static final int FLAGS = 16;

  /** Instructions that may still be run. */
  static final int BUDGET = 20;

  /** Bases of FS and GS. */
  static final int FS = 24, GS = 32;

  /** The {@link Site} at which machine code was left. */
  static final int SITE = 40;

  /** A byte that is 1 while the SSE registers are in this block and may be used. */
  static final int SSE = 44;

  /** Working space. */
  static final int SCRATCH = 48, SCRATCH2 = 56;

  /** SSE register n is at {@code XMM + 16 * n}. */
  static final int XMM = 128;

  private static final int SIZE = 128 + 128 + 256;

  private final MemorySegment memory;

  /** What machine code holds in {@link Host#STATE}. */
  final long base;

  State(Arena arena) {
    memory = arena.allocate(SIZE, 64);
    base = memory.address() + 128;
  }

  /** Copies the processor's registers here. */
  void load(Cpu cpu) {
    long[] r = cpu.r;
    long at = base + REGISTERS;
    for (int n = 0; n < 16; n++) {
      Native.putLong(at + 8 * n, r[n]);
    }
    int flags = cpu.arithmeticFlags();
    Native.putShort(base + FLAGS, flags << 8 | flags >> 11 & 1);
    Native.putLong(base + FS, cpu.effectiveBase(Instruction.FS));
    Native.putLong(base + GS, cpu.effectiveBase(Instruction.GS));
    Native.putLong(base + TLB, cpu.mmu.tables());
  }

  /** Copies the registers back. */
  void store(Cpu cpu) {
    long[] r = cpu.r;
    long at = base + REGISTERS;
    for (int n = 0; n < 16; n++) {
      r[n] = Native.getLong(at + 8 * n);
    }
    int flags = Native.getShort(base + FLAGS);
    cpu.setArithmeticFlags(flags >> 8 & 0xff | (flags & 1) << 11);
  }

  /** Whether the SSE registers are here. */
  boolean hasSse() {
    return Native.getByte(base + SSE) != 0;
  }

  /** Copies the SSE registers here, for machine code to use until {@link #storeSse}. */
  void loadSse(Cpu cpu) {
    long[] xmm = cpu.xmm;
    for (int n = 0; n < 32; n++) {
      Native.putLong(base + XMM + 8 * n, xmm[n]);
    }
    Native.putByte(base + SSE, 1);
  }

  /** Copies the SSE registers back, if they are here. */
  void storeSse(Cpu cpu) {
    if (!hasSse()) {
      return;
    }
    long[] xmm = cpu.xmm;
    for (int n = 0; n < 32; n++) {
      xmm[n] = Native.getLong(base + XMM + 8 * n);
    }
    Native.putByte(base + SSE, 0);
  }

  int budget() {
    return Native.getInt(base + BUDGET);
  }

  void budget(int instructions) {
    Native.putInt(base + BUDGET, instructions);
  }
}
