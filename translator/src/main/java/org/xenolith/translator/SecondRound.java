package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.STATE;
import static org.xenolith.translator.TraceTranslator.JA;
import static org.xenolith.translator.TraceTranslator.JNE;
import static org.xenolith.translator.TraceTranslator.JNS;
import static org.xenolith.translator.TraceTranslator.JS;

import java.util.List;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.Instruction;

/** Emits what is particular to the second round of a loop, see {@link Trace}: its beginning and end, and addresses inside it. */
final class SecondRound {
  private final TraceTranslator t;
  private final Emitter e;
  private final List<Step> steps;

  /** Where in the steps it begins, 0 if there is none; where the trace does. */
  private final int loop;

  private final long va;

  /** Where it has addresses from, or null. */
  private final LoopAddresses addresses;

  /** Where it has registers, or null. */
  private final LoopRegisters registers;

  /** Where its code begins, and what of the flags that relies on. */
  private int code;

  private Step setter;
  private boolean needsFlags, saved, again;

  /**
   * @param plain whether it is to do without {@link LoopAddresses}
   */
  SecondRound(TraceTranslator t, Trace trace, boolean plain) {
    this.t = t;
    this.e = t.emitter();
    steps = trace.steps;
    loop = trace.loop;
    va = trace.blocks.getFirst().va;
    LoopAddresses found = loop == 0 || plain ? null : new LoopAddresses(steps, loop);
    addresses = found != null && found.pays() ? found : null;
    registers = loop == 0 ? null : new LoopRegisters(steps.subList(0, loop), addresses);
  }

  /** It is entered from the first round, and from its own end, where the host's flags are lost. */
  void begin() {
    needsFlags = steps.get(loop - 1).liveAfter != 0;
    if (!needsFlags) {
      t.savedOnly();
    } else if (!t.again()) {
      t.saveFlags();
    }
    t.waysMeet();
    saved = t.saved();
    again = t.again();
    setter = t.setter();
    if (addresses != null) {
      translateAddresses();
    }
    if (registers != null) {
      t.homes().use(registers.homes());
      enterHomes();
    }
    e.alignByNops(64);
    code = e.position();
  }

  /** Takes the registers to where the second round has them, if the place that is emitted now is there. */
  void enterHomes() {
    if (t.homes().now() != Host.HOME) {
      registers.enter(e);
    }
  }

  /** Takes the registers back from there; the flags stay, in both. */
  void leaveHomes() {
    if (t.homes().now() != Host.HOME) {
      registers.leave(e);
    }
  }

