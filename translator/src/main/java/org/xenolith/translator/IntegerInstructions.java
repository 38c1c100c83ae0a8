package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.STATE;
import static org.xenolith.translator.TraceTranslator.JE;
import static org.xenolith.translator.TraceTranslator.JNE;
import static org.xenolith.translator.TraceTranslator.READ;
import static org.xenolith.translator.TraceTranslator.WRITE;

import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/**
 * Emits the general form, the guest's own instruction on the host's registers with a checked address; and addresses as values,
 * multiplication and division.
 */
final class IntegerInstructions {
  private final TraceTranslator t;
  private final Emitter e;
  private final BitInstructions bits;

  /** The register of the guest that is in {@link Host#A}, too, as long as the code is no longer than when that was so; or -1. */
  private int held = -1;

  private int heldAt;

  /**
   * The register of the guest whose lowest {@link #copiedBytes} are in {@link Host#A}, zero-extended, as long as the code is no longer than
   * when that was so; or -1.
   */
  private int copied = -1;

  private int copiedBytes, copiedAt;

  IntegerInstructions(TraceTranslator t, BitInstructions bits) {
    this.t = t;
    this.e = t.emitter();
    this.bits = bits;
  }

  /** Forgets what was in {@link Host#A}: another way leads here. */
  void forgetHeld() {
    held = -1;
    copied = -1;
  }

  /** A register of the guest, which the state has, is in {@link Host#A}. */
  private void hold(int guest) {
    held = guest;
    heldAt = e.position();
  }

  void reencode(Step step) {
    Instruction i = step.instruction;
    Rule rule = step.rule;
    boolean memory = i.hasMemory();
    if (memory && rule.effect == FlagEffect.BIT && i.kind1 == OperandKind.GPR) {
      bits.bitString(step);
      return;
    }
    if (memory && (rule.effect == FlagEffect.SHIFT || rule.effect == FlagEffect.SHIFT_BY_CL)) {
      bits.shiftMemory(step);
      return;
    }
    if (isComparedSoon(step)) {
      loadAndCopy(step);
      return;
    }
    boolean oneStep = rule.effect == FlagEffect.STEP;
    if (oneStep && step.reads != 0) {
      t.carryToState();
    }
    if (memory) {
      t.operandAddress(step, Windows.size(i), rule.rm == 0 && rule.writes0 ? WRITE : READ);
    }
    if (!oneStep && step.reads != 0) {
      t.needInHost(step.reads, memory);
    }
    if (i.mnemonic == Mnemonic.CMPXCHG) {
      compareExchange(step);
      return;
    }
    boolean keepsResult = oneStep || rule.effect == FlagEffect.LOGIC && rule.writes0;
    boolean inB = false;
    if (step.keep && !keepsResult) {
      keepOperands(i);
      // Then an operand that is only read is in a register already.
      inB = memory && !writes(rule, rule.rm) && (rule.reg < 0 || t.home(i.reg(rule.reg)) >= 0);
    }
    int result = emit(step, memory, inB, true);
    if (step.keep && keepsResult) {
      keep(i, 0, State.KEPT);
    }
    t.flagsSet(step, result);
  }

  /**
   * Whether an instruction loads the low byte or 16 bits of a register that is then compared, in a loop. The comparison need not wait for
   * the register's other bits, and each round for those of the one before. In a loop nothing comes back from the interpreter in between.
   */
  private boolean isComparedSoon(Step step) {
    Instruction i = step.instruction;
    if (i.mnemonic != Mnemonic.MOV || i.width > 2 || i.kind0 != OperandKind.GPR || i.kind1 != OperandKind.MEM || t.home(i.reg0) < 0
        || !t.reliesOnAddresses()) {
      return false;
    }
    Step next = t.ahead(1);
    if (next != null && leavesCopy(next.instruction, i.reg0)) {
      next = t.ahead(2);
    }
    return next != null && comparesPart(next.instruction, i.width) && (next.instruction.reg0 == i.reg0 || next.instruction.reg1 == i.reg0);
  }

