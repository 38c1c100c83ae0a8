package org.xenolith.isa;

import static org.xenolith.isa.Instruction.NO_REGISTER;

import java.util.Arrays;

/**
 * Makes the bytes of an instruction from a row of the table, the choices the row leaves open, and operands: what {@link Decoder} undoes.
 *
 * <pre>{@code
 * byte[] code = new Encoder(row).operandSize(8).lock().encode(Operand.mem(RDI, 8), Operand.gpr(RAX));
 * }</pre>
 *
 * <p>The shortest displacement and, in 64-bit mode, the default address size are used. Operands the row itself fixes can be anything, null
 * too. What the row cannot hold is an {@link IllegalArgumentException}. Addresses of 16 bits are not encoded. Of VEX and EVEX rows r/m and
 * immediate alone are chosen: reg and vvvv are 0 and the vector length is the smallest that the row allows (512 bits for EVEX).
 */
public final class Encoder {
  private final Encoding row;
  private CpuMode mode = CpuMode.LONG64;
  private int operandSize = 4;
  private int addressWidth;
  private int condition;
  private int prefixes;
  private boolean needRex;
  private boolean forbidRex;
  private int rex;
  private int reg;
  private int rm;
  private Operand memory;
  private byte[] bytes;
  private int length;

  /** An encoder for a row, in 64-bit mode with an operand size of 4. */
  public Encoder(Encoding row) {
    this.row = row;
    operandSize = row.w == 1 || row.has(Encoding.DEFAULT64) ? 8 : 4;
  }

  /** Encodes for this mode instead of 64-bit mode. */
  public Encoder mode(CpuMode mode) {
    this.mode = mode;
    if (mode != CpuMode.LONG64 && operandSize == 8) {
      operandSize = 4;
    }
    return this;
  }

  /** The operand size in bytes: 2, 4 or 8. It is of no matter to rows whose operands have fixed sizes. */
  public Encoder operandSize(int bytes) {
    operandSize = bytes;
    return this;
  }

  /** Condition of JCC, SETCC or CMOVCC. */
  public Encoder condition(int condition) {
    this.condition = condition;
    return this;
  }

  /** With a LOCK prefix. */
  public Encoder lock() {
    return prefixes(Instruction.LOCK);
  }

  /**
   * Adds prefixes: of {@link Instruction#LOCK}, {@link Instruction#REP}, {@link Instruction#REPNE}, {@link Instruction#ADDRESS_SIZE},
   * {@link Instruction#REX} (an empty one, if none is needed otherwise).
   */
  public Encoder prefixes(int prefixes) {
    this.prefixes |= prefixes;
    return this;
  }

  /** The bytes, with an operand for each of {@link Encoding#operands}. */
  public byte[] encode(Operand... operands) {
    if (operands.length != row.operands.size()) {
      throw new IllegalArgumentException(row + " has " + row.operands.size() + " operands, not " + operands.length);
    }
    start();
    for (int i = 0; i < operands.length; i++) {
      place(row.operand(i), operands[i]);
    }
    if (needRex && forbidRex) {
      throw new IllegalArgumentException("ah, bh, ch, dh cannot be used together with a REX prefix: " + row);
    }
    writeLegacyPrefixes();
    if (row.isVex() || row.isEvex()) {
      writeVectorPrefix();
    } else {
      writeRexAndOpcode();
    }
    if (row.modrm) {
      writeModrm();
    }
    for (int i = 0; i < operands.length; i++) {
      writeImmediate(row.operand(i), operands[i]);
    }
    return Arrays.copyOf(bytes, length);
  }

