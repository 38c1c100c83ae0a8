package org.xenolith.isa;

import static org.xenolith.isa.Instruction.NO_REGISTER;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Makes {@link Instruction}s of bytes, by the table. Decodes what the processor would: prefixes it ignores are ignored, and what it refuses
 * with #UD is an instruction {@link Mnemonic#INVALID}; what has more than 15 bytes is {@link Mnemonic#TOO_LONG}, which is #GP. Rows are
 * decoded whether a processor offers their {@link Encoding#feature} or not.
 *
 * <p>Where the manuals differ, AMD's holds: 66 makes near branches 16 bits wide in 64-bit mode.
 *
 * <p>A decoder has working memory of its own: one thread at a time.
 */
public final class Decoder {
  /** The longest instruction in bytes (Intel SDM volume 2, 2.3.11). */
  public static final int MAX_LENGTH = 15;

  /** What every {@link Mnemonic#INVALID} instruction has for a row. */
  public static final Encoding INVALID = InstructionTable.noRow(Mnemonic.INVALID);

  /** What every {@link Mnemonic#TOO_LONG} instruction has for a row. */
  public static final Encoding TOO_LONG = InstructionTable.noRow(Mnemonic.TOO_LONG);

  // Results, which the constructor of Instruction takes from here.
  final OperandKind[] kinds = new OperandKind[4];
  final int[] registers = new int[4];
  CpuMode mode;
  long address;
  int position;
  int prefixes;
  int opcode;
  int width;
  int sourceWidth;
  int memoryWidth;
  int addressWidth;
  int segment;
  int base;
  int index;
  int shift;
  boolean ripRelative;
  long displacement;
  long imm;
  long imm2;

  /**
   * The first bytes of the instruction. The longest run that is looked at before the length is checked: 15 prefixes, opcode, ModRM, SIB,
   * displacement and two immediates. Bytes past those available are old and of no matter, since the length tells in the end.
   */
  private final byte[] bytes = new byte[64];

  private int available;
  private int rex;
  private int vexPrefix;
  private int vexL;
  private int repeat;
  private int operandSize;
  int mod;
  int reg;
  int rm;

  /**
   * Decodes the instruction at {@code code[offset]}.
   *
   * @param limit the index after the last byte that may be read
   * @param address the virtual address of the first byte
   * @return the instruction, or null if it needs bytes from {@code limit} on
   */
  public Instruction decode(byte[] code, int offset, int limit, long address, CpuMode mode) {
    available = Math.min(limit - offset, MAX_LENGTH);
    System.arraycopy(code, offset, bytes, 0, available);
    return decode(address, mode);
  }

  /** As {@link #decode(byte[], int, int, long, CpuMode)}, from memory. {@code limit} is an offset in {@code code}. */
  public Instruction decode(MemorySegment code, long offset, long limit, long address, CpuMode mode) {
    available = (int) Math.min(limit - offset, MAX_LENGTH);
    MemorySegment.copy(code, ValueLayout.JAVA_BYTE, offset, bytes, 0, available);
    return decode(address, mode);
  }

  /**
   * As {@link #decode(byte[], int, int, long, CpuMode)}, from bytes that are asked for as they are needed, in order: none is asked for that
   * the instruction does not have.
   */
  public Instruction decode(CodeBytes code, long address, CpuMode mode) {
    available = 0;
    while (true) {
      Instruction instruction = decode(address, mode);
      if (instruction != null) {
        return instruction;
      }
      int next = code.byteAt(available);
      if (next < 0) {
        return null;
      }
      bytes[available++] = (byte) next;
    }
  }

  private Instruction decode(long address, CpuMode mode) {
    this.address = address;
    this.mode = mode;
    clear();
    int map = readPrefixesAndMap();
    if (position > available) {
      return cut();
    }
    InstructionTable table = InstructionTable.of(mode == CpuMode.LONG64, map > Encoding.MAP_0F3A);
    int place = map << 8 | opcode;
    int mandatory = map > Encoding.MAP_0F3A ? vexPrefix : repeat != 0 ? repeat : (prefixes & Instruction.OPERAND_SIZE) != 0 ? 1 : 0;
    short[] strides = table.strides;
    int at = place * 8;
    int cell =
        table.firstCell[place]
            + mandatory * strides[at]
            + (rex >> 3 & 1) * strides[at + InstructionTable.W]
            + vexL * strides[at + InstructionTable.L]
            + (rex & 1) * strides[at + InstructionTable.REX_B];
    if (table.modrm[place]) {
      int modrm = next();
      mod = modrm >> 6;
      reg = modrm >> 3 & 7;
      rm = modrm & 7;
      cell +=
          (mod == 3 ? strides[at + InstructionTable.MOD3] : 0)
              + reg * strides[at + InstructionTable.REG]
              + rm * strides[at + InstructionTable.RM];
    }
    Encoding row = table.cells[cell];
    if (position > available) {
      return cut();
    }
    return row == null ? new Instruction(this, INVALID) : finish(row);
  }

  private Instruction finish(Encoding row) {
    decideWidths(row);
    if (row.modrm && mod != 3 && !row.has(Encoding.ANY_MOD)) {
      readMemoryOperand();
    }
    if (!readOperands(row)) {
      return position > available ? cut() : new Instruction(this, INVALID);
    }
    if (position > available || position > MAX_LENGTH) {
      return cut();
    }
    if ((prefixes & Instruction.LOCK) != 0 && !(row.has(Encoding.LOCKABLE) && kinds[0] == OperandKind.MEM)) {
      return new Instruction(this, INVALID);
    }
    return new Instruction(this, row);
  }

  /** More bytes are needed than there are; unless there were 15. */
  private Instruction cut() {
    if (available < MAX_LENGTH) {
      return null;
    }
    position = MAX_LENGTH;
    return new Instruction(this, TOO_LONG);
  }

  private void clear() {
    position = 0;
    prefixes = 0;
    rex = 0;
    vexPrefix = 0;
    vexL = 0;
    repeat = 0;
    mod = 3;
    reg = 0;
    rm = 0;
    segment = Instruction.DS;
    base = NO_REGISTER;
    index = NO_REGISTER;
    shift = 0;
    ripRelative = false;
    displacement = 0;
    imm = 0;
    imm2 = 0;
    width = 0;
    sourceWidth = 0;
    memoryWidth = 0;
    addressWidth = 0;
    for (int i = 0; i < 4; i++) {
      kinds[i] = OperandKind.NONE;
      registers[i] = 0;
    }
  }

  private int next() {
    return bytes[position++] & 0xff;
  }

  /** Reads up to the opcode, which goes to {@link #opcode}; the map. */
  private int readPrefixesAndMap() {
    boolean long64 = mode == CpuMode.LONG64;
    int current = next();
    while (position <= available) {
      switch (current) {
        case 0x66 -> prefixes |= Instruction.OPERAND_SIZE;
        case 0x67 -> prefixes |= Instruction.ADDRESS_SIZE;
        case 0xf0 -> prefixes |= Instruction.LOCK;
        case 0xf2 -> repeat = Encoding.PREFIX_F2;
        case 0xf3 -> repeat = Encoding.PREFIX_F3;
        case 0x26, 0x2e, 0x36, 0x3e -> {
          if (!long64) {
            overrideSegment(current >> 3 & 3);
          }
        }
        case 0x64 -> overrideSegment(Instruction.FS);
        case 0x65 -> overrideSegment(Instruction.GS);
        default -> {
          if (long64 && (current & 0xf0) == 0x40) {
            int after = bytes[position] & 0xff;
            if (!isPrefix(after)) { // the last REX, right before the opcode, is the one that counts
              rex = current & 15;
              prefixes |= Instruction.REX | (rex >> 3) * Instruction.REX_W;
            }
          } else {
            return readMap(current, long64);
          }
        }
      }
      current = next();
    }
    return 0;
  }

  private static boolean isPrefix(int b) {
    return switch (b) {
      case 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 -> true;
      default -> (b & 0xf0) == 0x40;
    };
  }

  private void overrideSegment(int segment) {
    this.segment = segment;
    prefixes |= Instruction.SEGMENT;
  }

  private int readMap(int first, boolean long64) {
    opcode = first;
    if (first == 0x0f) {
      opcode = next();
      if (opcode == 0x38) {
        opcode = next();
        return Encoding.MAP_0F38;
      }
      if (opcode == 0x3a) {
        opcode = next();
        return Encoding.MAP_0F3A;
      }
      return Encoding.MAP_0F;
    }
    boolean vector = first == 0xc4 || first == 0xc5 || first == 0x62;
    if (vector && (long64 || (bytes[position] & 0xc0) == 0xc0 && position < available)) {
      return readVector(first);
    }
    return Encoding.MAP_ONE_BYTE;
  }

  /** Reads a VEX or EVEX prefix (Intel SDM volume 2, 2.3.5 and 2.7.1) and the opcode after it. */
  private int readVector(int first) {
    int map = 1;
    boolean refused = (prefixes & (Instruction.LOCK | Instruction.OPERAND_SIZE | Instruction.REX)) != 0 || repeat != 0;
    int payload = next();
    int last = payload;
    rex = ~payload >> 5 & 4;
    if (first != 0xc5) {
      map = first == 0xc4 ? payload & 31 : payload & 7;
      rex = ~payload >> 5 & 7;
      last = next();
      rex |= last >> 4 & 8;
    }
    if (first == 0x62) {
      refused |= (last & 4) == 0 || (payload & 8) != 0;
      next();
    } else {
      vexL = last >> 2 & 1;
    }
    int pp = last & 3;
    vexPrefix = pp; // 0 none, 1 66, 2 F3, 3 F2: the numbers of Encoding's constants
    opcode = next();
    if (refused || map < 1 || map > 3) {
      opcode = 0; // no row there: #UD
      map = 1;
    }
    return (first == 0x62 ? Encoding.MAP_EVEX : Encoding.MAP_VEX) + map;
  }

  private void decideWidths(Encoding row) {
    boolean toggled = (prefixes & Instruction.OPERAND_SIZE) != 0 && row.prefix != Encoding.PREFIX_66;
    if (mode != CpuMode.LONG64) {
      operandSize = toggled ? mode.operandWidth ^ 6 : mode.operandWidth;
    } else if ((rex & 8) != 0) {
      operandSize = 8;
    } else {
      operandSize = toggled ? 2 : row.has(Encoding.DEFAULT64) ? 8 : 4;
    }
    addressWidth = mode.addressWidth;
    if ((prefixes & Instruction.ADDRESS_SIZE) != 0) {
      addressWidth = mode == CpuMode.LONG64 ? 4 : addressWidth ^ 6;
    }
    if (row.prefix == Encoding.PREFIX_66) {
      prefixes &= ~Instruction.OPERAND_SIZE;
    }
    if (repeat != 0 && row.prefix != repeat) {
      prefixes |= repeat == Encoding.PREFIX_F3 ? Instruction.REP : Instruction.REPNE;
    }
    width = row.width.bytes(operandSize, mode);
  }

  private void readMemoryOperand() {
    if (addressWidth == 2) {
      readMemoryOperand16();
      return;
    }
    int displacementSize = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    if (rm == 4) {
      int sib = next();
      shift = sib >> 6;
      index = sib >> 3 & 7 | rex << 2 & 8;
      if (index == 4) {
        index = NO_REGISTER;
      }
      base = sib & 7 | rex << 3 & 8;
      if ((sib & 7) == 5 && mod == 0) {
        base = NO_REGISTER;
        displacementSize = 4;
      }
    } else if (rm == 5 && mod == 0) {
      displacementSize = 4;
      ripRelative = mode == CpuMode.LONG64;
    } else {
      base = rm | rex << 3 & 8;
    }
    displacement = signed(displacementSize);
    if ((base == 4 || base == 5) && (prefixes & Instruction.SEGMENT) == 0) {
      segment = Instruction.SS;
    }
  }

  /** Addressing forms of 16 bits (Intel SDM volume 2, table 2-1). Registers: 3 bx, 5 bp, 6 si, 7 di. */
  private void readMemoryOperand16() {
    int displacementSize = mod;
    if (rm < 4) {
      base = rm < 2 ? 3 : 5;
      index = 6 + (rm & 1);
    } else if (rm == 6 && mod == 0) {
      displacementSize = 2;
    } else {
      base = rm == 4 ? 6 : rm == 5 ? 7 : rm == 6 ? 5 : 3;
    }
    displacement = signed(displacementSize);
    if (base == 5 && (prefixes & Instruction.SEGMENT) == 0) {
      segment = Instruction.SS;
    }
  }

  /** Reads the immediates and sets kinds and registers; false if an operand is one that does not exist. */
  private boolean readOperands(Encoding row) {
    int count = row.operandCount();
    for (int i = 0; i < count; i++) {
      OperandSpec spec = row.operand(i);
      Width size = spec.width;
      kinds[i] = spec.kind;
      switch (spec.slot) {
        case RM -> {
          if (mod == 3 || row.has(Encoding.ANY_MOD)) {
            setRegister(i, spec.kind, rm, rex & 1, size);
          } else {
            kinds[i] = OperandKind.MEM;
            size = spec.memoryWidth;
            memoryWidth = size.bytes(operandSize, mode);
          }
        }
        case REG -> {
          setRegister(i, spec.kind, reg, rex >> 2 & 1, size);
          if (spec.kind.ordinal() >= OperandKind.SEG.ordinal() && !exists(i, spec.kind)) {
            return false;
          }
        }
        case OPCODE -> setRegister(i, spec.kind, opcode & 7, rex & 1, size);
        case IMMEDIATE, RELATIVE -> {
          int bytes = size.bytes(size == Width.Z && operandSize == 8 ? 4 : operandSize, mode);
          imm = spec.signed ? signed(bytes) : unsigned(bytes);
          registers[i] = NO_REGISTER;
        }
        case IMMEDIATE2 -> imm2 = unsigned(size.bytes(operandSize, mode));
        case MOFFS -> {
          displacement = unsigned(addressWidth);
          memoryWidth = size.bytes(operandSize, mode);
        }
        case FAR -> {
          imm = unsigned(operandSize);
          imm2 = unsigned(2);
        }
        case FIXED -> {
          registers[i] = spec.fixed;
          if (spec.kind == OperandKind.IMM) {
            imm = spec.fixed;
          }
        }
      }
      if (i == 1) {
        sourceWidth = size.bytes(operandSize, mode);
      }
    }
    return true;
  }

  private void setRegister(int i, OperandKind kind, int low, int high, Width size) {
    registers[i] = low | high << 3;
    switch (kind) {
      case GPR -> {
        if (size == Width.B && low >= 4 && (prefixes & Instruction.REX) == 0) {
          kinds[i] = OperandKind.GPR_HIGH_BYTE;
          registers[i] = low - 4;
        }
      }
      case MMX, ST, SEG -> registers[i] = low;
      default -> {}
    }
  }

  /** Whether a segment, control or debug register exists, and a segment register can be loaded by MOV. */
  private boolean exists(int i, OperandKind kind) {
    int number = registers[i];
    return switch (kind) {
      case SEG -> number < 6 && !(i == 0 && number == Instruction.CS);
      case CR -> number == 0 || number == 2 || number == 3 || number == 4 || number == 8;
      case DR -> number < 8;
      default -> true;
    };
  }

  private long signed(int size) {
    long value = unsigned(size);
    int unused = 64 - size * 8;
    return size == 0 ? 0 : value << unused >> unused;
  }

  private long unsigned(int size) {
    long value = 0;
    for (int i = 0; i < size; i++) {
      value |= (bytes[position + i] & 0xffL) << i * 8;
    }
    position += size;
    return value;
  }
}
