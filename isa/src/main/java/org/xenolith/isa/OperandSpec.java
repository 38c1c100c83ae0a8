package org.xenolith.isa;

/** One operand of a row: where in the encoding it sits, what it can be, its size. Made from the table's notation, such as {@code Ev}. */
public final class OperandSpec {
  /** Where an operand comes from. */
  public enum Slot {
    /** The r/m field of the ModRM byte: a register or memory. */
    RM,
    /** The reg field of the ModRM byte. */
    REG,
    /** The low three bits of the opcode. */
    OPCODE,
    /** An immediate. */
    IMMEDIATE,
    /** A second immediate. */
    IMMEDIATE2,
    /** A relative branch displacement. */
    RELATIVE,
    /** An absolute offset. */
    MOFFS,
    /** A far pointer in the instruction. */
    FAR,
    /** Nothing is encoded: the row itself names the register, number or string operand. */
    FIXED
  }

  /** The notation in the table. */
  public final String text;

  /** Where the operand sits in the encoding. */
  public final Slot slot;

  /** The kind when it is not memory reached by ModRM; {@link OperandKind#MEM} when it is always that. */
  public final OperandKind kind;

  /** Whether it may be memory reached by ModRM. */
  public final boolean memory;

  /** Its size when {@link #kind}. */
  public final Width width;

  /** Its size when memory. */
  public final Width memoryWidth;

  /** Whether an immediate is sign-extended to 64 bits (else zero-extended). */
  public final boolean signed;

  /** The register number, or the value of a {@link Slot#FIXED} immediate; 0 for the others. */
  public final int fixed;

  OperandSpec(
      String text, Slot slot, OperandKind kind, boolean memory, Width width, Width memoryWidth, boolean signed, int fixed) {
    this.text = text;
    this.slot = slot;
    this.kind = kind;
    this.memory = memory;
    this.width = width;
    this.memoryWidth = memoryWidth;
    this.signed = signed;
    this.fixed = fixed;
  }

  /** Whether it may be a register reached by ModRM. */
  public boolean register() {
    return kind != OperandKind.MEM;
  }

  @Override
  public String toString() {
    return text;
  }

  /** Reads the notation of the table; {@code second} tells that it is the second immediate of its row. */
  static OperandSpec parse(String text, boolean second) {
    OperandSpec fixed = parseFixed(text);
    if (fixed != null) {
      return fixed;
    }
    int slash = text.indexOf('/');
    if (slash > 0) { // Rv/Mw: the sizes of register and memory differ
      OperandSpec register = parse(text.substring(0, slash), second);
      OperandSpec memory = parse(text.substring(slash + 1), second);
      return new OperandSpec(text, Slot.RM, register.kind, true, register.width, memory.memoryWidth, false, 0);
    }
    String size = text.substring(1);
    return switch (text.charAt(0)) {
      case 'E' -> rm(text, OperandKind.GPR, true, size);
      case 'R' -> rm(text, OperandKind.GPR, false, size);
      case 'M' -> rm(text, OperandKind.MEM, true, size);
      case 'W' -> rm(text, OperandKind.XMM, true, size);
      case 'U' -> rm(text, OperandKind.XMM, false, size);
      case 'Q' -> rm(text, OperandKind.MMX, true, size);
      case 'N' -> rm(text, OperandKind.MMX, false, size);
      case 'G' -> other(text, Slot.REG, OperandKind.GPR, size);
      case 'V' -> other(text, Slot.REG, OperandKind.XMM, size);
      case 'P' -> other(text, Slot.REG, OperandKind.MMX, size);
      case 'S' -> other(text, Slot.REG, OperandKind.SEG, size);
      case 'C' -> other(text, Slot.REG, OperandKind.CR, size);
      case 'D' -> other(text, Slot.REG, OperandKind.DR, size);
      case 'Z' -> other(text, Slot.OPCODE, OperandKind.GPR, size);
      case 'J' -> other(text, Slot.RELATIVE, OperandKind.REL, size);
      case 'O' -> other(text, Slot.MOFFS, OperandKind.MOFFS, size);
      case 'A' -> other(text, Slot.FAR, OperandKind.FAR, size);
      case 'X' -> other(text, Slot.FIXED, OperandKind.STRING_SOURCE, size);
      case 'Y' -> other(text, Slot.FIXED, OperandKind.STRING_DESTINATION, size);
      case 'I' -> immediate(text, second);
      default -> throw new IllegalStateException("unknown operand " + text);
    };
  }

