package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.STATE;
import static org.xenolith.translator.TraceTranslator.JE;
import static org.xenolith.translator.TraceTranslator.READ;
import static org.xenolith.translator.TraceTranslator.WRITE;

import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;

/** Emits shifts of memory and of two registers, bit strings, bit scans, and exchanges of 8 and 16 bytes. */
final class BitInstructions {
  private final TraceTranslator t;
  private final Emitter e;
  private final FlagSaver flags;

  BitInstructions(TraceTranslator t, FlagSaver flags) {
    this.t = t;
    this.e = t.emitter();
    this.flags = flags;
  }

  /** Loads the operand in memory, see {@link TraceTranslator#withOperand}, into {@link Host#B}, zero-extended. */
  void loadOperand(int width) {
    switch (width) {
      case 1 -> t.withOperand(0, 0, Emitter.MAP_0F, 0xb6, B);
      case 2 -> t.withOperand(0, 0, Emitter.MAP_0F, 0xb7, B);
      case 4 -> t.withOperand(0, 0, Emitter.MAP_ONE, 0x8b, B);
      default -> t.withOperand(0, 8, Emitter.MAP_ONE, 0x8b, B);
    }
  }

  void shiftMemory(Step step) {
    Instruction i = step.instruction;
    int prefix = i.width == 2 ? 0x66 : 0;
    int rex = i.width == 8 ? 8 : 0;
    t.operandAddress(step, i.width, WRITE);
    loadOperand(i.width);
    e.withRegister(prefix, rex, Emitter.MAP_ONE, i.encoding.opcode, i.encoding.extension, B);
    if (step.rule.immediate >= 0) {
      e.u8((int) i.imm);
    }
    e.withMemory(prefix, rex, Emitter.MAP_ONE, i.width == 1 ? 0x88 : 0x89, B, A, 0);
    e.move(A, B);
    t.flagsSet(step, A);
  }

  /** BT and its kin with the bit's number in a register, which reaches beyond the memory operand. */
  void bitString(Step step) {
    Instruction i = step.instruction;
    int rex = i.width == 8 ? 8 : 0;
    t.mayRetryHere();
    if (t.isConstant(i)) {
      e.constant(A, i.ea);
    } else {
      t.linearAddress(i);
    }
    int number = t.home(i.reg1);
    // Sign-extended by MOVSXD or not at all: bytes to the unit that has the bit.
    int load = i.width == 8 ? 0x8b : 0x63;
    if (number >= 0) {
      e.withRegister(0, 8, Emitter.MAP_ONE, load, B, number);
    } else {
      e.withMemory(0, 8, Emitter.MAP_ONE, load, B, STATE, TraceTranslator.register(i.reg1));
    }
    e.withRegister(0, 8, Emitter.MAP_ONE, 0xc1, 7, B);
    e.u8(3);
    e.arithmeticImmediate(Emitter.AND, 8, B, -i.width);
    e.arithmetic(Emitter.ADD, A, B);
    t.check(step, i.width, step.rule.writes0 ? WRITE : READ);
    if (number >= 0) {
      e.move32(B, number);
    } else {
      e.load(B, STATE, TraceTranslator.register(i.reg1));
    }
    e.arithmeticImmediate(Emitter.AND, 0, B, 8 * i.width - 1);
    e.withMemory(0, rex, Emitter.MAP_0F, i.encoding.opcode, B, A, 0);
    t.flagsSet(step, -1);
  }

  /** BSF and BSR: hosts differ in all flags but ZF, and in what a source of 0 does to the destination, which here keeps its value. */
  void scan(Step step) {
    Instruction i = step.instruction;
    int rex = i.width == 8 ? 8 : 0;
    int source = A;
    if (i.hasMemory()) {
      t.operandAddress(step, i.width, READ);
      loadOperand(i.width);
      e.move(A, B);
    } else if (t.home(i.reg1) >= 0) {
      source = t.home(i.reg1);
    } else {
      e.load(A, STATE, TraceTranslator.register(i.reg1));
    }
    e.withRegister(0, rex, Emitter.MAP_ONE, 0x85, source, source);
    if (step.flagsWanted()) {
      flags.saveLogic();
      e.withRegister(0, rex, Emitter.MAP_ONE, 0x85, source, source);
    }
    int nothing = e.jump(JE);
    int to = t.home(i.reg0) >= 0 ? t.home(i.reg0) : A;
    e.withRegister(0, rex, Emitter.MAP_0F, i.encoding.opcode, to, source);
    if (to == A) {
      e.store(STATE, TraceTranslator.register(i.reg0), A);
    }
    e.bindHere(nothing);
    t.savedOnly();
  }

  void doubleShift(Step step) {
    if (step.flagsWanted() && !step.keep) {
      t.interpret(step);
      return;
    }
    Instruction i = step.instruction;
    if (step.keep) {
      t.keepOperands(i);
    }
    int from = t.home(i.reg1);
    if (from < 0) {
      from = B;
      e.load(B, STATE, TraceTranslator.register(i.reg1));
    }
    int to = t.home(i.reg0);
    if (to < 0) {
      to = A;
      e.load(A, STATE, TraceTranslator.register(i.reg0));
    }
    e.withRegister(0, i.width == 8 ? 8 : 0, Emitter.MAP_0F, i.encoding.opcode, from, to);
    if (step.rule.immediate >= 0) {
      e.u8((int) i.imm);
    }
    if (to == A) {
      e.store(STATE, TraceTranslator.register(i.reg0), A);
    }
    t.flagsSet(step, to);
  }

  void compareExchange(Step step) {
    Instruction i = step.instruction;
    t.operandAddress(step, i.width, WRITE);
    if (i.width == 16) {
      t.leaveUnlessAligned(step);
    }
    int accumulator = t.home(Cpu.RAX);
    e.move(B, accumulator);
    e.withMemory(0, i.width == 16 ? 8 : 0, Emitter.MAP_0F, 0xc7, 1, A, 0);
    e.move(accumulator, B);
    t.flagsSet(step, -1);
  }
}