  /** Whether an instruction moves a number into another register and needs neither {@link Host#A} nor {@link Host#B} for that. */
  private boolean leavesCopy(Instruction i, int register) {
    return i.mnemonic == Mnemonic.MOV && i.kind0 == OperandKind.GPR && i.kind1 == OperandKind.IMM && i.reg0 != register
        && t.home(i.reg0) >= 0;
  }

  /** Whether an instruction does nothing but compare two registers' lowest bytes. */
  private static boolean comparesPart(Instruction i, int bytes) {
    return (i.mnemonic == Mnemonic.CMP || i.mnemonic == Mnemonic.TEST) && i.width == bytes && i.kind0 == OperandKind.GPR
        && i.kind1 == OperandKind.GPR;
  }

  private void loadAndCopy(Step step) {
    Instruction i = step.instruction;
    boolean isByte = i.width == 1;
    t.operandAddress(step, i.width, READ);
    t.withOperand(0, 0, Emitter.MAP_0F, isByte ? 0xb6 : 0xb7, A);
    e.withRegister(isByte ? 0 : 0x66, isByte ? 0x40 : 0, Emitter.MAP_ONE, isByte ? 0x8a : 0x8b, t.home(i.reg0), A);
    copied = i.reg0;
    copiedBytes = i.width;
    copiedAt = e.position();
    t.flagsSet(step, t.home(i.reg0));
  }

  void keepOperands(Instruction i) {
    keep(i, 0, State.KEPT);
    if (i.kind1 != OperandKind.IMM) {
      keep(i, 1, State.KEPT2);
    }
  }

  /** Copies an operand, a register or memory at {@link Host#A}, into the state. */
  private void keep(Instruction i, int operand, int place) {
    int register = B;
    if (i.kind(operand) == OperandKind.MEM) {
      bits.loadOperand(i.width);
    } else if (t.home(i.reg(operand)) >= 0) {
      register = t.home(i.reg(operand));
    } else {
      e.load(B, STATE, TraceTranslator.register(i.reg(operand)));
    }
    e.store(STATE, place, register);
  }

  /** An instruction without memory operand that writes no register: once more, for its flags. */
  void emitOnRegisters(Step step) {
    emit(step, false, false, false);
  }

