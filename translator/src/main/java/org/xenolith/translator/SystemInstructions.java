package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.HOME;
import static org.xenolith.translator.Host.STATE;
import static org.xenolith.translator.TraceTranslator.JE;

import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;

/** Emits what changes the interrupt and direction flags and the base of GS, and reads selectors and the clock. */
final class SystemInstructions {
  private final TraceTranslator t;
  private final Emitter e;

  SystemInstructions(TraceTranslator t) {
    this.t = t;
    this.e = t.emitter();
  }

  /** CLI, where nothing but the privilege level allows it. */
  void clearInterrupts(Step step) {
    leaveUnless(step, State.PRIVILEGED);
    e.memoryImmediate32(Emitter.AND, STATE, State.EFLAGS, ~Cpu.IF);
    t.hostFlagsLost();
  }

  /** Another instruction is to follow before the budget is spent, since what would wait for it is not there. */
  void allowInterrupts(Step step) {
    if (t.behind() == 0) {
      t.interpret(step);
      return;
    }
    leaveUnless(step, State.STI_ALLOWED);
    e.memoryImmediate32(Emitter.OR, STATE, State.EFLAGS, Cpu.IF);
    t.hostFlagsLost();
  }

  void swapGs(Step step) {
    leaveUnless(step, State.PRIVILEGED);
    e.load(A, STATE, State.GS);
    e.load(B, STATE, State.OTHER_GS);
    e.store(STATE, State.OTHER_GS, A);
    e.store(STATE, State.GS, B);
    t.hostFlagsLost();
  }

  /** CLD and STD. */
  void direction(Instruction i) {
    boolean down = i.mnemonic == Mnemonic.STD;
    e.memoryImmediate32(down ? Emitter.OR : Emitter.AND, STATE, State.EFLAGS, down ? Cpu.DF : ~Cpu.DF);
    t.hostFlagsLost();
  }

  void readSelector(Instruction i) {
    int home = t.home(i.reg0);
    int to = home < 0 ? B : home;
    int prefix = i.width == 2 ? 0x66 : 0;
    e.withMemory(prefix, 0, Emitter.MAP_ONE, 0x8b, to, STATE, State.SELECTORS + 4 * i.reg1);
    if (home < 0) {
      // 32 bits come zero-extended.
      e.withMemory(prefix, i.width == 2 ? 0 : 8, Emitter.MAP_ONE, 0x89, B, STATE, TraceTranslator.register(i.reg0));
    }
  }

  void readTsc(Step step) {
    leaveUnless(step, State.TSC_ALLOWED);
    e.withMemory(0, 8, Emitter.MAP_ONE, 0x63, A, STATE, State.BUDGET);
    e.lea(A, A, -1, 0, t.behind() + 1);
    e.load(B, STATE, State.TSC_AT_END);
    e.arithmetic(Emitter.SUB, B, A);
    e.move32(HOME[Cpu.RAX], B);
    e.withRegister(0, 8, Emitter.MAP_ONE, 0xc1, 5, B);
    e.u8(32);
    e.move(HOME[Cpu.RDX], B);
    if (step.instruction.mnemonic == Mnemonic.RDTSCP) {
      e.withMemory(0, 0, Emitter.MAP_ONE, 0x8b, HOME[Cpu.RCX], STATE, State.TSC_AUX);
    }
    t.hostFlagsLost();
  }

  /** Lets the interpreter run an instruction unless a byte of the state is 1. */
  private void leaveUnless(Step step, int place) {
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x80, Emitter.CMP, STATE, place);
    e.u8(0);
    t.leaveIf(step, JE);
  }
}