  private void start() {
    bytes = new byte[32];
    length = 0;
    needRex = (prefixes & Instruction.REX) != 0;
    forbidRex = false;
    rex = 0;
    reg = Math.max(row.extension, 0);
    rm = 0;
    memory = null;
    if (row.fixedModrm >= 0) {
      reg = row.fixedModrm >> 3 & 7;
      rm = row.fixedModrm & 7;
    }
    addressWidth = mode.addressWidth;
    if ((prefixes & Instruction.ADDRESS_SIZE) != 0) {
      addressWidth = mode == CpuMode.LONG64 ? 4 : mode.addressWidth ^ 6;
    }
    boolean wide = mode == CpuMode.LONG64 && operandSize == 8 && !row.has(Encoding.DEFAULT64) && row.hasWideForm();
    if (wide && row.w != 0 || row.w == 1) {
      rex |= 8;
    }
    if (mode == CpuMode.LONG64 && operandSize == 4 && row.has(Encoding.DEFAULT64)) {
      throw new IllegalArgumentException("no operand size of 4 in 64-bit mode: " + row);
    }
  }

  private void place(OperandSpec spec, Operand operand) {
    if (spec.slot == OperandSpec.Slot.FIXED) {
      return;
    }
    if (operand == null) {
      throw new IllegalArgumentException("operand " + spec + " is missing: " + row);
    }
    switch (spec.slot) {
      case RM -> {
        if (operand.kind == OperandKind.MEM) {
          check(spec.memory, spec, operand);
          memory = operand;
          placeMemory();
        } else {
          rm = register(spec, operand, 1);
        }
      }
      case REG -> reg = register(spec, operand, 4);
      case OPCODE -> rm = register(spec, operand, 1);
      default -> {}
    }
  }

  private void placeMemory() {
    if (memory.base != NO_REGISTER) {
      rex |= memory.base >> 3;
    }
    if (memory.index != NO_REGISTER) {
      rex |= memory.index >> 3 << 1;
    }
  }

  /** The low three bits; the fourth goes into the REX bit {@code high}. */
  private int register(OperandSpec spec, Operand operand, int high) {
    int number = operand.register;
    if (operand.kind == OperandKind.GPR_HIGH_BYTE) {
      check(spec.kind == OperandKind.GPR && spec.width == Width.B && number < 4, spec, operand);
      forbidRex = true;
      return number + 4;
    }
    check(operand.kind == spec.kind && number < 16, spec, operand);
    if (spec.width == Width.B && number >= 4 && number < 8) {
      needRex = true;
    }
    if (number >= 8) {
      check(spec.kind != OperandKind.MMX && spec.kind != OperandKind.ST && mode == CpuMode.LONG64, spec, operand);
      rex |= high;
    }
    return number & 7;
  }

  private void check(boolean good, OperandSpec spec, Operand operand) {
    if (!good) {
      throw new IllegalArgumentException(operand + " is no " + spec + " of " + row);
    }
  }

  private void writeLegacyPrefixes() {
    if ((prefixes & Instruction.LOCK) != 0) {
      put(0xf0);
    }
    if (memory != null && memory.segment >= 0) {
      put(memory.segment >= Instruction.FS ? 0x60 + memory.segment : 0x26 | memory.segment << 3);
    }
    if ((prefixes & Instruction.ADDRESS_SIZE) != 0) {
      put(0x67);
    }
    boolean vector = row.isVex() || row.isEvex();
    int defaultSize = mode == CpuMode.CODE16 ? 2 : 4;
    boolean toggled = (operandSize == 2) != (defaultSize == 2);
    if (!vector && (row.prefix == Encoding.PREFIX_66 || toggled)) {
      if (row.prefix == Encoding.PREFIX_NONE) {
        throw new IllegalArgumentException("66 cannot be combined with " + row);
      }
      put(0x66);
    }
    if (!vector && row.prefix == Encoding.PREFIX_F3 || (prefixes & Instruction.REP) != 0) {
      put(0xf3);
    }
    if (!vector && row.prefix == Encoding.PREFIX_F2 || (prefixes & Instruction.REPNE) != 0) {
      put(0xf2);
    }
  }

