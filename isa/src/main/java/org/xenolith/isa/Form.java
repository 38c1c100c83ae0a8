package org.xenolith.isa;

import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * One way to use a row: an operand size, and register or memory in the r/m field. The forms of all rows are all that the table can
 * encode, up to the choice of registers, addresses and numbers; tests go through them.
 *
 * @param row the row
 * @param mode the mode
 * @param operandSize 2, 4 or 8 bytes
 * @param memory whether the r/m operand is memory
 */
public record Form(Encoding row, CpuMode mode, int operandSize, boolean memory) {
  /** Every form of a row in a mode; none if the row does not exist there. */
  public static List<Form> of(Encoding row, CpuMode mode) {
    List<Form> forms = new ArrayList<>();
    if (row.has(mode == CpuMode.LONG64 ? Encoding.NOT_64 : Encoding.ONLY_64) || row.w == 1 && mode != CpuMode.LONG64) {
      return forms;
    }
    for (int size : operandSizes(row, mode)) {
      boolean register = !row.modrm || row.allowsRegister() || row.has(Encoding.ANY_MOD);
      if (register) {
        forms.add(new Form(row, mode, size, false));
      }
      if (row.allowsMemory() && row.rmOperand() != null) {
        forms.add(new Form(row, mode, size, true));
      }
    }
    return forms;
  }

  private static int[] operandSizes(Encoding row, CpuMode mode) {
    boolean two = (row.hasSizedForms() || uses(row, Width.Z)) && row.prefix >= Encoding.PREFIX_F3;
    boolean eight = row.hasWideForm() && mode == CpuMode.LONG64;
    if (row.w == 1) {
      return new int[] {8};
    }
    if (row.has(Encoding.DEFAULT64) && mode == CpuMode.LONG64) {
      return two ? new int[] {2, 8} : new int[] {8};
    }
    if (row.w == 0 || !two) {
      return eight && row.w != 0 ? new int[] {4, 8} : new int[] {4};
    }
    return eight ? new int[] {2, 4, 8} : new int[] {2, 4};
  }

  private static boolean uses(Encoding row, Width width) {
    boolean uses = row.width == width;
    for (OperandSpec spec : row.operands) {
      uses |= spec.width == width || spec.memoryWidth == width;
    }
    return uses;
  }

  /** An encoder set to this form. */
  public Encoder encoder() {
    return new Encoder(row).mode(mode).operandSize(operandSize);
  }

  /**
   * Operands for {@link #encoder()}: registers and numbers at random, and {@code address} where the form has memory. High-byte registers
   * are not among them (they exclude REX); general registers are none of those in the mask {@code avoided} (bit n is register n).
   */
  public Operand[] operands(RandomGenerator random, Operand address, int avoided) {
    Operand[] operands = new Operand[row.operands.size()];
    for (int i = 0; i < operands.length; i++) {
      OperandSpec spec = row.operand(i);
      operands[i] =
          switch (spec.slot) {
            case RM -> memory ? address : register(spec, random, avoided, i);
            case REG, OPCODE -> register(spec, random, avoided, i);
            case IMMEDIATE, IMMEDIATE2, RELATIVE -> Operand.imm(number(random, spec.width.bytes(operandSize, mode)));
            case MOFFS -> Operand.moffs(mode == CpuMode.LONG64 ? random.nextLong() : random.nextInt() & 0xffffffffL);
            case FAR -> Operand.far(random.nextInt(0x10000), number(random, operandSize));
            case FIXED -> null;
          };
    }
    return operands;
  }

  private Operand register(OperandSpec spec, RandomGenerator random, int avoided, int place) {
    int registers = mode == CpuMode.LONG64 ? 16 : 8;
    return switch (spec.kind) {
      case GPR -> {
        int number = random.nextInt(registers);
        while ((avoided >> number & 1) != 0 || registers == 8 && spec.width == Width.B && number >= 4) {
          number = random.nextInt(registers);
        }
        yield Operand.gpr(number);
      }
      case MMX, ST, DR -> Operand.register(spec.kind, random.nextInt(8));
      case SEG -> {
        int number = random.nextInt(6);
        yield Operand.register(spec.kind, place == 0 && number == Instruction.CS ? Instruction.DS : number);
      }
      case CR -> Operand.register(spec.kind, new int[] {0, 2, 3, 4, registers == 16 ? 8 : 0}[random.nextInt(5)]);
      default -> Operand.register(spec.kind, random.nextInt(registers));
    };
  }

  private static long number(RandomGenerator random, int size) {
    int unused = 64 - size * 8;
    return random.nextLong() << unused >> unused;
  }
}
