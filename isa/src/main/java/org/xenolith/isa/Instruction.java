package org.xenolith.isa;

/**
 * One decoded instruction at one virtual address: plain data, made by the {@link Decoder}, never changed after. The fields are public and
 * final because an interpreter reads them for every instruction it runs.
 */
public final class Instruction {
  /** {@link #base} or {@link #index} when the effective address has none. Also the index of a register that always reads 0. */
  public static final int NO_REGISTER = 16;

  /** Bits of {@link #prefixes}. */
  public static final int LOCK = 1, REP = 2, REPNE = 4, OPERAND_SIZE = 8, ADDRESS_SIZE = 16, REX = 32, REX_W = 64, SEGMENT = 128;

  /** Values of {@link #segment}. */
  public static final int ES = 0, CS = 1, SS = 2, DS = 3, FS = 4, GS = 5;

  /** The row of the table that this is an instance of. */
  public final Encoding encoding;

  /** The virtual address of the first byte. */
  public final long address;

  /** Length in bytes, 1 to 15. */
  public final int length;

  /** Prefixes that were present and effective (an ignored REX is not), see {@link #LOCK} and the rest. */
  public final int prefixes;

  /** Width of the operation in bytes: 1, 2, 4, 8; 16 for whole SSE registers; what the row says where operands differ. */
  public final int width;

  /** Width of effective addresses in bytes: 2, 4 or 8. */
  public final int addressWidth;

  /** The kinds of the operands in the order of Intel's manual, the destination first. */
  public final OperandKind kind0, kind1, kind2, kind3;

  /** The operands' register numbers (without meaning for kinds that have none). */
  public final int reg0, reg1, reg2, reg3;

  /** Segment of the memory operand, by override or by default: {@link #DS}, or {@link #SS} for bases rsp and rbp. */
  public final int segment;

  /** Base register 0 to 15 or {@link #NO_REGISTER}. A RIP-relative operand has neither base nor index. */
  public final int base;

  /** Index register 0 to 15 or {@link #NO_REGISTER}. */
  public final int index;

  /** The index is shifted left by this: 0 to 3. */
  public final int shift;

  /** Whether the memory operand was RIP-relative. */
  public final boolean ripRelative;

  /** Displacement as encoded, sign-extended to 64 bits. */
  public final long displacement;

  /**
   * What to add to base and index to get the offset of the memory operand: the displacement, or for RIP-relative operands the absolute
   * address. For {@link OperandKind#MOFFS} the offset itself.
   */
  public final long ea;

  /** The immediate, extended to 64 bits as the row says (sign-extended unless the instruction zero-extends it); a branch's displacement. */
  public final long imm;

  /** Second immediate (ENTER's level, a far pointer's selector). */
  public final long imm2;

  // The constructor, next(), target(), toString() follow from the decoder's needs.
}