  private void writeRexAndOpcode() {
    if (rex != 0 || needRex) {
      if (mode != CpuMode.LONG64) {
        throw new IllegalArgumentException("REX outside 64-bit mode: " + row);
      }
      if (forbidRex) {
        throw new IllegalArgumentException("ah, bh, ch, dh cannot be used together with a REX prefix: " + row);
      }
      if (row.notRexB && (rex & 1) != 0) {
        throw new IllegalArgumentException("REX.B makes another instruction of " + row);
      }
      put(0x40 | rex);
    }
    if (row.map != Encoding.MAP_ONE_BYTE) {
      put(0x0f);
      if (row.map != Encoding.MAP_0F) {
        put(row.map == Encoding.MAP_0F38 ? 0x38 : 0x3a);
      }
    }
    put(row.opcode + (row.opcodeRegister ? rm : 0) + (row.condition ? condition : 0));
  }

  private void writeVectorPrefix() {
    int inverted = (~rex & 7) << 5;
    int w = (rex & 8) << 4;
    if (row.isVex()) {
      put(0xc4);
      put(inverted | row.map - Encoding.MAP_VEX);
      put(w | 0x78 | (row.l == 1 ? 4 : 0) | row.prefix & 3);
    } else {
      put(0x62);
      put(inverted | 0x10 | row.map - Encoding.MAP_EVEX);
      put(w | 0x7c | row.prefix & 3);
      put(row.l == 0 ? 0x08 : 0x48);
    }
    put(row.opcode);
  }

  private void writeModrm() {
    if (memory == null) {
      put(0xc0 | reg << 3 | rm);
    } else if (memory.ripRelative) {
      put(reg << 3 | 5);
      little(memory.value, 4);
    } else if (addressWidth == 2) {
      throw new IllegalArgumentException("addresses of 16 bits are not encoded");
    } else {
      writeMemory();
    }
  }

  private void writeMemory() {
    boolean noBase = memory.base == NO_REGISTER;
    boolean sib = memory.index != NO_REGISTER || (noBase ? mode == CpuMode.LONG64 : (memory.base & 7) == 4);
    boolean byteFits = memory.value == (byte) memory.value && !row.isEvex();
    int mod = noBase ? 0 : memory.value == 0 && (memory.base & 7) != 5 ? 0 : byteFits ? 1 : 2;
    if (memory.value != (int) memory.value && !(addressWidth == 4 && memory.value == (memory.value & 0xffffffffL))) {
      throw new IllegalArgumentException("displacement of more than 32 bits: " + row);
    }
    int low = noBase ? 5 : memory.base & 7;
    put(mod << 6 | reg << 3 | (sib ? 4 : low));
    if (sib) {
      if (memory.index == 4) {
        throw new IllegalArgumentException("rsp cannot be an index");
      }
      put(memory.shift << 6 | (memory.index == NO_REGISTER ? 4 : memory.index & 7) << 3 | low);
    }
    little(memory.value, noBase ? 4 : mod == 1 ? 1 : mod == 2 ? 4 : 0);
  }

  private void writeImmediate(OperandSpec spec, Operand operand) {
    switch (spec.slot) {
      case IMMEDIATE, IMMEDIATE2, RELATIVE -> {
        int size = spec.width.bytes(operandSize, mode);
        long value = operand.value;
        int unused = 64 - size * 8;
        if (value << unused >> unused != value && value << unused >>> unused != value) {
          throw new IllegalArgumentException(value + " does not fit in " + size + " bytes: " + row);
        }
        little(value, size);
      }
      case MOFFS -> little(operand.value, addressWidth);
      case FAR -> {
        little(operand.value, operandSize);
        little(operand.selector, 2);
      }
      default -> {}
    }
  }

  private void put(int b) {
    bytes[length++] = (byte) b;
  }

  private void little(long value, int size) {
    for (int i = 0; i < size; i++) {
      put((int) (value >> i * 8));
    }
  }
}