  /** Gets the addresses for the second round ready, or goes round by the first once more if the TLB lacks a page. */
  private void translateAddresses() {
    Stub out = exit();
    out.betweenRounds = true;
    for (int n : addresses.indexes()) {
      int place = addresses.place(n);
      int table = State.TLB + addresses.table(n);
      if (addresses.isFixed(n)) {
        Instruction i = steps.get(n).instruction;
        if (TraceTranslator.isConstant(i)) {
          e.constant(A, i.ea);
        } else {
          t.linearAddress(i);
        }
        t.entry(A, addresses.table(n));
        e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE - addresses.size(n));
        out.jumps.add(e.jump(JA));
        t.addPage(addresses.table(n));
        e.store(STATE, place, A);
        if (registers.pointer(addresses, n) >= 0 && addresses.origin(n) != n) {
          // One register serves both if their pages are as near each other in the host.
          e.lea(A, A, -1, 0, -addresses.distance(n));
          e.arithmeticMemory(Emitter.CMP, A, STATE, addresses.place(addresses.origin(n)));
          out.jumps.add(e.jump(JNE));
        }
      } else {
        e.load(A, STATE, place);
        t.entryPlace(A);
        e.arithmeticImmediate(Emitter.AND, 8, A, -GuestMemory.FRAME_SIZE);
        e.arithmeticIndexed(Emitter.CMP, A, STATE, B, table);
        out.jumps.add(e.jump(JNE));
        e.store(STATE, place, A);
        e.loadIndexed(B, STATE, B, table + 8);
        e.arithmetic(Emitter.SUB, B, A);
        e.store(STATE, place + 8, B);
      }
    }
    e.store32(STATE, State.LOOP_PATIENCE, LoopAddresses.PATIENCE);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x8b, A, STATE, State.BUDGET);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x89, A, STATE, State.LOOP_BUDGET);
  }

  /** Goes on with the second round, or leaves the trace, if it ends otherwise than the first did, or the budget is used up. */
  void end() {
    boolean alike = !again || t.again() && t.setter().instruction == setter.instruction && t.setter().keep == setter.keep;
    if (!alike || !t.again() || saved && needsFlags) {
      t.saveFlags();
    }
    if (!alike) {
      t.exitStub(va, 0).jumps.add(e.jump());
      return;
    }
    e.memoryImmediate32(Emitter.SUB, STATE, State.BUDGET, loop);
    e.bind(e.jump(JNS), e.address(code));
    t.hostFlagsLost();
    exit().jumps.add(e.jump());
  }

  /** Where the trace is left for its beginning; the second round's part of the budget is given back. */
  private Stub exit() {
    return t.exitStub(va, loop);
  }

  /**
   * Turns the memory operand into a host address in {@link Host#A}, or leaves, as {@link TraceTranslator#operandAddress} does.
   *
   * @param index the step's place in the trace
   * @return false if that is still to be done
   */
  boolean operandAddress(Step step, int index, int size, int table) {
    int place = addresses == null ? 0 : addresses.place(index);
    if (place == 0) {
      return false;
    }
    if (index >= loop) {
      address(step, index, size, table, place);
      return true;
    }
    addresses.note(index, size, table);
    return false;
  }

  /** In the first round, with the linear address in {@link Host#A}: remembers it. */
  void remember(int index) {
    int place = addresses == null || index >= loop ? 0 : addresses.place(index);
    if (place != 0 && !addresses.isFixed(index)) {
      e.store(STATE, place, A);
    }
  }

  /** Whether a step is in a second round that relies on {@link LoopAddresses}. */
  boolean reliesOnAddresses(int index) {
    return addresses != null && index >= loop;
  }

  private void address(Step step, int index, int size, int table, int place) {
    t.hostFlagsLost();
    if (addresses.isFixed(index)) {
      if (registers.pointer(addresses, index) >= 0) {
        t.operandAt(registers.pointer(addresses, index), addresses.distance(index));
      } else {
        e.load(A, STATE, place);
      }
      return;
    }
    t.linearAddress(step.instruction);
    e.move(B, A);
    e.arithmeticMemory(Emitter.SUB, B, STATE, place);
    e.arithmeticImmediate(Emitter.CMP, 8, B, GuestMemory.FRAME_SIZE - size);
    Stub other = t.detour(step, JA, this::emitOtherPage);
    e.arithmeticMemory(Emitter.ADD, A, STATE, place + 8);
    other.back = e.position();
    other.place = place;
    other.size = size;
    other.access = table;
  }

  /** Remembers the page that an operand is in now, whose linear address is in {@link Host#A}. */
  private void emitOtherPage(Stub stub) {
    e.memoryImmediate32(Emitter.SUB, STATE, State.LOOP_PATIENCE, 1);
    stub.miss.jumps.add(e.jump(JS));
    t.entry(A, stub.access);
    e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE - stub.size);
    stub.miss.jumps.add(e.jump(JA));
    t.addPage(stub.access);
    e.store(STATE, State.SCRATCH, A);
    int table = State.TLB + stub.access;
    e.loadIndexed(A, STATE, B, table);
    e.store(STATE, stub.place, A);
    e.loadIndexed(B, STATE, B, table + 8);
    e.arithmetic(Emitter.SUB, B, A);
    e.store(STATE, stub.place + 8, B);
    e.load(A, STATE, State.SCRATCH);
    e.jumpTo(e.address(stub.back));
  }
}
