package org.xenolith.isa;

import java.util.Locale;

/** Names of instructions as AT&amp;T syntax has them: with suffixes for sizes that no register operand tells. */
final class Mnemonics {
  private static final String[] LOWER = new String[Mnemonic.values().length];
  private static final String[] PREDICATES = {"eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"};

  static {
    for (Mnemonic mnemonic : Mnemonic.values()) {
      LOWER[mnemonic.ordinal()] = mnemonic.name().toLowerCase(Locale.ROOT);
    }
  }

  private Mnemonics() {}

  static String name(Instruction in) {
    String name = LOWER[in.mnemonic.ordinal()];
    boolean memory = in.hasMemory();
    boolean word = in.mode != CpuMode.CODE16 && in.width == 2; // what has an operand size of 64 or 32 without a suffix
    return switch (in.mnemonic) {
      case INVALID -> "(bad)";
      case TOO_LONG -> "(too long)";
      case JCC -> "j" + Condition.name(in.condition);
      case SETCC -> "set" + Condition.name(in.condition);
      case CMOVCC -> "cmov" + Condition.name(in.condition);
      case JRCXZ -> in.addressWidth == 8 ? "jrcxz" : in.addressWidth == 4 ? "jecxz" : "jcxz";
      case CBW -> in.width == 8 ? "cltq" : in.width == 4 ? "cwtl" : "cbtw";
      case CWD -> in.width == 8 ? "cqto" : in.width == 4 ? "cltd" : "cwtd";
      case MOV -> isMovabs(in) ? "movabs" : suffixed(in, name, memory && in.kind1 == OperandKind.IMM);
      case MOVZX -> "movz" + suffix(in.sourceWidth) + suffix(in.width);
      case MOVSX -> "movs" + suffix(in.sourceWidth) + suffix(in.width);
      case MOVSXD -> in.width == 8 ? "movslq" : "movsxd";
      case MOVS, CMPS, INS, OUTS -> name + suffix(in.width);
      case NOP -> nop(in);
      case PUSH -> (in.kind0 == OperandKind.MEM || in.kind0 == OperandKind.IMM || in.kind0 == OperandKind.SEG) && word ? "pushw" : name;
      case POP -> (in.kind0 == OperandKind.MEM || in.kind0 == OperandKind.SEG) && word ? "popw" : name;
      case CALL, JMP -> in.kind0 != OperandKind.GPR && in.encoding.operand(0).width != Width.B && word ? name + "w" : name;
      case PUSHF, POPF, PUSHA, POPA, ENTER, LEAVE, RET, XBEGIN -> word ? name + "w" : name;
      case WRSS, WRUSS, INCSSP -> name + (in.width == 8 ? "q" : "d");
      case PCMPESTRI, PCMPESTRM -> in.width == 8 ? name + "q" : name;
      case IRET, RETF -> (in.mnemonic == Mnemonic.RETF ? "lret" : name) + far(in);
      case SYSRET, SYSEXIT -> in.mode != CpuMode.LONG64 ? name : name + (in.has(Instruction.REX_W) ? "q" : "l");
      case SGDT, SIDT, LGDT, LIDT -> in.mode == CpuMode.LONG64 ? name : name + "l";
      case CALLF -> word ? "lcallw" : "lcall";
      case JMPF -> word ? "ljmpw" : "ljmp";
      case FXSAVE, FXRSTOR, XSAVE, XRSTOR, XSAVEOPT, XSAVEC, XSAVES, XRSTORS -> in.width == 8 ? name + "64" : name;
      case CMPPS, CMPPD, CMPSS, CMPSD -> in.imm < 8 ? "cmp" + PREDICATES[(int) in.imm] + name.substring(3) : name;
      case PCLMULQDQ -> namesHalves(in.imm) ? "pclmul" + half(in.imm & 1) + half(in.imm >> 4) + "dq" : name;
      case CVTSI2SS, CVTSI2SD -> suffixedBySource(in, name, memory && in.mode == CpuMode.LONG64);
      case CRC32 -> suffixedBySource(in, name, memory);
      case XLAT -> "xlat";
      case ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, ROL, ROR, RCL, RCR, SHL, SHR, SAR ->
          suffixed(in, name, memory && (in.kind1 == OperandKind.IMM || in.encoding.operand(1).slot == OperandSpec.Slot.FIXED));
      case INC, DEC, NOT, NEG, MUL, DIV, IDIV -> suffixed(in, name, memory);
      case IMUL -> suffixed(in, name, memory && in.kind1 == OperandKind.NONE);
      case BT, BTS, BTR, BTC -> suffixed(in, name, memory && in.kind1 == OperandKind.IMM);
      case PTWRITE -> suffixed(in, name, memory && in.mode == CpuMode.LONG64);
      default -> in.encoding.feature == Feature.X87 || in.mnemonic == Mnemonic.FISTTP ? x87(in, name) : name;
    };
  }

