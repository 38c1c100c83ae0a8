package org.xenolith.isa;

/**
 * One decoded instruction at one virtual address: plain data, made by the {@link Decoder}, never changed after. The fields are public and
 * final because an interpreter reads them for every instruction it runs, and no wider than they must be because a kernel's boot keeps a
 * quarter of a million instructions.
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
  public final byte length;

  /**
   * Prefixes that were present and effective, see {@link #LOCK} and the rest. Not among them: an ignored REX or segment, and a 66, F3 or F2
   * that is a part of the row's opcode (PAUSE has no {@link #REP}).
   */
  public final short prefixes;

  /** Width of the operation in bytes: 1, 2, 4, 8; 16 for whole SSE registers; what the row says where operands differ. */
  public final byte width;

  /** Width of effective addresses in bytes: 2, 4 or 8. */
  public final byte addressWidth;

  /** The kinds of the operands in the order of Intel's manual, the destination first. */
  public final OperandKind kind0, kind1, kind2, kind3;

  /** The operands' register numbers (without meaning for kinds that have none). */
  public final byte reg0, reg1, reg2, reg3;

  /** Segment of the memory operand, by override or by default: {@link #DS}, or {@link #SS} for bases rsp and rbp. */
  public final byte segment;

  /** Base register 0 to 15 or {@link #NO_REGISTER}. A RIP-relative operand has neither base nor index. */
  public final byte base;

  /** Index register 0 to 15 or {@link #NO_REGISTER}. */
  public final byte index;

  /** The index is shifted left by this: 0 to 3. */
  public final byte shift;

  /** Whether the memory operand was RIP-relative. */
  public final boolean ripRelative;

  /**
   * What to add to base and index to get the offset of the memory operand: the displacement, or for RIP-relative operands the absolute
   * address. For {@link OperandKind#MOFFS} the offset itself.
   */
  public final long ea;

  /** The immediate, extended to 64 bits as the row says (sign-extended unless the instruction zero-extends it); a branch's displacement. */
  public final long imm;

  /** Second immediate (ENTER's level, a far pointer's selector). */
  public final char imm2;

  /** The row's mnemonic; {@link Mnemonic#INVALID} and {@link Mnemonic#TOO_LONG} for what is no instruction. */
  public final Mnemonic mnemonic;

  /** Condition of JCC, SETCC and CMOVCC, 0 to 15 as in the opcode's low bits (see {@link Condition}); 0 for others. */
  public final byte condition;

  /** Size of the second operand in bytes (the source of MOVZX, MOVSX, CVTxx2xx); 0 without one or where the row gives no size. */
  public final byte sourceWidth;

  /** Bytes that the row says its memory operand has; 0 without one, and for operands whose size the instruction knows itself. */
  public final byte memoryWidth;

  /** The ModRM byte, for the x87 unit that stores it; without meaning where the row has none. */
  public final short modrm;

  /** The mode it was decoded for. */
  public final CpuMode mode;

  Instruction(Decoder from, Encoding encoding) {
    this.encoding = encoding;
    mnemonic = encoding.mnemonic;
    mode = from.mode;
    address = from.address;
    length = (byte) from.position;
    prefixes = (short) from.prefixes;
    width = (byte) from.width;
    addressWidth = (byte) from.addressWidth;
    sourceWidth = (byte) from.sourceWidth;
    memoryWidth = (byte) from.memoryWidth;
    modrm = (short) (from.mod << 6 | from.reg << 3 | from.rm);
    condition = (byte) (encoding.condition ? from.opcode & 15 : 0);
    kind0 = from.kinds[0];
    kind1 = from.kinds[1];
    kind2 = from.kinds[2];
    kind3 = from.kinds[3];
    reg0 = (byte) from.registers[0];
    reg1 = (byte) from.registers[1];
    reg2 = (byte) from.registers[2];
    reg3 = (byte) from.registers[3];
    segment = (byte) from.segment;
    base = (byte) from.base;
    index = (byte) from.index;
    shift = (byte) from.shift;
    ripRelative = from.ripRelative;
    ea = ripRelative ? truncate(address + length + from.displacement, addressWidth) : from.displacement;
    imm = from.imm;
    imm2 = (char) from.imm2;
  }

  /** Displacement as encoded, sign-extended to 64 bits. */
  public long displacement() {
    return ripRelative ? (int) (ea - address - length) : ea;
  }

  /** The virtual address of the byte after it, truncated to 32 bits outside 64-bit mode. */
  public long next() {
    return mode == CpuMode.LONG64 ? address + length : truncate(address + length, 4);
  }

  /** The target of a relative branch: {@link #next()} plus the displacement, truncated to the operand size. */
  public long target() {
    return truncate(address + length + imm, width);
  }

  /** Whether all these {@link #prefixes} are there. */
  public boolean has(int prefixes) {
    return (this.prefixes & prefixes) == prefixes;
  }

  /** Whether an operand is memory reached by ModRM. */
  public boolean hasMemory() {
    return kind0 == OperandKind.MEM || kind1 == OperandKind.MEM || kind2 == OperandKind.MEM;
  }

  /** Kind of operand {@code i}, 0 to 3. */
  public OperandKind kind(int i) {
    return switch (i) {
      case 0 -> kind0;
      case 1 -> kind1;
      case 2 -> kind2;
      default -> kind3;
    };
  }

  /** Register of operand {@code i}, 0 to 3. */
  public int reg(int i) {
    return switch (i) {
      case 0 -> reg0;
      case 1 -> reg1;
      case 2 -> reg2;
      default -> reg3;
    };
  }

  static long truncate(long value, int bytes) {
    return bytes == 8 ? value : value & (1L << bytes * 8) - 1;
  }

  /** As {@link Printer} prints it. */
  @Override
  public String toString() {
    return Printer.print(this);
  }
}