  private static OperandSpec immediate(String text, boolean second) {
    boolean narrowSigned = text.equals("Ibs");
    Width width = width(narrowSigned ? "b" : text.substring(1));
    boolean signed = narrowSigned || width == Width.Z || width == Width.V;
    Slot slot = second ? Slot.IMMEDIATE2 : Slot.IMMEDIATE;
    return new OperandSpec(text, slot, second ? OperandKind.IMM2 : OperandKind.IMM, false, width, Width.NONE, signed, 0);
  }

  private static OperandSpec parseFixed(String text) {
    return switch (text) {
      case "AL" -> fixed(text, OperandKind.GPR, Width.B, 0);
      case "CL" -> fixed(text, OperandKind.GPR, Width.B, 1);
      case "AX" -> fixed(text, OperandKind.GPR, Width.W, 0);
      case "rAX" -> fixed(text, OperandKind.GPR, Width.V, 0);
      case "eAX" -> fixed(text, OperandKind.GPR, Width.Z, 0);
      case "DX" -> fixed(text, OperandKind.PORT, Width.W, 2);
      case "1" -> fixed(text, OperandKind.IMM, Width.B, 1);
      case "ES" -> fixed(text, OperandKind.SEG, Width.W, Instruction.ES);
      case "CS" -> fixed(text, OperandKind.SEG, Width.W, Instruction.CS);
      case "SS" -> fixed(text, OperandKind.SEG, Width.W, Instruction.SS);
      case "DS" -> fixed(text, OperandKind.SEG, Width.W, Instruction.DS);
      case "FS" -> fixed(text, OperandKind.SEG, Width.W, Instruction.FS);
      case "GS" -> fixed(text, OperandKind.SEG, Width.W, Instruction.GS);
      case "XMM0" -> fixed(text, OperandKind.XMM, Width.DQ, 0);
      case "ST0" -> fixed(text, OperandKind.ST, Width.T, 0);
      case "STi" -> new OperandSpec(text, Slot.RM, OperandKind.ST, false, Width.T, Width.NONE, false, 0);
      case "port" -> new OperandSpec(text, Slot.IMMEDIATE, OperandKind.PORT, false, Width.B, Width.NONE, false, 0);
      default -> null;
    };
  }

  private static OperandSpec fixed(String text, OperandKind kind, Width width, int value) {
    return new OperandSpec(text, Slot.FIXED, kind, false, width, Width.NONE, false, value);
  }

  private static OperandSpec rm(String text, OperandKind kind, boolean memory, String size) {
    Width width = width(size);
    return new OperandSpec(text, Slot.RM, kind, memory, width, memory ? width : Width.NONE, false, 0);
  }

  private static OperandSpec other(String text, Slot slot, OperandKind kind, String size) {
    return new OperandSpec(text, slot, kind, false, width(size), Width.NONE, true, 0);
  }

  /** The width of a size letter. */
  static Width width(String size) {
    return switch (size) {
      case "" -> Width.NONE;
      case "b" -> Width.B;
      case "w" -> Width.W;
      case "d" -> Width.D;
      case "q" -> Width.Q;
      case "t" -> Width.T;
      case "dq" -> Width.DQ;
      case "qq" -> Width.QQ;
      case "ps" -> Width.PS;
      case "pd" -> Width.PD;
      case "ss" -> Width.SS;
      case "sd" -> Width.SD;
      case "x" -> Width.X;
      case "v" -> Width.V;
      case "z" -> Width.Z;
      case "y" -> Width.Y;
      case "n" -> Width.N;
      case "p" -> Width.P;
      case "a" -> Width.A;
      case "s" -> Width.S;
      default -> throw new IllegalStateException("unknown size " + size);
    };
  }
}
