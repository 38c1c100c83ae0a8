package org.xenolith.translator;

import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/** Which general registers an instruction writes or uses. */
final class Registers {
  private static final int ALL = 0xffff;

  private Registers() {}

  static boolean writes(Instruction i, Rule rule, int register) {
    return (written(i, rule) >> register & 1) != 0;
  }

  /** The registers that an instruction writes: bit n for number n. */
  static int written(Instruction i, Rule rule) {
    return switch (rule.action) {
      case INTERPRET -> ALL;
      case NOTHING, JCC, JMP, JMP_INDIRECT, CLI, STI, SWAPGS, DIRECTION -> 0;
      case READ_TSC -> bit(Cpu.RAX) | bit(Cpu.RDX) | (i.mnemonic == Mnemonic.RDTSCP ? bit(Cpu.RCX) : 0);
      case VECTOR -> (i.kind0 == OperandKind.GPR ? bit(i.reg0) : 0) | (givesIndex(i.mnemonic) ? bit(Cpu.RCX) : 0);
      case REENCODE -> {
        int written = rule.writes0 && isGeneral(i.kind0) ? bit(i.reg0) : 0;
        written |= rule.writes1 && isGeneral(i.kind1) ? bit(i.reg1) : 0;
        yield i.mnemonic == Mnemonic.CMPXCHG ? written | bit(Cpu.RAX) : written;
      }
      case LEA, SCAN, DOUBLE_SHIFT, READ_SELECTOR -> bit(i.reg0);
      case STRING -> bit(Cpu.RDI) | bit(Cpu.RSI) | bit(Cpu.RCX);
      case COMPARE_EXCHANGE, DIVIDE, MULTIPLY, CONVERT -> bit(Cpu.RAX) | bit(Cpu.RDX);
      case PUSH, PUSHF, CALL, CALL_INDIRECT, RET -> bit(Cpu.RSP);
      case POP -> bit(Cpu.RSP) | bit(i.reg0);
      case LEAVE -> bit(Cpu.RSP) | bit(Cpu.RBP);
    };
  }

  private static boolean isGeneral(OperandKind kind) {
    return kind == OperandKind.GPR || kind == OperandKind.GPR_HIGH_BYTE;
  }

  /** The registers that an instruction reads, writes or has an address from: bit n for number n. All where that is not worth knowing. */
  static int used(Instruction i, Rule rule) {
    int used = bit(i.base) | bit(i.index);
    for (int n = 0; n < 4; n++) {
      if (isGeneral(i.kind(n))) {
        used |= bit(i.reg(n));
      }
    }
    return switch (rule.action) {
      case NOTHING, JCC, JMP -> 0;
      case REENCODE -> {
        if (rule.effect == FlagEffect.SHIFT_BY_CL) {
          used |= bit(Cpu.RCX);
        }
        yield i.mnemonic == Mnemonic.CMPXCHG ? used | bit(Cpu.RAX) : used;
      }
      case LEA, SCAN -> used;
      case VECTOR -> givesIndex(i.mnemonic) || i.mnemonic == Mnemonic.PCMPESTRM ? ALL : used;
      case MULTIPLY, DIVIDE, CONVERT -> used | bit(Cpu.RAX) | bit(Cpu.RDX);
      default -> ALL;
    };
  }

  private static int bit(int register) {
    return 1 << register & ALL;
  }

  /** Whether the result of an SSE instruction is in RCX. */
  private static boolean givesIndex(Mnemonic mnemonic) {
    return mnemonic == Mnemonic.PCMPISTRI || mnemonic == Mnemonic.PCMPESTRI;
  }
}
