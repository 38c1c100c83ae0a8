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
  private boolean needsFlags, saved, again, noCarry, zero;

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
    noCarry = t.noCarry();
    zero = t.zero();
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
    for (LoopAddresses.Address address : addresses.all()) {
      int place = address.place;
      if (address.fixed) {
        Instruction i = address.operand;
        int step = address.step;
        if (TraceTranslator.isConstant(i)) {
          e.constant(A, i.ea);
        } else {
          t.linearAddress(i);
        }
        t.entry(A, address.table());
        e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE - address.bytes());
        out.jumps.add(e.jump(JA));
        t.addPage(address.table());
        e.store(STATE, place, A);
        if (registers.pointer(addresses, step) >= 0 && addresses.origin(step) != step) {
          // One register serves both if their pages are as near each other in the host.
          e.lea(A, A, -1, 0, -addresses.distance(step));
          e.arithmeticMemory(Emitter.CMP, A, STATE, addresses.of(addresses.origin(step)).place);
          out.jumps.add(e.jump(JNE));
        }
      } else {
        e.load(A, STATE, place);
        t.entryPlace(A);
        e.arithmeticImmediate(Emitter.AND, 8, A, -GuestMemory.FRAME_SIZE);
        e.arithmeticIndexed(Emitter.CMP, A, STATE, B, State.TLB + address.table());
        out.jumps.add(e.jump(JNE));
        rememberPage(address, out);
      }
    }
    e.store32(STATE, State.LOOP_PATIENCE, LoopAddresses.PATIENCE);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x8b, A, STATE, State.BUDGET);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x89, A, STATE, State.LOOP_BUDGET);
  }

  /** Goes on with the second round, or leaves the trace, if it ends otherwise than the first did, or the budget is used up. */
  void end() {
    boolean alike = !again
        || t.again() && t.setter().instruction == setter.instruction && t.setter().keep == setter.keep && t.noCarry() == noCarry
            && t.zero() == zero;
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
   * Finds where the memory operand is in the host, or leaves, as {@link TraceTranslator#operandAddress} does.
   *
   * @param index the step's place in the trace
   * @return false if that is still to be done
   */
  boolean operandAddress(Step step, int index, int size, int table) {
    LoopAddresses.Address address = addresses == null ? null : addresses.of(index);
    if (address == null) {
      return false;
    }
    if (index < loop) {
      addresses.note(index, size, table);
      return false;
    }
    t.hostFlagsLost();
    if (address.fixed) {
      fixedAddress(address, index);
    } else {
      address(step, address, index == address.step);
    }
    return true;
  }

  /** In the first round, with the linear address in {@link Host#A}: remembers it. */
  void remember(int index) {
    LoopAddresses.Address address = addresses == null || index >= loop ? null : addresses.of(index);
    if (address != null && !address.fixed && address.step == index + loop) {
      e.store(STATE, address.place, A);
    }
  }

  /** Whether a step is in a second round that relies on {@link LoopAddresses}. */
  boolean reliesOnAddresses(int index) {
    return addresses != null && index >= loop;
  }

  private void fixedAddress(LoopAddresses.Address address, int index) {
    if (registers.pointer(addresses, index) >= 0) {
      t.operandAt(registers.pointer(addresses, index), addresses.distance(index));
    } else {
      e.load(A, STATE, address.place);
    }
  }

  /**
   * Finds an operand that rounds move. If only one of its registers moves and is in the host, the other is part of what is remembered, and
   * the access waits for neither the check nor an addition.
   *
   * @param first whether it is the first of those that {@code address} is for, and has to look for the bytes of all
   */
  private void address(Step step, LoopAddresses.Address address, boolean first) {
    Instruction i = step.instruction;
    boolean split = isSplit(address);
    long from = first ? address.begin() : i.ea;
    if (first || !split) {
      t.linearAddress(i, from);
    }
    if (first) {
      int distance = split ? A : B;
      e.move(distance, A);
      e.arithmeticMemory(Emitter.SUB, distance, STATE, address.place);
      e.arithmeticImmediate(Emitter.CMP, 8, distance, GuestMemory.FRAME_SIZE - address.bytes());
      Stub other = t.detour(step, JA, stub -> emitOtherPage(address, stub));
      other.back = e.position();
    }
    if (split) {
      e.load(A, STATE, address.place + 8);
      t.operandAt(A, t.home(address.moving), address.moving == i.index ? i.shift : 0, (int) i.ea);
    } else {
      e.arithmeticMemory(Emitter.ADD, A, STATE, address.place + 8);
      t.operandAt(A, (int) (i.ea - from));
    }
  }

  private boolean isSplit(LoopAddresses.Address address) {
    return address.moving != Instruction.NO_REGISTER && Windows.takesOperand(steps.get(address.step))
        && registers.homes()[address.moving] >= 0;
  }

  /**
   * Remembers the page that an operand is in now. Its linear address is in {@link Host#A}, or how far that is from the page it was in
   * before.
   */
  private void emitOtherPage(LoopAddresses.Address address, Stub stub) {
    e.memoryImmediate32(Emitter.SUB, STATE, State.LOOP_PATIENCE, 1);
    stub.miss.jumps.add(e.jump(JS));
    if (isSplit(address)) {
      e.arithmeticMemory(Emitter.ADD, A, STATE, address.place);
    } else {
      e.store(STATE, State.SCRATCH, A);
    }
    t.entry(A, address.table());
    e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE - address.bytes());
    stub.miss.jumps.add(e.jump(JA));
    e.loadIndexed(A, STATE, B, State.TLB + address.table());
    rememberPage(address, stub.miss);
    if (!isSplit(address)) {
      e.load(A, STATE, State.SCRATCH);
    }
    e.jumpTo(e.address(stub.back));
  }

  /** Remembers a page, whose linear address is in {@link Host#A} and whose entry of the TLB is at {@link Host#B}, or leaves. */
  private void rememberPage(LoopAddresses.Address address, Stub otherwise) {
    int table = State.TLB + address.table();
    int read = State.TLB + TraceTranslator.READ;
    if (address.bothTables()) {
      e.arithmeticIndexed(Emitter.CMP, A, STATE, B, read);
      otherwise.jumps.add(e.jump(JNE));
      e.store(STATE, address.place, A);
      e.loadIndexed(A, STATE, B, table + 8);
      e.arithmeticIndexed(Emitter.CMP, A, STATE, B, read + 8);
      otherwise.jumps.add(e.jump(JNE));
      e.move(B, A);
    } else {
      e.store(STATE, address.place, A);
      e.loadIndexed(B, STATE, B, table + 8);
    }
    e.arithmeticMemory(Emitter.SUB, B, STATE, address.place);
    if (isSplit(address) && address.still != Instruction.NO_REGISTER) {
      if (t.home(address.still) >= 0) {
        e.arithmetic(Emitter.ADD, B, t.home(address.still));
      } else {
        e.arithmeticMemory(Emitter.ADD, B, STATE, TraceTranslator.register(address.still));
      }
    }
    e.store(STATE, address.place + 8, B);
  }
}
