package org.xenolith.isa;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Assembles small programs of 64-bit code: guests of tests, and what a test runs on the host's processor.
 *
 * <pre>{@code
 * Assembler a = new Assembler(0x1000);
 * Assembler.Label loop = a.newLabel();
 * a.mov(RCX, 10).bind(loop).emit(Mnemonic.DEC, 8, gpr(RCX)).jcc(NE, loop).emit(Mnemonic.HLT, 0);
 * byte[] code = a.toBytes();
 * }</pre>
 *
 * <p>Jumps to labels have displacements of 32 bits always.
 */
public final class Assembler {
  /** Numbers of general registers. */
  public static final int RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;

  /** Numbers of general registers. */
  public static final int R8 = 8, R9 = 9, R10 = 10, R11 = 11, R12 = 12, R13 = 13, R14 = 14, R15 = 15;

  /** Numbers of conditions, see {@link Condition}. */
  public static final int O = 0, NO = 1, B = 2, AE = 3, E = 4, NE = 5, BE = 6, A = 7;

  /** Numbers of conditions, see {@link Condition}. */
  public static final int S = 8, NS = 9, P = 10, NP = 11, L = 12, GE = 13, LE = 14, G = 15;

  private static final Encoding JMP = Encoding.of("JMP Jz");
  private static final Encoding CALL = Encoding.of("CALL Jz");
  private static final Encoding JCC = Encoding.of("JCC Jz");
  private static final Encoding LEA = Encoding.of("LEA Gv,M");
  private static final Encoding MOV_IMMEDIATE = Encoding.of("MOV Zv,Iv");
  private static final Encoding MOV_SIGN_EXTENDED = Encoding.of("MOV Ev,Iz");
  private static final Map<Mnemonic, List<Encoding>> ROWS = rows();

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final List<Fixup> fixups = new ArrayList<>();
  private final long base;

  /** A place in the program; it gets its address by {@link #bind}. */
  public static final class Label {
    private int offset = -1;

    private Label() {}
  }

  /** Where a label's address goes: {@code size} bytes at {@code at}, relative to what follows them, or absolute. */
  private record Fixup(Label label, int at, int size, boolean relative) {}

  /** A program whose first byte is at virtual address {@code base}. */
  public Assembler(long base) {
    this.base = base;
  }

  private static Map<Mnemonic, List<Encoding>> rows() {
    Map<Mnemonic, List<Encoding>> rows = new EnumMap<>(Mnemonic.class);
    for (Encoding row : Encoding.all()) {
      if (!row.has(Encoding.ALIAS) && !row.has(Encoding.NOT_64)) {
        rows.computeIfAbsent(row.mnemonic, m -> new ArrayList<>()).add(row);
      }
    }
    return rows;
  }

  /** A label without a place yet. */
  public Label newLabel() {
    return new Label();
  }

  /** A label for the next byte. */
  public Label here() {
    Label label = new Label();
    bind(label);
    return label;
  }

  /** Puts the label at the next byte. A label has one place only: else {@link IllegalStateException}. */
  public Assembler bind(Label label) {
    if (label.offset >= 0) {
      throw new IllegalStateException("the label has a place already");
    }
    label.offset = bytes.size();
    return this;
  }

  /** Address of the next byte. */
  public long address() {
    return base + bytes.size();
  }

  /** Address of a label that has a place. */
  public long address(Label label) {
    if (label.offset < 0) {
      throw new IllegalStateException("the label has no place");
    }
    return base + label.offset;
  }

  /**
   * An instruction in its shortest encoding that has no other default for sizes.
   *
   * @param width of the operation in bytes; of no matter where operands have one size only
   * @throws IllegalArgumentException if no row of the mnemonic takes these operands
   */
  public Assembler emit(Mnemonic mnemonic, int width, Operand... operands) {
    byte[] best = null;
    for (Encoding row : ROWS.getOrDefault(mnemonic, List.of())) {
      if (fits(row, width, operands)) {
        Encoder encoder = new Encoder(row);
        if (width >= 2 && row.w < 0) {
          encoder.operandSize(width == 4 && row.has(Encoding.DEFAULT64) ? 8 : width);
        }
        byte[] code = encoder.encode(signExtended(row, width, operands));
        best = best == null || code.length < best.length ? code : best;
      }
    }
    if (best == null) {
      throw new IllegalArgumentException("no encoding of " + mnemonic + " with width " + width + " and " + List.of(operands));
    }
    return raw(best);
  }

  /** The operands with immediates as the row's field has them: 0xfffffff0 in 32 bits is the byte -16. */
  private static Operand[] signExtended(Encoding row, int width, Operand[] operands) {
    Operand[] result = operands.clone();
    for (int i = 0; i < operands.length; i++) {
      OperandSpec spec = row.operand(i);
      if (spec.slot == OperandSpec.Slot.IMMEDIATE && spec.signed) {
        int unused = 64 - spec.width.bytes(Math.max(width, 2), CpuMode.LONG64) * 8;
        result[i] = Operand.imm(operands[i].value << unused >> unused);
      }
    }
    return result;
  }

  /** An instruction of 64 bits, or whose operands have one size only. */
  public Assembler emit(Mnemonic mnemonic, Operand... operands) {
    return emit(mnemonic, 8, operands);
  }

  /** Loads a number into a register, shortest way. */
  public Assembler mov(int register, long value) {
    boolean positive = value == (value & 0xffffffffL);
    boolean signExtended = value == (int) value && !positive;
    Encoder encoder = new Encoder(signExtended ? MOV_SIGN_EXTENDED : MOV_IMMEDIATE).operandSize(positive ? 4 : 8);
    return raw(encoder.encode(Operand.gpr(register), Operand.imm(value)));
  }

