package org.xenolith.translator;

import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/** Which general registers an instruction writes. */
final class Registers {
  private static final int ALL = 0xffff;

  private Registers() {}

  static boolean writes(Instruction i, Rule rule, int register) {
    return switch (rule.action) {
      case INTERPRET -> true;
      case NOTHING, JCC, JMP, JMP_INDIRECT, CLI, STI, SWAPGS -> false;
      case READ_TSC -> register == Cpu.RAX || register == Cpu.RDX || register == Cpu.RCX && i.mnemonic == Mnemonic.RDTSCP;
      case VECTOR -> i.kind0 == OperandKind.GPR && i.reg0 == register || register == Cpu.RCX && givesIndex(i.mnemonic);
      case REENCODE ->
          rule.writes0 && (i.kind0 == OperandKind.GPR || i.kind0 == OperandKind.GPR_HIGH_BYTE) && i.reg0 == register
              || rule.writes1 && (i.kind1 == OperandKind.GPR || i.kind1 == OperandKind.GPR_HIGH_BYTE) && i.reg1 == register
              || i.mnemonic == Mnemonic.CMPXCHG && register == Cpu.RAX;
      case LEA, SCAN, DOUBLE_SHIFT -> i.reg0 == register;
      case STRING -> register == Cpu.RDI || register == Cpu.RSI || register == Cpu.RCX;
      case COMPARE_EXCHANGE -> register == Cpu.RAX || register == Cpu.RDX;
      case PUSH, PUSHF, CALL, CALL_INDIRECT, RET -> register == Cpu.RSP;
      case POP -> register == Cpu.RSP || i.reg0 == register;
      case LEAVE -> register == Cpu.RSP || register == Cpu.RBP;
      case DIVIDE, MULTIPLY, CONVERT -> register == Cpu.RAX || register == Cpu.RDX;
    };
  }

  /** The registers that an instruction reads, writes or has an address from: bit n for number n. All where that is not worth knowing. */
  static int used(Instruction i, Rule rule) {
    int used = bit(i.base) | bit(i.index);
    for (int n = 0; n < 4; n++) {
      if (i.kind(n) == OperandKind.GPR || i.kind(n) == OperandKind.GPR_HIGH_BYTE) {
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
      case VECTOR -> givesIndex(i.mnemonic) ? ALL : used;
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
