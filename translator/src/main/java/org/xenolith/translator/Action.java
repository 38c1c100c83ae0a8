package org.xenolith.translator;

/** How an instruction is translated. */
enum Action {
  /** The interpreter runs it. */
  INTERPRET,
  /** It is re-encoded with the host's registers and a checked address. */
  REENCODE,
  /** Nothing to do. */
  NOTHING,
  /** The same for moves, integer and bitwise operations on SSE registers. */
  VECTOR,
  LEA,
  PUSH,
  PUSHF,
  POP,
  LEAVE,
  /** Division without sign, where it does not fault. */
  DIVIDE,
  /** A multiplication of one operand. */
  MULTIPLY,
  /** CBW, CWD and their kin: fixed registers only. */
  CONVERT,
  /** The place of the first or last bit that is set. */
  SCAN,
  /** A shift of two registers; by a count in a register, where nobody wants its flags. */
  DOUBLE_SHIFT,
  /** CMPXCHG8B and CMPXCHG16B. */
  COMPARE_EXCHANGE,
  /** A copy or fill inside one page, forwards. */
  STRING,
  CLI,
  /** STI, where no interrupt is there that would have to wait for the next instruction. */
  STI,
  SWAPGS,
  /** CLD and STD. */
  DIRECTION,
  /** MOV of a segment's selector to a general register. */
  READ_SELECTOR,
  /** RDTSC and RDTSCP. */
  READ_TSC,
  JCC,
  JMP,
  JMP_INDIRECT,
  CALL,
  CALL_INDIRECT,
  RET
}
