package org.xenolith.isa;

import static org.xenolith.isa.Instruction.NO_REGISTER;

/**
 * Prints instructions in the AT&amp;T syntax of GNU objdump. Differences that are meant: a zero displacement is not shown, prefixes without
 * effect are not either, and a prefix that only a processor with more features would heed is shown as ignored (F3 0F BC is bsf).
 */
public final class Printer {
  private static final String[] GPR64 = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
  };
  private static final String[] LOW_BYTES = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
  private static final String[] HIGH_BYTES = {"ah", "ch", "dh", "bh"};
  private static final String[] SEGMENTS = {"es", "cs", "ss", "ds", "fs", "gs"};

  private Printer() {}

  /** Prefixes, mnemonic and operands, such as {@code lock cmpxchg %rcx,0x8(%rdi)}. */
  public static String print(Instruction in) {
    StringBuilder text = new StringBuilder();
    if (in.has(Instruction.LOCK)) {
      text.append("lock ");
    }
    if (in.encoding.has(Encoding.REPEATABLE)) {
      boolean whilst = in.encoding.has(Encoding.REPEATABLE_WHILE);
      if (in.has(Instruction.REP)) {
        text.append(whilst ? "repz " : "rep ");
      } else if (in.has(Instruction.REPNE)) {
        text.append(whilst ? "repnz " : "rep ");
      }
    }
    text.append(Mnemonics.name(in));
    appendOperands(in, text);
    return text.toString();
  }

  /** The mnemonic alone, with the suffix for the size that AT&amp;T syntax gives it. */
  public static String mnemonic(Instruction in) {
    return Mnemonics.name(in);
  }

  /** A general register's name, such as {@code eax}. */
  public static String gpr(int number, int width) {
    String name = GPR64[number];
    return switch (width) {
      case 1 -> number < 8 ? LOW_BYTES[number] : name + "b";
      case 2 -> number < 8 ? name.substring(1) : name + "w";
      case 4 -> number < 8 ? "e" + name.substring(1) : name + "d";
      default -> name;
    };
  }

  private static void appendOperands(Instruction in, StringBuilder text) {
    if (in.encoding.isVex() || in.encoding.isEvex()) {
      return; // the table does not tell their operands
    }
    if (in.mnemonic == Mnemonic.NOP && in.kind0 == OperandKind.NONE && in.has(Instruction.OPERAND_SIZE)) {
      text.append(" %ax,%ax");
      return;
    }
    int count = in.encoding.operandCount();
    boolean first = true;
    boolean intelOrder = in.mnemonic == Mnemonic.ENTER || in.mnemonic == Mnemonic.BOUND;
    for (int n = count - 1; n >= 0; n--) {
      int i = intelOrder ? count - 1 - n : n;
      if (!shown(in, i)) {
        continue;
      }
      text.append(first ? " " : ",");
      first = false;
      appendOperand(in, i, text);
    }
    if (in.ripRelative && in.hasMemory()) {
      text.append("        # 0x").append(Long.toHexString(in.ea));
    }
  }

  /** objdump leaves out operands that the mnemonic implies. */
  private static boolean shown(Instruction in, int i) {
    OperandSpec spec = in.encoding.operand(i);
    return switch (in.mnemonic) {
      case FCOM, FCOMP, FUCOM, FUCOMP, FXCH -> i == 1 || spec.kind != OperandKind.ST || in.encoding.operandCount() == 1;
      case CMPPS, CMPPD, CMPSS, CMPSD -> i != 2 || in.imm > 7;
      case PCLMULQDQ -> i != 2 || !Mnemonics.namesHalves(in.imm);
      case ROL, ROR, RCL, RCR, SHL, SHR, SAR -> spec.slot != OperandSpec.Slot.FIXED || spec.kind != OperandKind.IMM;
      case XLAT -> false;
      default -> true;
    };
  }

  private static void appendOperand(Instruction in, int i, StringBuilder text) {
    OperandSpec spec = in.encoding.operand(i);
    int register = in.reg(i);
    switch (in.kind(i)) {
      case GPR -> text.append('%').append(gpr(register, registerWidth(in, spec)));
      case GPR_HIGH_BYTE -> text.append('%').append(HIGH_BYTES[register]);
      case MEM -> {
        boolean indirect = in.mnemonic == Mnemonic.CALL || in.mnemonic == Mnemonic.JMP;
        text.append(indirect || in.mnemonic == Mnemonic.CALLF || in.mnemonic == Mnemonic.JMPF ? "*" : "");
        appendMemory(in, text);
      }
      case IMM -> appendImmediate(in, spec, text);
      case IMM2 -> text.append("$0x").append(Long.toHexString(in.imm2));
      case REL -> text.append("0x").append(Long.toHexString(in.target()));
      case MOFFS -> {
        appendSegment(in, text);
        text.append("0x").append(Long.toHexString(in.ea));
      }
      case FAR -> text.append("$0x").append(Long.toHexString(in.imm2)).append(",$0x").append(Long.toHexString(in.imm));
      case SEG -> text.append('%').append(SEGMENTS[register]);
      case CR -> text.append("%cr").append(register);
      case DR -> text.append("%db").append(register);
      case ST -> text.append(spec.slot == OperandSpec.Slot.FIXED ? "%st" : "%st(" + register + ")");
      case MMX -> text.append("%mm").append(register);
      case XMM -> text.append("%xmm").append(register);
      case STRING_SOURCE -> text.append('%').append(SEGMENTS[in.segment]).append(":(%").append(gpr(6, in.addressWidth)).append(')');
      case STRING_DESTINATION -> text.append("%es:(%").append(gpr(7, in.addressWidth)).append(')');
      case PORT -> {
        if (register == NO_REGISTER) {
          text.append("$0x").append(Long.toHexString(in.imm));
        } else {
          text.append("(%dx)");
        }
      }
      case NONE -> {}
    }
    if (spec.kind == OperandKind.GPR && in.kind(i) == OperandKind.GPR && isIndirectBranch(in)) {
      int at = text.lastIndexOf("%");
      text.insert(at, '*');
    }
  }

  private static boolean isIndirectBranch(Instruction in) {
    return in.mnemonic == Mnemonic.CALL || in.mnemonic == Mnemonic.JMP;
  }

  private static int registerWidth(Instruction in, OperandSpec spec) {
    if (in.kind0 == OperandKind.SEG && in.mnemonic == Mnemonic.MOV) {
      return Math.max(operandSize(in), 4); // objdump shows a wider source although only 16 bits count
    }
    return spec.width.bytes(operandSize(in), in.mode);
  }

  /** The operand size, from what the row's width made of it. */
  private static int operandSize(Instruction in) {
    if (in.has(Instruction.REX_W)) {
      return 8;
    }
    boolean toggled = in.has(Instruction.OPERAND_SIZE);
    if (in.mode == CpuMode.LONG64) {
      return toggled ? 2 : in.encoding.has(Encoding.DEFAULT64) ? 8 : 4;
    }
    return toggled ? in.mode.operandWidth ^ 6 : in.mode.operandWidth;
  }

  private static void appendImmediate(Instruction in, OperandSpec spec, StringBuilder text) {
    long value = in.imm;
    if (spec.signed && in.width > 0) {
      value = Instruction.truncate(value, in.width);
    }
    text.append("$0x").append(Long.toHexString(value));
  }

  private static void appendSegment(Instruction in, StringBuilder text) {
    if (in.has(Instruction.SEGMENT)) {
      text.append('%').append(SEGMENTS[in.segment]).append(':');
    }
  }

  private static void appendMemory(Instruction in, StringBuilder text) {
    appendSegment(in, text);
    boolean none = in.base == NO_REGISTER && in.index == NO_REGISTER && !in.ripRelative;
    long displacement = in.displacement();
    if (none) {
      text.append("0x").append(Long.toHexString(Instruction.truncate(displacement, in.addressWidth)));
      return;
    }
    if (displacement != 0 || in.ripRelative || in.base == NO_REGISTER) {
      text.append(displacement < 0 ? "-0x" : "0x").append(Long.toHexString(Math.abs(displacement)));
    }
    text.append('(');
    if (in.ripRelative) {
      text.append(in.addressWidth == 8 ? "%rip" : "%eip");
    } else if (in.base != NO_REGISTER) {
      text.append('%').append(gpr(in.base, in.addressWidth));
    }
    if (in.index != NO_REGISTER) {
      text.append(",%").append(gpr(in.index, in.addressWidth));
      if (in.addressWidth != 2) {
        text.append(',').append(1 << in.shift);
      }
    }
    text.append(')');
  }
}
