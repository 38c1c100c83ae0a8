package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/**
 * Decoded instructions that follow one another, inside one page, up to the first that may leave the straight line. A single instruction
 * which crosses into the next page is a block of its own.
 */
public final class Block {
  /** Where it was decoded: its RIP (in 64-bit mode its linear address), the host address of its first byte, the processor mode. */
  public final long va;

  public final long host;

  public final CpuMode mode;

  /** Bytes long. */
  public final int length;

  /** RIP behind it. */
  public final long next;

  /** Host address of the page it crosses into, or 0. */
  public final long secondPage;

  final Op[] ops;

  /** Its instructions, at least one. */
  public final Instruction[] instructions;

  /** False once a byte of it has been overwritten. */
  boolean valid = true;

  /** For an {@link Engine}: how often it was asked to run this block, and what it made of it. */
  public int runs;

  public Object translation;

  /** The blocks that were run after this one last time: behind it, and elsewhere. Still to be checked; null when not known. */
  Block fallThrough, taken;

  /** The next block whose RIP has the same hash. */
  Block nextInChain;

  /** The next block in the same frame. */
  Block nextInFrame;

  /** For a crossing block, the next in the second frame. */
  Block nextInSecondFrame;

  Block(long va, long host, CpuMode mode, int length, long secondPage, Op[] ops, Instruction[] instructions) {
    this.va = va;
    this.host = host;
    this.mode = mode;
    this.length = length;
    this.next = mode == CpuMode.LONG64 ? va + length : va + length & 0xffff_ffffL;
    this.secondPage = secondPage;
    this.ops = ops;
    this.instructions = instructions;
  }

  /** False once a byte of it has been overwritten. */
  public boolean valid() {
    return valid;
  }

  /** The block that ran behind it ({@code falls}) or elsewhere after it last time, if it is still good; else null. */
  public Block successor(boolean falls) {
    Block b = falls ? fallThrough : taken;
    return b != null && b.valid ? b : null;
  }
}
