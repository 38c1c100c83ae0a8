package org.xenolith.cpu;

import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * Operand forms that are common enough for methods of their own: destination, then source (R register, M memory, I immediate), then the
 * width in bits. Registers of 8 bits are the low ones only, memory is addressed with 64 bits. All else is {@link #OTHER} and goes by {@link
 * Operands}.
 */
enum Form {
  RR64, RM64, MR64, RI64, MI64, RR32, RM32, MR32, RI32, MI32, RR8, RM8, MR8, RI8, MI8, R64, R32, M64, M32, OTHER;

  /** The form of an instruction of one or two operands, both of its width. */
  static Form of(Instruction i) {
    if (i.kind2 != OperandKind.NONE || i.addressWidth != 8 && i.hasMemory()) {
      return OTHER;
    }
    return switch (i.kind0) {
      case GPR ->
          switch (i.kind1) {
            case GPR -> i.sourceWidth == i.width ? sized(i, RR64, RR32, RR8) : OTHER;
            case MEM -> i.sourceWidth == i.width ? sized(i, RM64, RM32, RM8) : OTHER;
            case IMM -> sized(i, RI64, RI32, RI8);
            case NONE -> sized(i, R64, R32, OTHER);
            default -> OTHER;
          };
      case MEM ->
          switch (i.kind1) {
            case GPR -> i.sourceWidth == i.width ? sized(i, MR64, MR32, MR8) : OTHER;
            case IMM -> sized(i, MI64, MI32, MI8);
            case NONE -> sized(i, M64, M32, OTHER);
            default -> OTHER;
          };
      default -> OTHER;
    };
  }

  private static Form sized(Instruction i, Form quad, Form dword, Form octet) {
    return switch (i.width) {
      case 8 -> quad;
      case 4 -> dword;
      case 1 -> octet;
      default -> OTHER;
    };
  }
}
