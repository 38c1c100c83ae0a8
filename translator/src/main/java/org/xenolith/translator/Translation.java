package org.xenolith.translator;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.Block;

/** A trace in machine code. */
final class Translation {
  /** Its blocks, that at its entry first; twice in a loop. Once one is dropped, the translation is. */
  final Block[] blocks;

  /** Instructions that it takes from the budget at its entry. */
  final int instructions;

  /** Address of its machine code. */
  long entry;

  /** How many of its instructions come before the first that the interpreter runs in any case. */
  int leading;

  /** How often it was left since a way to be faster came to nothing, and after how many instructions of the processor's that began. */
  int strikes;

  long struck;

  /** Whether it uses the SSE registers. */
  boolean sse;

  /** False once it is dropped. */
  boolean valid = true;

  /** Its exits, and those of others that lead here. */
  final List<Site> exits = new ArrayList<>();

  final List<Site> incoming = new ArrayList<>();

  Translation(Block[] blocks, int instructions) {
    this.blocks = blocks;
    this.instructions = instructions;
  }

  Block first() {
    return blocks[0];
  }
}
