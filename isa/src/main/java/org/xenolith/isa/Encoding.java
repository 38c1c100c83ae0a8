package org.xenolith.isa;

import java.util.List;

/** One row of the table of instructions, {@code instructions.txt}, whose head explains the columns. */
public final class Encoding {
  /** Bits of the flag masks: their places in RFLAGS. */
  public static final int CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, IF = 0x200, DF = 0x400, OF = 0x800;

  /** In a flag mask: every flag (POPF, IRET and the like). */
  public static final int ALL_FLAGS = 0x3f7fd5;

  /** Bits of {@link #attributes}. LOCK is allowed when the destination is memory. */
  public static final int LOCKABLE = 1;

  /** The operand size in 64-bit mode is 64 unless 66 makes it 16. */
  public static final int DEFAULT64 = 2;

  /** No such instruction in 64-bit mode. */
  public static final int NOT_64 = 4;

  /** No such instruction outside 64-bit mode. */
  public static final int ONLY_64 = 8;

  /** #GP unless the privilege level is 0. */
  public static final int PRIVILEGED = 0x10;

  /** May set RIP to other than the next instruction, or always does; ends a basic block. */
  public static final int BRANCH = 0x20;

  /** A string instruction that REP repeats. */
  public static final int REPEATABLE = 0x40;

  /** A string instruction that REPE and REPNE repeat while a condition on ZF holds. */
  public static final int REPEATABLE_WHILE = 0x80;

  /** A masked count of 0 leaves the flags as they were; OF is undefined for masked counts over 1. */
  public static final int COUNT = 0x100;

  /** The second operand is a signed bit offset into a bit string in memory. */
  public static final int BIT_STRING = 0x200;

  /** The memory operand must be aligned to 16 bytes (CMPXCHG16B, FXSAVE), else #GP. Set too on SSE rows with aligned operands. */
  public static final int ALIGNED = 0x400;

  /** A second encoding of what another row says; encoders and compilers do not emit it. */
  public static final int ALIAS = 0x800;

  /** The mod field is ignored: r/m names a register always (moves of control and debug registers). */
  public static final int ANY_MOD = 0x1000;

  /** Uses x87 state: #NM by CR0.TS or CR0.EM. */
  public static final int X87_STATE = 0x2000;

  /** Uses MMX state: #UD by CR0.EM, #NM by CR0.TS, pending x87 exceptions. */
  public static final int MMX_STATE = 0x4000;

  /** Uses XMM registers or MXCSR: #UD by CR0.EM or without CR4.OSFXSR, #NM by CR0.TS. */
  public static final int SSE_STATE = 0x8000;

  /** Values of {@link #prefix}: none of 66, F3, F2. */
  public static final int PREFIX_NONE = 0;

  /** 66 is part of the opcode. */
  public static final int PREFIX_66 = 1;

  /** F3 is part of the opcode. */
  public static final int PREFIX_F3 = 2;

  /** F2 is part of the opcode. */
  public static final int PREFIX_F2 = 3;

  /** Neither F3 nor F2; 66 has its usual meaning. */
  public static final int PREFIX_NOT_REP = 4;

  /** The prefixes have their usual meaning or are ignored. */
  public static final int PREFIX_ANY = 5;

  /** Values of {@link #map}: opcodes of one byte, after 0F, after 0F 38, after 0F 3A. Then VEX maps 1 to 3 as 4 to 6, EVEX 7 to 9. */
  public static final int MAP_ONE_BYTE = 0, MAP_0F = 1, MAP_0F38 = 2, MAP_0F3A = 3, MAP_VEX = 3, MAP_EVEX = 6;

  /** Number of maps. */
  static final int MAPS = 10;

  /** Place in the table, from 0; dense, for use as an index into tables of handlers. -1 for the three that are no rows. */
  public final int id;

  /** The instruction. */
  public final Mnemonic mnemonic;

  /** Opcode map, see {@link #MAP_0F} and the rest. */
  public final int map;

  /** Opcode byte; the lowest of 8 or 16 for {@link #opcodeRegister} and {@link #condition}. */
  public final int opcode;

  /** Mandatory prefix, see {@link #PREFIX_ANY} and the rest. */
  public final int prefix;

  /** Whether a ModRM byte follows. */
  public final boolean modrm;

  /** The ModRM reg field as a part of the opcode, 0 to 7, or -1. */
  public final int extension;

  /** The whole ModRM byte as a part of the opcode, or -1. */
  public final int fixedModrm;

  /** Whether the ModRM mod field must be 3 although no operand says so (the fences), or says so too (x87). */
  public final boolean registerOnly;

  /** Whether the low three bits of the opcode are a register. */
  public final boolean opcodeRegister;

  /** Whether the low four bits of the opcode are a condition. */
  public final boolean condition;

  /** What REX.W (VEX.W) must be: 0, 1, or -1 for any. */
  public final int w;