  private static String nop(Instruction in) {
    if (in.kind0 == OperandKind.NONE) {
      return in.has(Instruction.OPERAND_SIZE) ? "xchg" : "nop"; // objdump shows 66 90 as xchg of ax with itself
    }
    return in.hasMemory() || in.encoding.opcode != 0x18 ? "nop" + suffix(in.width) : "nop";
  }

  private static boolean isMovabs(Instruction in) {
    boolean immediate = in.kind1 == OperandKind.IMM && in.encoding.opcodeRegister && in.width == 8;
    return immediate || in.mode == CpuMode.LONG64 && (in.kind0 == OperandKind.MOFFS || in.kind1 == OperandKind.MOFFS);
  }

  private static String suffixed(Instruction in, String name, boolean wanted) {
    return wanted ? name + suffix(in.width) : name;
  }

  private static String suffixedBySource(Instruction in, String name, boolean wanted) {
    return wanted ? name + suffix(in.sourceWidth) : name;
  }

  private static String far(Instruction in) {
    return in.width == 8 ? "q" : in.width == 2 ? "w" : "";
  }

  private static String suffix(int width) {
    return switch (width) {
      case 1 -> "b";
      case 2 -> "w";
      case 4 -> "l";
      default -> "q";
    };
  }

  /** Whether PCLMULQDQ's immediate has a mnemonic of its own. */
  static boolean namesHalves(long imm) {
    return (imm & ~0x11) == 0;
  }

  private static String half(long high) {
    return high == 0 ? "lq" : "hq";
  }

  private static String x87(Instruction in, String name) {
    if (!in.hasMemory()) {
      // In AT&T syntax fsub and fsubr, fdiv and fdivr change places when the destination is not the top of the stack.
      boolean swapped = in.encoding.operandCount() == 2 && in.encoding.operand(1).slot == OperandSpec.Slot.FIXED;
      return swapped ? swap(in.mnemonic, name) : name;
    }
    if (in.encoding.operand(0).memoryWidth == Width.NONE) {
      return in.width == 2 ? name + "s" : name;
    }
    boolean integer = name.charAt(1) == 'i';
    return switch (in.mnemonic) {
      case FLDCW, FNSTCW, FNSTSW, FBLD, FBSTP -> name;
      default ->
          switch (in.memoryWidth) {
            case 2 -> name + "s";
            case 4 -> name + (integer ? "l" : "s");
            case 8 -> name + (integer ? "ll" : "l");
            default -> name + "t";
          };
    };
  }

  private static String swap(Mnemonic mnemonic, String name) {
    return switch (mnemonic) {
      case FSUB -> "fsubr";
      case FSUBR -> "fsub";
      case FDIV -> "fdivr";
      case FDIVR -> "fdiv";
      case FSUBP -> "fsubrp";
      case FSUBRP -> "fsubp";
      case FDIVP -> "fdivrp";
      case FDIVRP -> "fdivp";
      default -> name;
    };
  }
}
