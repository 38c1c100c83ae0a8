package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.STATE;
import static org.xenolith.translator.TraceTranslator.JE;
import static org.xenolith.translator.TraceTranslator.JNE;
import static org.xenolith.translator.TraceTranslator.READ;
import static org.xenolith.translator.TraceTranslator.WRITE;

import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/**
 * Emits moves, integer and bitwise operations on SSE registers. The guest's are those of the host, from the first such instruction of a
 * trace on.
 */
final class SseInstructions {
  private static final int[] MANDATORY = {0, 0x66, 0xf3, 0xf2};

  private final TraceTranslator t;
  private final Emitter e;

  /** Whether the trace has found the SSE registers to be in the host. */
  private boolean ready;

  SseInstructions(TraceTranslator t) {
    this.t = t;
    this.e = t.emitter();
  }

  /** A trace begins: it may be entered with the SSE registers elsewhere. */
  void begin() {
    ready = false;
  }

  /** Whether all that follows in the trace finds the SSE registers in the host. */
  boolean ready() {
    return ready;
  }

  /** The SSE registers of the guest are those of the host, from the first such instruction of a trace on. */
  void vector(Step step) {
    Instruction i = step.instruction;
    Rule rule = step.rule;
    if (!ready) {
      compareSse(State.SSE_IN_HOST);
      int there = e.jump(JE);
      compareSse(State.SSE_HERE);
      t.leaveIf(step, JNE);
      e.callTo(t.loadSseCode());
      e.bindHere(there);
      t.hostFlagsLost();
      ready = true;
    }
    boolean memory = i.hasMemory();
    if (memory) {
      t.operandAddress(step, i.memoryWidth, rule.rm == 0 ? WRITE : READ);
      if (i.encoding.has(Encoding.ALIGNED)) {
        t.leaveUnlessAligned(step);
      }
    }
    int reg = Math.max(i.encoding.extension, 0);
    int storeGeneral = -1;
    boolean scratch = usesScratch(i);
    if (scratch) {
      e.withMemory(0, 0, Emitter.MAP_0F, 0x28, Host.XMM_SCRATCH, STATE, State.XMM + 16 * Host.XMM_SCRATCH);
    }
    if (rule.reg >= 0) {
      reg = i.reg(rule.reg);
      if (i.kind(rule.reg) == OperandKind.GPR) {
        storeGeneral = t.home(reg) < 0 ? reg : -1;
        reg = t.home(reg) < 0 ? B : t.home(reg);
      }
    }
    if (i.mnemonic == Mnemonic.PCMPESTRI || i.mnemonic == Mnemonic.PCMPESTRM) {
      // One of the lengths.
      e.move(B, t.home(Cpu.RAX));
    }
    int prefix = MANDATORY[i.encoding.prefix & 3];
    int rex = i.encoding.w == 1 || i.has(Instruction.REX_W) ? 8 : 0;
    int map = i.encoding.map;
    int opcode = i.encoding.opcode;
    if (memory) {
      e.withMemory(prefix, rex, map, opcode, reg, A, 0);
    } else if (i.kind(rule.rm) == OperandKind.XMM) {
      e.withRegister(prefix, rex, map, opcode, reg, i.reg(rule.rm));
    } else if (t.home(i.reg(rule.rm)) >= 0) {
      e.withRegister(prefix, rex, map, opcode, reg, t.home(i.reg(rule.rm)));
    } else if (rule.rm != 0) {
      e.withMemory(prefix, rex, map, opcode, reg, STATE, TraceTranslator.register(i.reg(rule.rm)));
    } else {
      e.withRegister(prefix, rex, map, opcode, reg, B);
      storeGeneral = i.reg(rule.rm);
    }
    if (rule.immediate >= 0) {
      e.u8((int) i.imm);
    }
    if (storeGeneral >= 0) {
      e.store(STATE, TraceTranslator.register(storeGeneral), B);
    }
    if (scratch && i.kind0 == OperandKind.XMM && i.reg0 == Host.XMM_SCRATCH) {
      e.withMemory(0, 0, Emitter.MAP_0F, 0x29, Host.XMM_SCRATCH, STATE, State.XMM + 16 * Host.XMM_SCRATCH);
    }
    t.flagsSet(step, -1);
  }

  /** Loads the SSE registers, which are in the state if they are not in the host. */
  void takeSse() {
    compareSse(State.SSE_IN_HOST);
    int there = e.jump(JE);
    e.callTo(t.loadSseCode());
    e.bindHere(there);
  }

  private void compareSse(int place) {
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x80, Emitter.CMP, STATE, State.SSE);
    e.u8(place);
  }

  private static boolean usesScratch(Instruction i) {
    return i.kind0 == OperandKind.XMM && i.reg0 == Host.XMM_SCRATCH || i.kind1 == OperandKind.XMM && i.reg1 == Host.XMM_SCRATCH;
  }
}
