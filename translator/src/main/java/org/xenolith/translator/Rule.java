package org.xenolith.translator;

import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Condition;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.isa.OperandSpec;
import org.xenolith.isa.Width;

/**
 * How the instructions of one row of the instruction table are translated: found once for each row, by its mnemonic. Whether a given
 * instruction can be is up to {@link #of(Instruction)} in the end, since it may have an operand that cannot.
 */
final class Rule {
  private static final Rule[] RULES = new Rule[Encoding.all().size()];

  static final Rule INTERPRET = new Rule(Action.INTERPRET, "", FlagEffect.NONE, 0);

  final Action action;
  final FlagEffect effect;

  /** Flags that it reads; those of a condition not among them. */
  private final int reads;

  /** Whether operand 0 is read, is written, and operand 1 is written. */
  final boolean reads0, writes0, writes1;

  /** Which operand is in the ModRM byte's r/m field, in its reg field, in the opcode, is an immediate; -1 for none. */
  int rm = -1, reg = -1, inOpcode = -1, immediate = -1;

  /** Bytes of the immediate; 0 for 2 or 4 by the operand size, -1 for 2, 4 or 8. */
  int immediateBytes;

  /** Whether a register operand in r/m, in reg, is a byte. */
  boolean byteRm, byteReg;

  /** The opcode, and what is in the reg field if no operand is: the row's, or those of a row that does the same to any register. */
  int opcode, extension;

  /**
   * @param access of operand 0 and 1, of the letters r and w, separated by a comma
   */
  private Rule(Action action, String access, FlagEffect effect, int reads) {
    this.action = action;
    this.effect = effect;
    this.reads = reads;
    int comma = access.indexOf(',');
    String first = comma < 0 ? access : access.substring(0, comma);
    reads0 = first.contains("r");
    writes0 = first.contains("w");
    writes1 = comma >= 0 && access.indexOf('w', comma) >= 0;
  }

  private static Rule reencode(String access, FlagEffect effect) {
    return new Rule(Action.REENCODE, access, effect, 0);
  }

  private static Rule simple(Action action) {
    return new Rule(action, "", FlagEffect.NONE, 0);
  }

  /** The rule for an instruction; {@link Action#INTERPRET} for whatever is not known to be translated well. */
  static Rule of(Instruction i) {
    int id = i.encoding.id;
    if (id < 0) {
      return INTERPRET;
    }
    Rule rule = RULES[id];
    if (rule == null) {
      rule = make(i.encoding);
      RULES[id] = rule;
    }
    return rule.action == Action.INTERPRET || rule.suits(i) ? rule : INTERPRET;
  }

  /** Flags that an instruction of this rule reads. */
  int reads(Instruction i) {
    return i.encoding.condition ? Condition.flags(i.condition) : reads;
  }

  private boolean suits(Instruction i) {
    if (i.addressWidth != 8) {
      return action == Action.NOTHING;
    }
    if (hasHighByte(i) && !suitsHighByte(i)) {
      return false;
    }
    return switch (action) {
      case REENCODE -> suitsReencoding(i);
      case VECTOR -> suitsVector(i);
      case PUSH -> i.width == 8 && (i.kind0 == OperandKind.GPR || i.kind0 == OperandKind.IMM || i.kind0 == OperandKind.MEM);
      case POP -> i.width == 8 && i.kind0 == OperandKind.GPR;
      case PUSHF -> i.width == 8;
      case SCAN -> i.width >= 4;
      case DOUBLE_SHIFT -> i.kind0 == OperandKind.GPR && suitsDoubleShift(i);
      case STRING -> i.segment < Instruction.FS && !i.has(Instruction.REPNE);
      case LEAVE, RET -> i.width == 8;
      case JMP, CALL, JCC -> i.width == 8;
      case JMP_INDIRECT, CALL_INDIRECT -> i.width == 8 && (i.kind0 == OperandKind.GPR || i.kind0 == OperandKind.MEM);
      case READ_SELECTOR -> i.kind0 == OperandKind.GPR;
      case DIVIDE, LEA -> i.width >= 4;
      case MULTIPLY -> i.width >= 4;
      default -> true;
    };
  }

  static boolean hasHighByte(Instruction i) {
    return i.kind0 == OperandKind.GPR_HIGH_BYTE || i.kind1 == OperandKind.GPR_HIGH_BYTE;
  }

