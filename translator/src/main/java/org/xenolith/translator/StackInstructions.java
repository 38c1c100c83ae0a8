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

  /** Finds where the place on the stack is in the host, for {@link TraceTranslator#withOperand}, or leaves. */
  void address(Step step) {
    if (t.window(step, true)) {
      return;
    }
    t.mayRetryHere();
    switch (step.rule.action) {
      case POP, RET, LEAVE -> {
        e.move(A, step.rule.action == Action.LEAVE ? HOME[Cpu.RBP] : SP);
        t.check(step, 8, READ);
      }
      default -> {
        e.lea(A, SP, -1, 0, -8);
        t.check(step, 8, WRITE);
      }
    }
  }

  void push(Step step) {
    Instruction i = step.instruction;
    if (i.hasMemory()) {
      t.operandAddress(step, 8, READ);
      load(B);
      e.store(STATE, State.SCRATCH, B);
      pushScratch(step);
      return;
    }
    address(step);
    if (i.kind0 == OperandKind.IMM) {
      t.withOperand(0, 8, Emitter.MAP_ONE, 0xc7, 0);
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
    store(register);
  }

  /** Loads a register from where the operand is, or stores it there. */
  private void load(int register) {
    t.withOperand(0, 8, Emitter.MAP_ONE, 0x8b, register);
  }

  void store(int register) {
    t.withOperand(0, 8, Emitter.MAP_ONE, 0x89, register);
  }

  void pop(Step step) {
    int guest = step.instruction.reg0;
    address(step);
    int register = t.home(guest) >= 0 ? t.home(guest) : B;
    if (register == SP) {
      load(SP);
      return;
    }
    load(register);
    e.lea(SP, SP, -1, 0, 8);
    if (register == B) {
      e.store(STATE, TraceTranslator.register(guest), B);
    }
  }

  void leaveInstruction(Step step) {
    address(step);
    e.lea(SP, HOME[Cpu.RBP], -1, 0, 8);
    load(HOME[Cpu.RBP]);
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
    t.hostFlagsLost();
    e.store(STATE, State.SCRATCH, A);
    pushScratch(step);
  }

  private void pushScratch(Step step) {
    address(step);
    e.load(B, STATE, State.SCRATCH);
    store(B);
    e.lea(SP, SP, -1, 0, -8);
  }
}
