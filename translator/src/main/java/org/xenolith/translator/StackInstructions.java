package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.HOME;
import static org.xenolith.translator.Host.STATE;
import static org.xenolith.translator.TraceTranslator.READ;
import static org.xenolith.translator.TraceTranslator.SP;
import static org.xenolith.translator.TraceTranslator.WRITE;

import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Emits pushes and pops. */
final class StackInstructions {
  private final TraceTranslator t;
  private final Emitter e;

  StackInstructions(TraceTranslator t) {
    this.t = t;
    this.e = t.emitter();
  }

  void push(Step step) {
    Instruction i = step.instruction;
    if (i.hasMemory()) {
      t.operandAddress(step, 8, READ);
      e.load(B, A, 0);
      e.store(STATE, State.SCRATCH, B);
      pushScratch(step);
      return;
    }
    t.mayRetryHere();
    e.lea(A, SP, -1, 0, -8);
    t.check(step, 8, WRITE);
    if (i.kind0 == OperandKind.IMM) {
      e.withMemory(0, 8, Emitter.MAP_ONE, 0xc7, 0, A, 0);
      e.u32((int) i.imm);
    } else {
      storeRegister(i.reg0);
    }
    e.lea(SP, SP, -1, 0, -8);
  }

  private void storeRegister(int guest) {
    int register = t.home(guest);
    if (register < 0) {
      register = B;
      e.load(B, STATE, TraceTranslator.register(guest));
    }
    e.store(A, 0, register);
  }

  void pop(Step step) {
    int guest = step.instruction.reg0;
    t.mayRetryHere();
    e.move(A, SP);
    t.check(step, 8, READ);
    e.lea(SP, SP, -1, 0, 8);
    if (t.home(guest) >= 0) {
      e.load(t.home(guest), A, 0);
    } else {
      e.load(B, A, 0);
      e.store(STATE, TraceTranslator.register(guest), B);
    }
  }

  void leaveInstruction(Step step) {
    t.mayRetryHere();
    e.move(A, HOME[Cpu.RBP]);
    t.check(step, 8, READ);
    e.lea(SP, HOME[Cpu.RBP], -1, 0, 8);
    e.load(HOME[Cpu.RBP], A, 0);
  }

  void pushFlags(Step step) {
    t.saveFlags();
    e.withMemory(0, 0, Emitter.MAP_0F, 0xb6, A, STATE, State.FLAGS);
    e.shift32(4, A, 11);
    e.withMemory(0, 0, Emitter.MAP_0F, 0xb6, B, STATE, State.FLAGS + 1);
    e.withRegister(0, 0, Emitter.MAP_ONE, 0x0b, A, B);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x0b, A, STATE, State.EFLAGS);
    e.arithmeticImmediate(Emitter.OR, 0, A, 2);
    e.arithmeticImmediate(Emitter.AND, 0, A, ~(Cpu.VM | Cpu.RF));
    e.store(STATE, State.SCRATCH, A);
    pushScratch(step);
  }

  private void pushScratch(Step step) {
    t.mayRetryHere();
    e.lea(A, SP, -1, 0, -8);
    t.check(step, 8, WRITE);
    e.load(B, STATE, State.SCRATCH);
    e.store(A, 0, B);
    e.lea(SP, SP, -1, 0, -8);
  }
}