  /** AH, BH, CH, DH cannot be encoded together with a REX prefix: no memory (its address is in r10), not RSP (it is in r12). */
  private boolean suitsHighByte(Instruction i) {
    return action == Action.REENCODE && !i.hasMemory() && effect != FlagEffect.SHIFT && effect != FlagEffect.SHIFT_BY_CL
        && effect != FlagEffect.ROTATE && (i.kind0 != OperandKind.GPR || i.reg0 != Cpu.RSP)
        && (i.kind1 != OperandKind.GPR || i.reg1 != Cpu.RSP);
  }

  private boolean suitsVector(Instruction i) {
    for (int n = 0; n < 3; n++) {
      switch (i.kind(n)) {
        case XMM, GPR, MEM, IMM, NONE -> {}
        default -> {
          return false;
        }
      }
    }
    return true;
  }

  private boolean suitsReencoding(Instruction i) {
    for (int n = 0; n < 3; n++) {
      switch (i.kind(n)) {
        case GPR, GPR_HIGH_BYTE, MEM, IMM, NONE -> {}
        default -> {
          return false;
        }
      }
    }
    return switch (i.mnemonic) {
      case BT, BTS, BTR, BTC -> i.kind0 != OperandKind.MEM || i.kind1 == OperandKind.IMM || i.width >= 4;
      case CMPXCHG -> i.kind0 == OperandKind.MEM;
      case SHL, SHR, SAR ->
          i.kind1 == OperandKind.IMM ? plainCount(i) : i.width >= 4 && (i.kind0 == OperandKind.MEM || i.reg0 != Cpu.RCX);
      case ROL, ROR -> i.kind0 == OperandKind.GPR && i.kind1 == OperandKind.IMM && plainCount(i);
      case BSWAP -> i.width >= 4;
      default -> true;
    };
  }

  /** Whether a count changes the flags, and none of them in a way that manuals leave open. */
  private static boolean plainCount(Instruction i) {
    return plain(i, i.imm);
  }

  private static boolean plain(Instruction i, long immediate) {
    long count = immediate & (i.width == 8 ? 63 : 31);
    return count != 0 && count < 8 * i.width;
  }

  /** What is known of a count in a register is that a host gives the interpreter's result for 64 bits. */
  private static boolean suitsDoubleShift(Instruction i) {
    return i.kind2 == OperandKind.IMM ? i.width >= 4 && plain(i, i.imm) : i.width == 8;
  }

  private static Rule make(Encoding e) {
    Rule rule = e.map > Emitter.MAP_0F3A ? INTERPRET : byMnemonic(e);
    if (rule.action == Action.INTERPRET) {
      return INTERPRET;
    }
    rule.opcode = e.opcode;
    rule.extension = Math.max(e.extension, 0);
    for (int n = 0; n < e.operands.size(); n++) {
      OperandSpec spec = e.operands.get(n);
      boolean octet = spec.width == Width.B && spec.kind == OperandKind.GPR;
      switch (spec.slot) {
        case RM -> {
          rule.rm = n;
          rule.byteRm = octet;
        }
        case REG -> {
          rule.reg = n;
          rule.byteReg = octet;
        }
        case OPCODE -> {
          rule.inOpcode = n;
          rule.byteRm = octet;
        }
        case IMMEDIATE -> {
          rule.immediate = n;
          rule.immediateBytes =
              switch (spec.width) {
                case B -> 1;
                case W -> 2;
                case Z -> 0;
                case V -> -1;
                default -> throw new IllegalStateException("immediate of " + e);
              };
        }
        case FIXED -> {
          boolean plain = spec.kind == OperandKind.GPR || spec.kind == OperandKind.IMM;
          if (!plain && rule.action != Action.VECTOR && rule.action != Action.STRING) {
            return INTERPRET;
          }
        }
        case RELATIVE -> {}
        default -> {
          return INTERPRET;
        }
      }
    }
    if (rule.action == Action.REENCODE && rule.rm < 0 && (e.mnemonic == Mnemonic.XCHG || rule.inOpcode < 0)) {
      rule.takeAnyRegister(e);
    }
    return rule;
  }

  /** Instead of a form of an instruction that works on RAX: that which works on any register. */
  private void takeAnyRegister(Encoding e) {
    boolean octet = e.operands.getFirst().width == Width.B;
    int wide = octet ? 0 : 1;
    rm = 0;
    byteRm = octet;
    switch (e.mnemonic) {
      case ADD, OR, ADC, SBB, AND, SUB, XOR, CMP -> {
        opcode = 0x80 | wide;
        extension = e.opcode >> 3;
      }
      case TEST -> opcode = 0xf6 | wide;
      case XCHG -> {
        opcode = 0x87;
        reg = 1;
        inOpcode = -1;
      }
      default -> throw new IllegalStateException("form of " + e);
    }
  }

