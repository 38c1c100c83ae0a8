package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.HOME;
import static org.xenolith.translator.Host.STATE;
import static org.xenolith.translator.TraceTranslator.JA;
import static org.xenolith.translator.TraceTranslator.JE;
import static org.xenolith.translator.TraceTranslator.JNE;
import static org.xenolith.translator.TraceTranslator.READ;
import static org.xenolith.translator.TraceTranslator.WRITE;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;

/** Emits MOVS and STOS. */
final class StringInstructions {
  private static final int COUNT = HOME[Cpu.RCX], FROM = HOME[Cpu.RSI], TO = HOME[Cpu.RDI];

  private final TraceTranslator t;
  private final Emitter e;

  StringInstructions(TraceTranslator t) {
    this.t = t;
    this.e = t.emitter();
  }

  /** MOVS and STOS by the host's, where all that is left to do lies in one page of the source and one of the destination. */
  void string(Step step) {
    Instruction i = step.instruction;
    boolean copies = i.mnemonic == Mnemonic.MOVS;
    boolean repeated = i.has(Instruction.REP);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0xf7, 0, STATE, State.EFLAGS);
    e.u32(Cpu.DF);
    t.leaveIf(step, JNE);
    int nothing = -1;
    if (repeated) {
      e.withRegister(0, 8, Emitter.MAP_ONE, 0x85, COUNT, COUNT);
      nothing = e.jump(JE);
      e.arithmeticImmediate(Emitter.CMP, 8, COUNT, GuestMemory.FRAME_SIZE / i.width);
      t.leaveIf(step, JA);
    }
    if (copies) {
      stringEnd(step, FROM, READ, repeated);
      e.store(STATE, State.SCRATCH, A);
    }
    stringEnd(step, TO, WRITE, repeated);
    // Host addresses of the first elements.
    if (copies) {
      e.load(B, STATE, State.SCRATCH);
      e.store(STATE, State.SCRATCH, FROM);
    }
    e.store(STATE, State.SCRATCH2, TO);
    bytes(TO, i.width, repeated);
    e.arithmetic(Emitter.SUB, A, TO);
    e.withMemory(0, 8, Emitter.MAP_ONE, 0x01, TO, STATE, State.SCRATCH2);
    if (copies) {
      e.arithmetic(Emitter.SUB, B, TO);
      e.withMemory(0, 8, Emitter.MAP_ONE, 0x01, TO, STATE, State.SCRATCH);
      e.move(FROM, B);
    }
    e.move(TO, A);
    if (!copies) {
      e.move(B, HOME[Cpu.RAX]);
    }
    if (repeated) {
      e.u8(0xf3);
    }
    e.plain(i.width == 2 ? 0x66 : 0, i.width == 8 ? 8 : 0, Emitter.MAP_ONE, i.encoding.opcode);
    if (copies) {
      e.load(FROM, STATE, State.SCRATCH);
    }
    e.load(TO, STATE, State.SCRATCH2);
    if (repeated) {
      e.bindHere(nothing);
    }
    t.hostFlagsLost();
  }

  /** Puts the host address of the end of a string into {@link Host#A}, or leaves. */
  private void stringEnd(Step step, int address, int table, boolean repeated) {
    int width = step.instruction.width;
    t.mayRetryHere();
    t.entry(address, table);
    t.leaveIfOutside(step, width, table);
    if (repeated) {
      e.lea(A, A, COUNT, Integer.numberOfTrailingZeros(width), 0);
      e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE);
      t.leaveIf(step, JA);
    } else {
      e.lea(A, A, -1, 0, width);
    }
    t.addPage(table);
    t.hostFlagsLost();
  }

  /** Puts the length of a string into a register. */
  private void bytes(int into, int width, boolean repeated) {
    if (!repeated) {
      e.constant(into, width);
    } else {
      e.lea(into, -1, COUNT, Integer.numberOfTrailingZeros(width), 0);
    }
  }
}