  /**
   * Emits the instruction on host registers and memory.
   *
   * @param inB whether the operand in memory has been copied to {@link Host#B}
   * @return the host register that has the result
   */
  private int emit(Step step, boolean memory, boolean inB, boolean write) {
    Instruction i = step.instruction;
    Rule rule = step.rule;
    int prefix = i.width == 2 ? 0x66 : 0;
    int rex = i.width == 8 ? 8 : 0;
    int map = i.encoding.map;
    int opcode = rule.opcode + (i.encoding.condition ? i.condition : 0);
    int inA = heldAt == e.position() ? held : -1;
    int copy = copiedAt == e.position() ? copied : -1;
    boolean usesCopy = copy >= 0 && comparesPart(i, copiedBytes);
    int result = -1;
    int storeRm = -1;
    int storeReg = -1;
    int reg = rule.extension;
    boolean highByte = Rule.hasHighByte(i);
    boolean accumulator = highByte && usesAccumulator(i);
    if (accumulator) {
      e.move(B, t.home(Cpu.RAX));
    }
    if (rule.reg >= 0) {
      int guest = i.reg(rule.reg);
      boolean writes = writes(rule, rule.reg) && write;
      reg = highByte ? besideHighByte(i, rule.reg) : t.home(guest);
      if (reg < 0 && guest == inA && !writes && !needsA(i, rule, inA)) {
        reg = A;
      } else if (reg < 0) {
        reg = B;
        if (!writes || rule.reg != 0 || rule.reads0 || i.width < 4) {
          e.load(B, STATE, TraceTranslator.register(guest));
        }
        storeReg = writes ? guest : -1;
      }
      if (rule.byteReg && !highByte) {
        rex |= 0x40;
      }
      if (usesCopy && guest == copy) {
        reg = A;
      }
      if (rule.reg == 0) {
        result = reg;
      }
    }
    if (rule.inOpcode >= 0) {
      int guest = i.reg(rule.inOpcode);
      int register = highByte ? besideHighByte(i, rule.inOpcode) : t.home(guest);
      if (register < 0) {
        register = B;
        if (rule.reads0 || i.width < 4) {
          e.load(B, STATE, TraceTranslator.register(guest));
        }
        storeReg = guest;
      }
      if (!highByte) {
        rex |= register >> 3 | (rule.byteRm ? 0x40 : 0);
      }
      e.plain(prefix, rex, map, opcode | register & 7);
      result = register;
    } else if (inB) {
      e.withRegister(prefix, rex, map, opcode, reg, B);
    } else if (memory) {
      t.withOperand(prefix, rex, map, opcode, reg);
    } else {
      int guest = i.reg(rule.rm);
      int rm = highByte ? besideHighByte(i, rule.rm) : t.home(guest);
      boolean writes = writes(rule, rule.rm) && write;
      if (rule.byteRm && !highByte) {
        rex |= 0x40;
      }
      if (usesCopy && guest == copy) {
        rm = A;
      }
      if (rm >= 0) {
        e.withRegister(prefix, rex, map, opcode, reg, rm);
      } else if (!writes && rule.effect != FlagEffect.BIT && guest != inA) {
        e.withMemory(prefix, rex, map, opcode, reg, STATE, TraceTranslator.register(guest));
      } else {
        // For BT a register as the bit's number would reach beyond memory.
        rm = A;
        if (guest != inA && (rule.rm != 0 || rule.reads0 || i.width < 4)) {
          e.load(A, STATE, TraceTranslator.register(guest));
        }
        e.withRegister(prefix, rex, map, opcode, reg, A);
        storeRm = writes ? guest : -1;
        inA = guest;
      }
      if (rule.rm == 0) {
        result = rm;
      }
    }
    if (rule.immediate >= 0) {
      immediate(i, rule.immediateBytes);
    }
    if (accumulator && write) {
      e.move(t.home(Cpu.RAX), B);
    }
    if (storeReg >= 0) {
      e.store(STATE, TraceTranslator.register(storeReg), B);
      inA = inA == storeReg ? -1 : inA;
    }
    if (storeRm >= 0) {
      // Last: XADD of a register with itself leaves the sum.
      e.store(STATE, TraceTranslator.register(storeRm), A);
      inA = storeRm;
    }
    if (!memory) {
      hold(inA);
    }
    if (copy >= 0 && leavesCopy(i, copy)) {
      copiedAt = e.position();
    }
    return result;
  }

  /** Whether a register operand is RAX or a part of it. */
  private static boolean usesAccumulator(Instruction i) {
    return isAccumulator(i, 0) || isAccumulator(i, 1);
  }

  private static boolean isAccumulator(Instruction i, int operand) {
    return (i.kind(operand) == OperandKind.GPR || i.kind(operand) == OperandKind.GPR_HIGH_BYTE) && i.reg(operand) == Cpu.RAX;
  }

  /**
   * The number of a register operand in an instruction of the host's with AH, BH, CH or DH; that of any part of RAX is where RAX is the
   * host's, too, which it must be then.
   */
  private int besideHighByte(Instruction i, int operand) {
    if (i.kind(operand) == OperandKind.GPR_HIGH_BYTE) {
      return i.reg(operand) + 4;
    }
    return isAccumulator(i, operand) ? Host.RAX : t.home(i.reg(operand));
  }

  /** CMPXCHG of memory, with RAX where the host's instruction has it. */
  private void compareExchange(Step step) {
    Instruction i = step.instruction;
    int source = t.home(i.reg1);
    int accumulator = t.home(Cpu.RAX);
    boolean lent = source < 0;
    if (lent) {
      // A register of another's, that the address does without.
      t.withOperand(0, 8, Emitter.MAP_ONE, 0x8d, A);
      t.operandAt(A, 0);
      source = Host.RDX;
      e.store(STATE, State.SCRATCH, source);
      e.load(source, STATE, TraceTranslator.register(i.reg1));
    }
    e.move(B, accumulator);
    int rex = i.width == 8 ? 8 : i.width == 1 ? 0x40 : 0;
    t.withOperand(i.width == 2 ? 0x66 : 0, rex, Emitter.MAP_0F, step.rule.opcode, source);
    e.move(accumulator, B);
    if (lent) {
      e.load(source, STATE, State.SCRATCH);
    }
    t.flagsSet(step, -1);
  }

