package org.xenolith.translator;

import org.xenolith.cpu.Block;

/**
 * A place where machine code may be left. Its number is in {@link State#SITE} then, and all registers and flags are exact in {@link State}.
 */
final class Site {
  /** Why machine code is left. */
  enum Kind {
    /** The interpreter is to run one instruction; machine code may go on behind it. For some, a TLB entry may be all that is missing. */
    INSTRUCTION,
    /** The trace is over: RIP is {@link #target}. */
    EXIT,
    /** Fewer instructions may be run than the trace has, or the page it crosses into is another one: none of it was run. */
    BUDGET
  }

  final Kind kind;
  final Translation translation;

  /** For an instruction: where it is. */
  Block block;

  int place;

  /** For an instruction: how much of the budget was taken for instructions from the start of its block on. */
  int refund;

  /** For an instruction: the address of the machine code behind it, or 0. */
  long resume;

  /**
   * For an instruction that may lack a TLB entry: the address of machine code that tries once more, or 0; the kind of access and its bytes.
   * The linear address is in {@link State#ADDRESS}.
   */
  long retry;

  int access, size;

  /** For an instruction: that it leaves the SSE registers alone, that it is a translated SSE instruction. */
  boolean keepsSse, vector;

  /** For an instruction, and for an exit between the rounds of a loop: what comes next in the trace, by its place; else 0. */
  int index;

  /** For an instruction: that machine code cannot go on behind it if the interpreter runs it. */
  boolean finish;

  /** For an instruction: that it is in the second round of a loop that relies on {@link LoopAddresses}. */
  boolean loop;

  /** For an instruction: that it looks for a window, see {@link Windows}; that one was found before which is of use in it or behind it. */
  boolean window, reliesOnWindows;

  /** For an instruction: that it is not translated. */
  boolean interpreted;

  /** For an exit: where the guest goes on. */
  long target;

  /** For an exit: the address of the displacement of the jump to patch, and where the jump leads when it is linked to nothing. */
  long patch, unlinked;

  /** For an exit: what it leads to, or null. */
  Translation linked;

  Site(Kind kind, Translation translation) {
    this.kind = kind;
    this.translation = translation;
  }
}
