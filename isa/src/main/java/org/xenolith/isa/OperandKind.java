package org.xenolith.isa;

/** What an operand of a decoded {@link Instruction} is. */
public enum OperandKind {
  /** No operand in this place. */
  NONE,
  /** A general register, 0 (rax) to 15 (r15), of the operand's width. */
  GPR,
  /** One of ah, ch, dh, bh: the operand's register number is 0 to 3, the bits are 15 to 8. */
  GPR_HIGH_BYTE,
  /** Memory at the instruction's effective address. An instruction has at most one such operand. */
  MEM,
  /** The immediate {@link Instruction#imm}. */
  IMM,
  /** The second immediate {@link Instruction#imm2}. */
  IMM2,
  /** A branch target, {@link Instruction#target()}. */
  REL,
  /** An absolute memory offset (moffs), {@link Instruction#ea}. */
  MOFFS,
  /** A segment register, 0 (es) to 5 (gs). */
  SEG,
  /** A control register, 0 to 15. */
  CR,
  /** A debug register, 0 to 15. */
  DR,
  /** An x87 stack register, relative to the top of the stack, 0 to 7. */
  ST,
  /** An MMX register, 0 to 7. */
  MMX,
  /** An SSE register, 0 to 15. */
  XMM,
  /** A far pointer in the instruction: selector in imm2, offset in imm. */
  FAR,
  /** The memory a string instruction reads at rsi (segment overridable). */
  STRING_SOURCE,
  /** The memory a string instruction reads or writes at es:rdi. */
  STRING_DESTINATION,
  /** A port number: dx if the register is 2; {@link Instruction#imm} if it is {@link Instruction#NO_REGISTER}. */
  PORT
}