  private static Rule byMnemonic(Encoding e) {
    boolean byCl = e.operands.size() == 2 && e.operands.get(1).text.equals("CL");
    return switch (e.mnemonic) {
      case MOV -> e.operands.get(1).kind == OperandKind.SEG
          ? new Rule(Action.READ_SELECTOR, "w", FlagEffect.NONE, 0) : reencode("w", FlagEffect.NONE);
      case MOVZX, MOVSX, MOVSXD -> reencode("w", FlagEffect.NONE);
      case ADD, SUB -> reencode("rw", FlagEffect.ARITHMETIC);
      case ADC, SBB -> new Rule(Action.REENCODE, "rw", FlagEffect.ARITHMETIC, Encoding.CF);
      case CMP -> reencode("r", FlagEffect.ARITHMETIC);
      case NEG -> reencode("rw", FlagEffect.ARITHMETIC);
      case AND, OR, XOR -> reencode("rw", FlagEffect.LOGIC);
      case TEST -> reencode("r", FlagEffect.LOGIC);
      case NOT -> reencode("rw", FlagEffect.NONE);
      case INC, DEC -> reencode("rw", FlagEffect.STEP);
      case SHL, SHR, SAR -> reencode("rw", byCl ? FlagEffect.SHIFT_BY_CL : FlagEffect.SHIFT);
      case ROL, ROR -> reencode("rw", FlagEffect.ROTATE);
      case IMUL ->
          switch (e.operands.size()) {
            case 1 -> new Rule(Action.MULTIPLY, "r", FlagEffect.PRODUCT, 0);
            case 2 -> reencode("rw", FlagEffect.PRODUCT);
            default -> reencode("w", FlagEffect.PRODUCT);
          };
      case MUL -> new Rule(Action.MULTIPLY, "r", FlagEffect.PRODUCT, 0);
      case DIV -> new Rule(Action.DIVIDE, "r", FlagEffect.NONE, 0);
      case BT -> reencode("r", FlagEffect.BIT);
      case BTS, BTR, BTC -> reencode("rw", FlagEffect.BIT);
      case BSWAP -> reencode("rw", FlagEffect.NONE);
      case CMOVCC -> reencode("rw", FlagEffect.NONE);
      case SETCC -> reencode("w", FlagEffect.NONE);
      case XCHG -> reencode("rw,rw", FlagEffect.NONE);
      case XADD -> reencode("rw,rw", FlagEffect.ARITHMETIC);
      case CMPXCHG -> reencode("rw", FlagEffect.ARITHMETIC);
      case BSF, BSR -> new Rule(Action.SCAN, "w", FlagEffect.TESTED, 0);
      case SHLD, SHRD -> new Rule(Action.DOUBLE_SHIFT, "rw", FlagEffect.SHIFT, 0);
      case CMPXCHG8B, CMPXCHG16B -> new Rule(Action.COMPARE_EXCHANGE, "rw", FlagEffect.ZERO, 0);
      case MOVS, STOS -> simple(Action.STRING);
      case PUSHF -> simple(Action.PUSHF);
      case CLI -> simple(Action.CLI);
      case STI -> simple(Action.STI);
      case SWAPGS -> simple(Action.SWAPGS);
      case CLD, STD -> simple(Action.DIRECTION);
      case RDTSC, RDTSCP -> simple(Action.READ_TSC);
      case LEA -> new Rule(Action.LEA, "w", FlagEffect.NONE, 0);
      case CBW, CWD -> simple(Action.CONVERT);
      case NOP, ENDBR32, ENDBR64, PREFETCH, PREFETCHW, PREFETCHWT1, PREFETCHNTA, PREFETCHT0, PREFETCHT1, PREFETCHT2, LFENCE, MFENCE,
          SFENCE ->
          simple(Action.NOTHING);
      case PUSH -> new Rule(Action.PUSH, "r", FlagEffect.NONE, 0);
      case POP -> new Rule(Action.POP, "w", FlagEffect.NONE, 0);
      case LEAVE -> simple(Action.LEAVE);
      case JCC -> simple(Action.JCC);
      case JMP -> simple(relative(e) ? Action.JMP : Action.JMP_INDIRECT);
      case CALL -> simple(relative(e) ? Action.CALL : Action.CALL_INDIRECT);
      case RET -> simple(Action.RET);
      default -> e.has(Encoding.SSE_STATE) && isVector(e.mnemonic) ? vector(e) : INTERPRET;
    };
  }

