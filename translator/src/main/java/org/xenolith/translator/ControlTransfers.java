package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.STATE;
import static org.xenolith.translator.TraceTranslator.FETCH;
import static org.xenolith.translator.TraceTranslator.JE;
import static org.xenolith.translator.TraceTranslator.JNE;
import static org.xenolith.translator.TraceTranslator.READ;
import static org.xenolith.translator.TraceTranslator.SP;

import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Emits jumps, calls and returns. */
final class ControlTransfers {
  private final TraceTranslator t;
  private final Emitter e;
  private final StackInstructions stack;

  ControlTransfers(TraceTranslator t, StackInstructions stack) {
    this.t = t;
    this.stack = stack;
    this.e = t.emitter();
  }

  void conditionalJump(Step step) {
    Instruction i = step.instruction;
    t.needInHost(step.reads, B, false);
    boolean follows = step.followsTarget && t.goesOn();
    int condition = follows ? i.condition ^ 1 : i.condition;
    t.exitStub(follows ? step.block.next : i.target(), t.behind()).jumps.add(e.jump(condition));
  }

  /** Ends the trace: the guest goes on elsewhere. */
  void exit(long target) {
    t.saveFlags();
    t.exitStub(target, 0).jumps.add(e.jump());
  }

  void call(Step step) {
    pushReturn(step);
    exit(step.instruction.target());
  }

  private void pushReturn(Step step) {
    long next = step.block.next;
    stack.address(step);
    if (next == (int) next) {
      t.withOperand(0, 8, Emitter.MAP_ONE, 0xc7, 0);
      e.u32((int) next);
    } else {
      e.constant(B, next);
      stack.store(B);
    }
    e.lea(SP, SP, -1, 0, -8);
  }

  private void target(Step step) {
    Instruction i = step.instruction;
    t.mayRetryHere();
    if (i.hasMemory()) {
      t.operandAddress(step, 8, READ);
      e.load(A, A, 0);
    } else if (t.home(i.reg0) >= 0) {
      e.move(A, t.home(i.reg0));
    } else {
      e.load(A, STATE, TraceTranslator.register(i.reg0));
    }
  }

  void jumpIndirect(Step step) {
    t.saveFlags();
    target(step);
    lookUp(step);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0xff, 4, B, JumpCache.CODE);
  }

  void callIndirect(Step step) {
    t.saveFlags();
    target(step);
    lookUp(step);
    e.load(A, B, JumpCache.CODE);
    e.store(STATE, State.SCRATCH2, A);
    pushReturn(step);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0xff, 4, STATE, State.SCRATCH2);
  }

  void ret(Step step) {
    Instruction i = step.instruction;
    t.saveFlags();
    stack.address(step);
    t.withOperand(0, 8, Emitter.MAP_ONE, 0x8b, A);
    lookUp(step);
    e.lea(SP, SP, -1, 0, 8 + (i.kind0 == OperandKind.IMM ? (int) i.imm & 0xffff : 0));
    e.withMemory(0, 0, Emitter.MAP_ONE, 0xff, 4, B, JumpCache.CODE);
  }

  /** Finds the entry of {@link JumpCache} for the address in {@link Host#A} and puts its address into {@link Host#B}, or leaves. */
  private void lookUp(Step step) {
    t.shifted(B, A, JumpCache.HASH_SHIFT);
    e.withRegister(0, 0, Emitter.MAP_ONE, 0x33, B, A);
    e.arithmeticImmediate(Emitter.AND, 0, B, JumpCache.ENTRIES - 1);
    e.shift32(4, B, JumpCache.ENTRY_SHIFT);
    e.arithmeticMemory(Emitter.ADD, B, STATE, State.JUMPS);
    e.arithmeticMemory(Emitter.CMP, A, B, JumpCache.VA);
    Stub other = t.detour(step, JNE, this::emitOtherPlace);
    other.back = e.position();
    // The TLB's fetch entry must be the one that the jump was found under.
    t.shifted(A, A, 8);
    e.arithmeticImmediate(Emitter.AND, 0, A, Mmu.TABLE_BYTES - 16);
    e.withIndexed(0xf3, 0, Emitter.MAP_0F, 0x6f, Host.XMM_SCRATCH, STATE, A, 0, State.TLB + FETCH);
    e.withMemory(0x66, 0, Emitter.MAP_0F, 0x74, Host.XMM_SCRATCH, B, JumpCache.PAGES);
    e.withRegister(0x66, 0, Emitter.MAP_0F, 0xd7, A, Host.XMM_SCRATCH);
    e.arithmeticImmediate(Emitter.CMP, 0, A, 0xffff);
    t.leaveOrRetry(step, JNE, FETCH, 0);
  }

  /** Looks at the other places of an address. */
  private void emitOtherPlace(Stub stub) {
    int place = 0;
    for (int other : JumpCache.OTHERS) {
      e.arithmeticImmediate(Emitter.XOR, 8, B, place ^ other);
      e.arithmeticMemory(Emitter.CMP, A, B, JumpCache.VA);
      e.bind(e.jump(JE), e.address(stub.back));
      place = other;
    }
    stub.miss.jumps.add(e.jump());
  }
}