  /** Whether the operand in r/m goes through {@link Host#A} and is not the register of the guest that is there. */
  private boolean needsA(Instruction i, Rule rule, int inA) {
    return rule.rm >= 0 && i.reg(rule.rm) != inA && t.home(i.reg(rule.rm)) < 0;
  }

  private static boolean writes(Rule rule, int operand) {
    return operand == 0 ? rule.writes0 : operand == 1 && rule.writes1;
  }

  private void immediate(Instruction i, int bytes) {
    int size = bytes > 0 ? bytes : i.width == 2 ? 2 : bytes == 0 || i.width == 4 ? 4 : 8;
    switch (size) {
      case 1 -> e.u8((int) i.imm);
      case 2 -> e.u16((int) i.imm);
      case 4 -> e.u32((int) i.imm);
      default -> e.u64(i.imm);
    }
  }

  void lea(Instruction i) {
    int to = t.home(i.reg0);
    t.offset(i, i.width == 8 ? 8 : 0, to < 0 ? A : to);
    if (to < 0) {
      e.store(STATE, TraceTranslator.register(i.reg0), A);
      hold(i.reg0);
    }
  }

  void multiply(Step step) {
    Instruction i = step.instruction;
    if (i.hasMemory()) {
      t.operandAddress(step, i.width, READ);
    }
    unary(i, i.encoding.extension);
    t.flagsSet(step, t.home(Cpu.RAX));
  }

  /** An instruction that works on RDX and RAX. */
  private void unary(Instruction i, int extension) {
    int rex = i.width == 8 ? 8 : 0;
    e.move(B, t.home(Cpu.RAX));
    if (i.hasMemory()) {
      e.withMemory(0, rex, Emitter.MAP_ONE, 0xf7, extension, A, 0);
    } else if (t.home(i.reg0) >= 0) {
      e.withRegister(0, rex, Emitter.MAP_ONE, 0xf7, extension, t.home(i.reg0));
    } else {
      e.withMemory(0, rex, Emitter.MAP_ONE, 0xf7, extension, STATE, TraceTranslator.register(i.reg0));
    }
    e.move(t.home(Cpu.RAX), B);
  }

  /** CBW and its kin extend RAX, CWD and its kin extend it into RDX. */
  void convert(Instruction i) {
    int prefix = i.width == 2 ? 0x66 : 0;
    int rex = i.width == 8 ? 8 : 0;
    int accumulator = t.home(Cpu.RAX);
    if (i.mnemonic == Mnemonic.CWD) {
      e.move(B, accumulator);
      e.plain(prefix, rex, Emitter.MAP_ONE, 0x99);
    } else if (i.width == 8) {
      e.withRegister(0, rex, Emitter.MAP_ONE, 0x63, accumulator, accumulator);
    } else {
      e.withRegister(prefix, 0x40, Emitter.MAP_0F, i.width == 2 ? 0xbe : 0xbf, accumulator, accumulator);
    }
  }

  void divide(Step step) {
    Instruction i = step.instruction;
    int rex = i.width == 8 ? 8 : 0;
    // With an upper half of 0 and a divisor other than 0 the quotient fits.
    e.withRegister(0, rex, Emitter.MAP_ONE, 0x85, Host.RDX, Host.RDX);
    t.leaveIf(step, JNE);
    if (i.hasMemory()) {
      t.operandAddress(step, i.width, READ);
      e.withMemory(0, rex, Emitter.MAP_ONE, 0x83, Emitter.CMP, A, 0);
      e.u8(0);
    } else if (t.home(i.reg0) >= 0) {
      e.withRegister(0, rex, Emitter.MAP_ONE, 0x85, t.home(i.reg0), t.home(i.reg0));
    } else {
      e.withMemory(0, rex, Emitter.MAP_ONE, 0x83, Emitter.CMP, STATE, TraceTranslator.register(i.reg0));
      e.u8(0);
    }
    t.leaveIf(step, JE);
    unary(i, 6);
    t.hostFlagsLost();
  }
}