  /** Loads a label's address into a register, relative to RIP. */
  public Assembler lea(int register, Label label) {
    raw(new Encoder(LEA).operandSize(8).encode(Operand.gpr(register), Operand.ripRelative(0)));
    return relative(label);
  }

  /** Jumps to a label. */
  public Assembler jmp(Label label) {
    raw(new Encoder(JMP).encode(Operand.relative(0)));
    return relative(label);
  }

  /** Jumps to a label on a condition. */
  public Assembler jcc(int condition, Label label) {
    raw(new Encoder(JCC).condition(condition).encode(Operand.relative(0)));
    return relative(label);
  }

  /** Calls a label. */
  public Assembler call(Label label) {
    raw(new Encoder(CALL).encode(Operand.relative(0)));
    return relative(label);
  }

  /** Bytes as they are. */
  public Assembler raw(byte... code) {
    bytes.writeBytes(code);
    return this;
  }

  /** Bytes as they are, each the low 8 bits of a number. */
  public Assembler raw(int... code) {
    for (int b : code) {
      bytes.write(b);
    }
    return this;
  }

  /** A number of {@code size} bytes, little end first. */
  public Assembler data(int size, long value) {
    for (int i = 0; i < size; i++) {
      bytes.write((int) (value >> i * 8));
    }
    return this;
  }

  /** A label's address, 8 bytes. */
  public Assembler data(Label label) {
    fixups.add(new Fixup(label, bytes.size(), 8, false));
    return data(8, 0);
  }

  /** A text in ASCII, without an end mark. */
  public Assembler text(String text) {
    return raw(text.getBytes(StandardCharsets.US_ASCII));
  }

  /** Zeroes up to a multiple of {@code boundary} bytes in the address space. */
  public Assembler align(int boundary) {
    while (address() % boundary != 0) {
      bytes.write(0);
    }
    return this;
  }

  /** The program, with every label's address filled in. A label without a place is an {@link IllegalStateException}. */
  public byte[] toBytes() {
    byte[] program = bytes.toByteArray();
    for (Fixup fixup : fixups) {
      long value = fixup.relative ? address(fixup.label) - (base + fixup.at + fixup.size) : address(fixup.label);
      for (int i = 0; i < fixup.size; i++) {
        program[fixup.at + i] = (byte) (value >> i * 8);
      }
    }
    return program;
  }

  private Assembler relative(Label label) {
    fixups.add(new Fixup(label, bytes.size() - 4, 4, true));
    return this;
  }

  private static boolean fits(Encoding row, int width, Operand[] operands) {
    if (operands.length != row.operands.size()) {
      return false;
    }
    for (int i = 0; i < operands.length; i++) {
      if (!fits(row, row.operand(i), width, operands[i])) {
        return false;
      }
    }
    return !row.operands.isEmpty() || !row.width.equals(Width.V) || width >= 2;
  }

  private static boolean fits(Encoding row, OperandSpec spec, int width, Operand operand) {
    boolean general = spec.kind == OperandKind.GPR || spec.kind == OperandKind.MEM;
    return switch (spec.slot) {
      case FIXED ->
          switch (spec.kind) {
            case IMM -> operand.kind == OperandKind.IMM && operand.value == spec.fixed;
            case PORT -> operand.kind == OperandKind.GPR && operand.register == spec.fixed;
            case STRING_SOURCE, STRING_DESTINATION -> operand == null && widthFits(spec.width, width);
            case GPR -> {
              boolean same = operand.kind == spec.kind && operand.register == spec.fixed;
              yield same && (spec.text.equals("CL") || widthFits(spec.width, width));
            }
            default -> operand.kind == spec.kind && operand.register == spec.fixed;
          };
      case RM ->
          operand.kind == OperandKind.MEM
              ? spec.memory && (!general || widthFits(spec.memoryWidth, width))
              : sameKind(operand, spec) && (!general || widthFits(spec.width, width));
      case REG, OPCODE -> sameKind(operand, spec) && (!general || widthFits(spec.width, width));
      case IMMEDIATE, IMMEDIATE2 -> operand.kind == OperandKind.IMM && numberFits(row, spec, width, operand.value);
      case RELATIVE -> {
        long kept = spec.width == Width.B ? (byte) operand.value : (int) operand.value;
        yield operand.kind == OperandKind.REL && operand.value == kept;
      }
      case MOFFS -> operand.kind == OperandKind.MOFFS && widthFits(spec.width, width);
      case FAR -> false;
    };
  }

  private static boolean sameKind(Operand operand, OperandSpec spec) {
    return operand.kind == spec.kind
        || operand.kind == OperandKind.GPR_HIGH_BYTE && spec.kind == OperandKind.GPR && spec.width == Width.B;
  }

  private static boolean widthFits(Width spec, int width) {
    return switch (spec) {
      case V, P -> width >= 2;
      case Z -> width == 2 || width == 4;
      case Y -> width == 4 || width == 8;
      case N -> width == 8;
      case B, W, D, Q -> width == spec.bytes(0, CpuMode.LONG64);
      default -> true;
    };
  }

  /** Whether a number of {@code width} bytes comes out of the immediate again. */
  private static boolean numberFits(Encoding row, OperandSpec spec, int width, long value) {
    int size = spec.width.bytes(Math.max(width, 2), CpuMode.LONG64);
    long encoded = Instruction.truncate(value, size);
    if (!spec.signed) {
      return encoded == value;
    }
    int unused = 64 - size * 8;
    long extended = encoded << unused >> unused;
    int operation = row.width.isFixed() ? row.width.bytes(0, CpuMode.LONG64) : width;
    return Instruction.truncate(extended, operation) == Instruction.truncate(value, operation);
  }
}