  /** What VEX.L must be: 0 or 1, or -1 for any. */
  public final int l;

  /** Whether REX.B must be clear (NOP among the XCHGs). */
  public final boolean notRexB;

  /** The operands in the order of Intel's manual. */
  public final List<OperandSpec> operands;

  /** How {@link Instruction#width} comes about. */
  public final Width width;

  /** What the processor must offer, else #UD. */
  public final Feature feature;

  /** Flags that the result depends on. For a {@link #condition} see {@link Condition#flags}. */
  public final int flagsRead;

  /** Flags set according to the result, {@link #flagsCleared} and {@link #flagsSet} not among them. */
  public final int flagsWritten;

  /** Flags always cleared. */
  public final int flagsCleared;

  /** Flags always set. */
  public final int flagsSet;

  /** Flags that the manuals leave undefined. */
  public final int flagsUndefined;

  /** See {@link #LOCKABLE} and the rest. */
  public final int attributes;

  private final OperandSpec[] specs;
  private final OperandSpec rmOperand;
  private final boolean allowsMemory;
  private final boolean allowsRegister;

  Encoding(EncodingParser row, int id) {
    this.id = id;
    mnemonic = row.mnemonic;
    map = row.map;
    opcode = row.opcode;
    prefix = row.prefix;
    modrm = row.modrm;
    extension = row.extension;
    fixedModrm = row.fixedModrm;
    registerOnly = row.registerOnly;
    opcodeRegister = row.opcodeRegister;
    condition = row.condition;
    w = row.w;
    l = row.l;
    notRexB = row.notRexB;
    specs = row.operands.toArray(new OperandSpec[0]);
    operands = List.of(specs);
    width = row.width;
    feature = row.feature;
    flagsRead = row.flagsRead;
    flagsWritten = row.flagsWritten;
    flagsCleared = row.flagsCleared;
    flagsSet = row.flagsSet;
    flagsUndefined = row.flagsUndefined;
    attributes = row.attributes;
    OperandSpec rm = null;
    for (OperandSpec spec : specs) {
      rm = spec.slot == OperandSpec.Slot.RM ? spec : rm;
    }
    rmOperand = rm;
    allowsMemory = modrm && fixedModrm < 0 && !registerOnly && (rm == null || rm.memory);
    allowsRegister = modrm && (rm == null || rm.register());
  }

  /** Every row, in the order of the table; the index is {@link #id}. */
  public static List<Encoding> all() {
    return InstructionTable.All.ROWS;
  }

  /**
   * The row that the table writes as {@code text}, such as {@code "MOVZX Gv,Eb"}; the first that is no {@link #ALIAS}.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static Encoding of(String text) {
    for (Encoding row : all()) {
      if (!row.has(ALIAS) && row.toString().equals(text)) {
        return row;
      }
    }
    throw new IllegalArgumentException("no row " + text);
  }

  /** Whether all the {@code attributes} are set. */
  public boolean has(int attributes) {
    return (this.attributes & attributes) == attributes;
  }

  /** Operand {@code i}, without a bounds check by list. */
  OperandSpec operand(int i) {
    return specs[i];
  }

  int operandCount() {
    return specs.length;
  }

  /** Whether it is encoded with a VEX prefix. */
  public boolean isVex() {
    return map > MAP_VEX && map <= MAP_EVEX;
  }

  /** Whether it is encoded with an EVEX prefix. */
  public boolean isEvex() {
    return map > MAP_EVEX;
  }

  /** Whether the r/m operand can be memory. */
  public boolean allowsMemory() {
    return allowsMemory;
  }

  /** Whether the r/m operand can be a register. */
  public boolean allowsRegister() {
    return allowsRegister;
  }

  /** Whether 66 and REX.W change it: an operand, or {@link #width}, has the operand size. */
  boolean hasSizedForms() {
    boolean sized = hasOperandSize(width);
    for (OperandSpec spec : specs) {
      sized |= hasOperandSize(spec.width) || hasOperandSize(spec.memoryWidth);
    }
    return sized;
  }

  /** Whether REX.W changes it. */
  boolean hasWideForm() {
    boolean wide = hasSizedForms() || width == Width.Y;
    for (OperandSpec spec : specs) {
      wide |= spec.width == Width.Y || spec.memoryWidth == Width.Y;
    }
    return wide;
  }

  private static boolean hasOperandSize(Width width) {
    return width == Width.V || width == Width.P || width == Width.A;
  }

  /** The operand in the r/m field, or null. */
  public OperandSpec rmOperand() {
    return rmOperand;
  }

  /** The instruction and its operands as the table has them, such as {@code ADD Ev,Gv}. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(mnemonic.name());
    for (int i = 0; i < specs.length; i++) {
      text.append(i == 0 ? ' ' : ',').append(specs[i].text);
    }
    return text.toString();
  }
}