  private static Rule vector(Encoding e) {
    for (OperandSpec spec : e.operands) {
      if (spec.kind == OperandKind.MMX) {
        return INTERPRET;
      }
    }
    return new Rule(Action.VECTOR, "rw", setsFlags(e.mnemonic) ? FlagEffect.ARITHMETIC : FlagEffect.NONE, 0);
  }

  private static boolean setsFlags(Mnemonic mnemonic) {
    return switch (mnemonic) {
      case PTEST, PCMPISTRI, PCMPISTRM, PCMPESTRI, PCMPESTRM -> true;
      default -> false;
    };
  }

  /** Moves, integer and bitwise operations: those that neither read nor write MXCSR, and cannot fault but for their address. */
  private static boolean isVector(Mnemonic mnemonic) {
    return switch (mnemonic) {
      case MOVD, MOVQ, MOVDQA, MOVDQU, MOVAPS, MOVAPD, MOVUPS, MOVUPD, MOVSS, MOVSD, MOVLPS, MOVHPS, MOVLPD, MOVHPD, MOVHLPS, MOVLHPS,
          LDDQU, MOVNTDQ, MOVNTPS, MOVNTPD, MOVMSKPS, MOVMSKPD, PMOVMSKB, MOVDDUP, MOVSLDUP, MOVSHDUP -> true;
      case UNPCKLPS, UNPCKHPS, UNPCKLPD, UNPCKHPD, SHUFPS, SHUFPD, ANDPS, ANDPD, ANDNPS, ANDNPD, ORPS, ORPD, XORPS, XORPD -> true;
      case PADDB, PADDW, PADDD, PADDQ, PSUBB, PSUBW, PSUBD, PSUBQ, PADDSB, PADDSW, PADDUSB, PADDUSW, PSUBSB, PSUBSW, PSUBUSB, PSUBUSW, PAND,
          PANDN, POR, PXOR, PCMPEQB, PCMPEQW, PCMPEQD, PCMPGTB, PCMPGTW, PCMPGTD, PMAXSW, PMAXUB, PMINSW, PMINUB, PAVGB, PAVGW, PMULLW,
          PMULHW, PMULHUW, PMULUDQ, PMADDWD, PSADBW -> true;
      case PSLLW, PSLLD, PSLLQ, PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD, PSLLDQ, PSRLDQ -> true;
      case PUNPCKLBW, PUNPCKLWD, PUNPCKLDQ, PUNPCKLQDQ, PUNPCKHBW, PUNPCKHWD, PUNPCKHDQ, PUNPCKHQDQ, PACKSSWB, PACKSSDW, PACKUSWB, PSHUFD,
          PSHUFLW, PSHUFHW, PINSRW, PEXTRW -> true;
      case PSHUFB, PALIGNR, PABSB, PABSW, PABSD, PSIGNB, PSIGNW, PSIGND, PHADDW, PHADDD, PHADDSW, PHSUBW, PHSUBD, PHSUBSW, PMADDUBSW,
          PMULHRSW -> true;
      case PTEST, PMULLD, PMULDQ, PCMPEQQ, PCMPGTQ, PACKUSDW, PBLENDW, PMINSB, PMINSD, PMINUW, PMINUD, PMAXSB, PMAXSD, PMAXUW, PMAXUD,
          PMOVSXBW, PMOVSXBD, PMOVSXBQ, PMOVSXWD, PMOVSXWQ, PMOVSXDQ, PMOVZXBW, PMOVZXBD, PMOVZXBQ, PMOVZXWD, PMOVZXWQ, PMOVZXDQ, PEXTRB,
          PEXTRD, PEXTRQ, PINSRB, PINSRD, PINSRQ, PCMPISTRI, PCMPISTRM, PCMPESTRI, PCMPESTRM -> true;
      default -> false;
    };
  }

  private static boolean relative(Encoding e) {
    return e.operands.getFirst().slot == OperandSpec.Slot.RELATIVE;
  }

  /** Whether the mnemonic is of the kind whose result a TEST of the destination repeats. */
  static boolean isLogic(Mnemonic mnemonic) {
    return switch (mnemonic) {
      case AND, OR, XOR -> true;
      default -> false;
    };
  }
}
