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
    t.needInHost(step.reads, false);
    boolean follows = step.followsTarget && t.goesOn();
    int condition = follows ? i.condition ^ 1 : i.condition;
    Stub exit = t.exitStub(follows ? step.block.next : i.target(), t.behind());
    exit.jumps.add(e.jump(condition));
    t.zeroFrom(step, follows, exit);
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
    jumpToEntry();
  }

  void callIndirect(Step step) {
    t.saveFlags();
    target(step);
    lookUp(step);
    e.loadIndexed(A, STATE, B, NearJumps.CODE);
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
    jumpToEntry();
  }

  private void jumpToEntry() {
    e.withIndexed(0, 0, Emitter.MAP_ONE, 0xff, 4, STATE, B, 0, NearJumps.CODE);
  }

  /** Finds the entry of {@link NearJumps} for the address in {@link Host#A} and puts its place into {@link Host#B}, or leaves. */
  private void lookUp(Step step) {
    nearEntry(B, A);
    e.arithmeticIndexed(Emitter.CMP, A, STATE, B, NearJumps.TABLE);
    Stub far = t.detour(step, JNE, this::emitFar);
    far.otherMiss = t.stub(step);
    t.mayRetry(far.otherMiss, FETCH, 0);
    far.back = e.position();
  }

  private void nearEntry(int to, int from) {
    t.rotated(to, from, NearJumps.ROTATE);
    e.arithmeticImmediate(Emitter.AND, 0, to, NearJumps.MASK);
  }

  /** Looks for the address in {@link Host#A} in {@link JumpCache}, at all its places, and enters what is there in {@link NearJumps}. */
  private void emitFar(Stub stub) {
    t.rotated(B, A, JumpCache.HASH_SHIFT);
    e.withRegister(0, 0, Emitter.MAP_ONE, 0x33, B, A);
    e.arithmeticImmediate(Emitter.AND, 0, B, JumpCache.ENTRIES - 1);
    e.shift32(4, B, JumpCache.ENTRY_SHIFT);
    e.arithmeticMemory(Emitter.ADD, B, STATE, State.JUMPS);
    int[] found = new int[1 + JumpCache.OTHERS.length];
    int place = 0;
    for (int n = 0; n < found.length; n++) {
      int other = n == 0 ? 0 : JumpCache.OTHERS[n - 1];
      if (n > 0) {
        e.arithmeticImmediate(Emitter.XOR, 8, B, place ^ other);
      }
      e.arithmeticMemory(Emitter.CMP, A, B, JumpCache.VA);
      found[n] = e.jump(JE);
      place = other;
    }
    stub.miss.jumps.add(e.jump());
    for (int jump : found) {
      e.bindHere(jump);
    }
    // The TLB's fetch entry must be the one that the jump was found under.
    t.rotated(A, A, 8);
    e.arithmeticImmediate(Emitter.AND, 0, A, Mmu.TABLE_BYTES - 16);
    e.withIndexed(0xf3, 0, Emitter.MAP_0F, 0x6f, Host.XMM_SCRATCH, STATE, A, 0, State.TLB + FETCH);
    e.withMemory(0x66, 0, Emitter.MAP_0F, 0x74, Host.XMM_SCRATCH, B, JumpCache.PAGES);
    e.withRegister(0x66, 0, Emitter.MAP_0F, 0xd7, A, Host.XMM_SCRATCH);
    e.arithmeticImmediate(Emitter.CMP, 0, A, 0xffff);
    stub.otherMiss.jumps.add(e.jump(JNE));
    // Both addresses are beside each other in either table.
    e.load(A, B, JumpCache.VA);
    nearEntry(A, A);
    e.withMemory(0xf3, 0, Emitter.MAP_0F, 0x6f, Host.XMM_SCRATCH, B, JumpCache.VA);
    e.withIndexed(0xf3, 0, Emitter.MAP_0F, 0x7f, Host.XMM_SCRATCH, STATE, A, 0, NearJumps.TABLE);
    e.move(B, A);
    e.jumpTo(e.address(stub.back));
  }
}
