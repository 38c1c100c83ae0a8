package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.HOME;
import static org.xenolith.translator.Host.STATE;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.xenolith.cpu.Block;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/**
 * Emits the machine code of a trace: the way it mostly goes first, then the places where it is left.
 *
 * <p>The flags are in up to three places at each point, which this class keeps account of: in the host's flags ({@link #host}), in {@link
 * State#FLAGS} ({@link #saved}), and in the operands of the instruction that set them ({@link #setter}, if {@link #again}).
 */
final class TraceTranslator {
  static final int READ = 0, WRITE = Mmu.TABLE_BYTES, FETCH = 2 * Mmu.TABLE_BYTES;

  static final int JA = 7, JNE = 5, JE = 4, JS = 8, JNS = 9;

  static final int SP = HOME[Cpu.RSP];

  /** A place outside the straight way, to be emitted behind it. */
  private static final class Stub {
    final List<Integer> jumps = new ArrayList<>();
    Step step;
    int index;
    boolean saved, again, host;
    Step setter;
    int resume;
    boolean resumeLoadsFlags;

    /** For an instruction: that behind it the SSE registers are known to be in the host. */
    boolean sse;

    /** For an instruction that may lack a TLB entry: where its address is computed, or -1; whether SSE registers are in the host there. */
    int retry = -1;

    boolean retrySse;
    int access, size;

    /** Whether that address is a number. */
    boolean constant;

    /** For an exit: where to; and whether the jump may be patched itself, since nothing is to be done. */
    boolean exit;

    long target;
    int refund;

    /** For an exit: that the trace would go on with the second round of a loop. */
    boolean betweenRounds;

    /** For a detour: what emits it, where it leads back to, and the place where machine code is left instead. */
    Consumer<Stub> detour;

    int back;
    Stub miss;

    /** For an operand that is in another page than last time: its place. */
    int place;
  }

  private final Translator owner;
  private final Emitter e;
  private final FlagSaver flags;

  private List<Step> steps;
  private Translation translation;
  private final List<Stub> stubs = new ArrayList<>();
  private int total;
  private int index;

  /** Where the code before a check of an address begins, or -1. */
  private int retry;

  private final SseInstructions sse;
  private final BitInstructions bits;
  private final StringInstructions strings;
  private final StackInstructions stack;

  private Step setter;
  private boolean saved;
  private boolean again;
  private int host;

  /** For a loop: where in the steps and in the code its second round begins, and what its code relies on. */
  private int loop;

  private int loopCode;
  private Step loopSetter;
  private boolean loopNeedsFlags, loopSaved, loopAgain;

  /** For a loop: where its second round has addresses from, or null. */
  private LoopAddresses addresses;

  TraceTranslator(Translator owner) {
    this.owner = owner;
    this.e = new Emitter();
    this.flags = new FlagSaver(e);
    this.sse = new SseInstructions(this);
    this.bits = new BitInstructions(this, flags);
    this.strings = new StringInstructions(this);
    this.stack = new StackInstructions(this);
  }

  Emitter emitter() {
    return e;
  }

  /**
   * Emits a trace for an address; sites get their numbers from the {@link Translator}.
   *
   * @param plain whether a loop is to do without {@link LoopAddresses}
   */
  Translation translate(Trace trace, long address, boolean plain) {
    steps = trace.steps;
    FlagPlan.make(steps, trace.loop);
    stubs.clear();
    total = steps.size();
    loop = trace.loop;
    addresses = loop == 0 || plain ? null : new LoopAddresses(steps, loop);
    if (addresses != null && !addresses.pays()) {
      addresses = null;
    }
    translation = new Translation(List.copyOf(trace.blocks), total);
    e.begin(address);
    translation.entry = address;
    saved = true;
    again = false;
    host = 0;
    setter = null;
    sse.begin();
    e.memoryImmediate32(Emitter.SUB, STATE, State.BUDGET, total);
    Stub notNow = new Stub();
    notNow.jumps.add(e.jump(JS));
    if (trace.blocks.getFirst().secondPage != 0) {
      checkSecondPage(trace.blocks.getFirst(), notNow);
    }
    Step last = steps.getLast();
    for (index = 0; index < total; index++) {
      if (index == loop && loop != 0) {
        beginRound();
      }
      step(steps.get(index));
    }
    if (loop != 0) {
      endRound(trace.blocks.getFirst().va);
    } else {
      end(last);
    }
    for (Stub stub : stubs) {
      if (stub.exit) {
        emitExit(stub);
      } else if (stub.detour != null) {
        stub.jumps.forEach(e::bindHere);
        stub.detour.accept(stub);
      } else {
        emitLeave(stub);
      }
    }
    notNow.jumps.forEach(e::bindHere);
    e.memoryImmediate32(Emitter.ADD, STATE, State.BUDGET, total);
    leave(owner.add(new Site(Site.Kind.BUDGET, translation)));
    translation.sse = sse.ready();
    while (translation.leading < total && steps.get(translation.leading).rule.action != Action.INTERPRET) {
      translation.leading++;
    }
    return translation;
  }

  private void end(Step last) {
    switch (last.rule.action) {
      case JMP -> exit(last.instruction.target());
      case CALL, CALL_INDIRECT, JMP_INDIRECT, RET -> {}
      case INTERPRET -> {
        if (last.place != last.block.instructions.length - 1) {
          throw new IllegalStateException("a trace ends inside a block");
        }
      }
      default -> exit(last.block.next);
    }
  }

  /** The second round of a loop is entered from the first, and from its own end, where the host's flags are lost. */
  private void beginRound() {
    loopNeedsFlags = steps.get(index - 1).liveAfter != 0;
    if (!loopNeedsFlags) {
      saved = true;
      again = false;
    } else if (!again) {
      saveFlags();
    }
    host = 0;
    loopSaved = saved;
    loopAgain = again;
    loopSetter = setter;
    if (addresses != null) {
      translateAddresses(steps.getFirst().block.va);
    }
    loopCode = e.position();
  }

  /** Gets the addresses for the second round ready, or goes round by the first once more if the TLB lacks a page. */
  private void translateAddresses(long va) {
    Stub out = exitOfRound(va);
    out.betweenRounds = true;
    for (int n : addresses.indexes()) {
      int place = addresses.place(n);
      int table = State.TLB + addresses.table(n);
      if (addresses.isFixed(n)) {
        Instruction i = steps.get(n).instruction;
        if (isConstant(i)) {
          e.constant(A, i.ea);
        } else {
          linearAddress(i);
        }
        entry(A, addresses.table(n));
        e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE - addresses.size(n));
        out.jumps.add(e.jump(JA));
        addPage(addresses.table(n));
        e.store(STATE, place, A);
      } else {
        e.load(A, STATE, place);
        entryPlace(A);
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

  private Stub exitOfRound(long va) {
    Stub stub = stub(steps.getLast());
    stub.exit = true;
    stub.target = va;
    stub.refund = total - loop;
    return stub;
  }

  private boolean inSecondRound(int step) {
    return addresses != null && step >= loop;
  }

  /** Goes on with the second round, or leaves the trace, if it ends otherwise than the first did, or the budget is used up. */
  private void endRound(long va) {
    if (loopAgain && !(again && setter.instruction == loopSetter.instruction && setter.keep == loopSetter.keep)) {
      exit(va);
      return;
    }
    if (!again || loopSaved && loopNeedsFlags) {
      saveFlags();
    }
    e.memoryImmediate32(Emitter.SUB, STATE, State.BUDGET, total - loop);
    e.bind(e.jump(JNS), e.address(loopCode));
    host = 0;
    exitOfRound(va).jumps.add(e.jump());
  }

  /** Sees to it that the page into which the first instruction crosses is the one that it was decoded from. */
  private void checkSecondPage(Block b, Stub otherwise) {
    long page = b.va + b.length & -GuestMemory.FRAME_SIZE;
    int entry = State.TLB + JumpCache.fetchEntry(page);
    e.constant(A, page);
    e.arithmeticMemory(Emitter.CMP, A, STATE, entry);
    otherwise.jumps.add(e.jump(JNE));
    e.constant(A, b.secondPage & -GuestMemory.FRAME_SIZE);
    e.arithmeticMemory(Emitter.CMP, A, STATE, entry + 8);
    otherwise.jumps.add(e.jump(JNE));
  }

  // ---- One instruction ----

  private void step(Step step) {
    Instruction i = step.instruction;
    int firstStub = stubs.size();
    retry = -1;
    if (step.flagsWanted() && step.rule.effect.changes != 0 && step.rule.effect.kills != Flags.ALL && step.rule.effect != FlagEffect.STEP) {
      // It changes some of the saved flags.
      saveFlags();
    }
    switch (step.rule.action) {
      case INTERPRET -> interpret(step);
      case NOTHING -> {}
      case REENCODE -> reencode(step);
      case VECTOR -> sse.vector(step);
      case LEA -> lea(i);
      case PUSH -> stack.push(step);
      case PUSHF -> stack.pushFlags(step);
      case CLI -> clearInterrupts(step);
      case STI -> allowInterrupts(step);
      case SWAPGS -> swapGs(step);
      case READ_TSC -> readTsc(step);
      case SCAN -> bits.scan(step);
      case DOUBLE_SHIFT -> bits.doubleShift(step);
      case COMPARE_EXCHANGE -> bits.compareExchange(step);
      case STRING -> strings.string(step);
      case POP -> stack.pop(step);
      case LEAVE -> stack.leaveInstruction(step);
      case DIVIDE -> divide(step);
      case MULTIPLY -> multiply(step);
      case CONVERT ->
          e.plain(i.width == 2 ? 0x66 : 0, i.width == 8 ? 8 : 0, Emitter.MAP_ONE, i.mnemonic == Mnemonic.CBW ? 0x98 : 0x99);
      case JCC -> conditionalJump(step);
      case JMP -> {}
      case JMP_INDIRECT -> jumpIndirect(step);
      case CALL -> call(step);
      case CALL_INDIRECT -> callIndirect(step);
      case RET -> ret(step);
    }
    if (again && !FlagPlan.Repeat.survives(setter, i, step.rule)) {
      again = false;
    }
    // The interpreter's way joins here, with the flags saved.
    for (int n = firstStub; n < stubs.size(); n++) {
      Stub stub = stubs.get(n);
      if (!stub.exit) {
        stub.resume = e.position();
        stub.resumeLoadsFlags = host != 0 && step.liveAfter != 0;
        stub.sse = sse.ready();
      }
    }
  }

  void interpret(Step step) {
    saveFlags();
    Stub stub = stub(step);
    stub.jumps.add(e.jump());
    savedOnly();
  }

  private Stub stub(Step step) {
    Stub stub = new Stub();
    stub.step = step;
    stub.index = index;
    stub.saved = saved;
    stub.again = again;
    stub.setter = setter;
    stubs.add(stub);
    return stub;
  }

  // ---- Flags ----

  /** Sees to it that the flags are in the state. */
  void saveFlags() {
    if (saved) {
      return;
    }
    saveFlags(host != 0, again, setter);
    if (setter.rule.effect != FlagEffect.ARITHMETIC && setter.rule.effect != FlagEffect.STEP) {
      host = 0;
    }
    saved = true;
  }

  void saveFlags(boolean inHost, boolean repeatable, Step from) {
    boolean shift = from.rule.effect == FlagEffect.SHIFT;
    if (!inHost || shift) {
      if (!repeatable) {
        throw new IllegalStateException("the flags of " + from.instruction + " are lost");
      }
      repeat(from);
    }
    if (from.rule.action == Action.DOUBLE_SHIFT) {
      flags.saveDoubleShift(from.instruction);
    } else if (shift) {
      flags.saveShift(from.instruction, A);
    } else if (from.rule.effect == FlagEffect.LOGIC) {
      flags.saveLogic(A);
    } else {
      flags.saveArithmetic(A);
    }
  }

  private void repeat(Step from) {
    if (from.keep) {
      flags.repeatKept(from);
      return;
    }
    switch (from.instruction.mnemonic) {
      case CMP, TEST -> emitOnRegisters(from);
      default -> flags.repeat(from);
    }
  }

  /** Sees to it that the host has some flags; {@code temporary} is free, and so is {@link Host#A} unless an address is there. */
  private void needInHost(int wanted, int temporary, boolean addressInA) {
    if ((wanted & ~host) == 0) {
      return;
    }
    if (again && !addressInA && (wanted & ~setter.rule.effect.exact) == 0) {
      repeat(setter);
      host = setter.rule.effect.exact;
    } else if (saved) {
      flags.load(temporary);
      host = Flags.ALL;
    } else {
      throw new IllegalStateException("the flags before " + steps.get(index).instruction + " are lost");
    }
  }

  /** Keeps account of the flags that an instruction has just set; its result is in a host register, if there is one. */
  void flagsSet(Step step, int result) {
    FlagEffect effect = step.rule.effect;
    if (effect.changes == 0) {
      return;
    }
    Instruction i = step.instruction;
    if (!step.flagsWanted()) {
      host &= ~effect.changes;
      if (effect.kills == Flags.ALL) {
        // Nobody sees the flags before the next instruction that sets them all.
        host = 0;
        saved = true;
        again = false;
      }
      return;
    }
    switch (effect) {
      case ARITHMETIC, LOGIC, STEP -> {
        host = effect == FlagEffect.STEP ? host & Flags.ALL | effect.exact : effect.exact;
        setter = step;
        again = step.keep || FlagPlan.Repeat.possible(step);
        saved = false;
        if (step.save) {
          saveFlags();
        }
      }
      case SHIFT, SHIFT_BY_CL -> {
        if (step.keep) {
          host = effect.exact;
          setter = step;
          again = true;
          saved = false;
          if (step.save) {
            saveFlags();
          }
        } else {
          flags.saveShift(i, result);
          savedOnly();
        }
      }
      case ROTATE -> {
        flags.saveRotate(i, result);
        savedOnly();
      }
      case PRODUCT -> {
        if (result == B) {
          e.move(A, B);
          result = A;
        }
        flags.saveProduct(i.width, result);
        savedOnly();
      }
      case ZERO -> {
        flags.saveZero();
        savedOnly();
      }
      case BIT -> {
        flags.saveCarry();
        savedOnly();
        host = Encoding.CF;
      }
      default -> throw new IllegalStateException();
    }
  }

  void savedOnly() {
    saved = true;
    again = false;
    host = 0;
  }

  // ---- Addresses ----

  static boolean isConstant(Instruction i) {
    return i.base == Instruction.NO_REGISTER && i.index == Instruction.NO_REGISTER && i.segment < Instruction.FS;
  }

  /** Puts the offset of the memory operand into {@link Host#A} or, where it is one step, {@code into}. */
  private void offset(Instruction i, int into) {
    int base = i.base == Instruction.NO_REGISTER ? -1 : HOME[i.base];
    int scaled = i.index == Instruction.NO_REGISTER ? -1 : HOME[i.index];
    if (i.base == Instruction.NO_REGISTER && i.index == Instruction.NO_REGISTER) {
      e.constant(into, i.ea);
      return;
    }
    if (i.base != Instruction.NO_REGISTER && base < 0) {
      base = A;
      e.load(A, STATE, register(i.base));
    }
    if (i.index != Instruction.NO_REGISTER && scaled < 0) {
      scaled = B;
      e.load(B, STATE, register(i.index));
    }
    if (scaled < 0 && i.ea == 0) {
      e.move(into, base);
    } else {
      e.lea(into, base, scaled, i.shift, (int) i.ea);
    }
  }

  static int register(int guest) {
    return State.REGISTERS + 8 * guest;
  }

  /** Turns the memory operand into a host address in {@link Host#A}, or leaves. */
  void operandAddress(Step step, int size, int table) {
    Instruction i = step.instruction;
    mayRetryHere();
    int place = addresses == null ? 0 : addresses.place(index);
    if (place != 0 && index >= loop) {
      loopAddress(step, size, table, place);
      return;
    }
    if (place != 0) {
      addresses.note(index, size, table);
    }
    if (isConstant(i)) {
      checkConstant(step, i.ea, size, table);
      return;
    }
    linearAddress(i);
    if (place != 0 && !addresses.isFixed(index)) {
      e.store(STATE, place, A);
    }
    check(step, size, table);
  }

  /** The same in the second round of a loop. */
  private void loopAddress(Step step, int size, int table, int place) {
    host = 0;
    if (addresses.isFixed(index)) {
      e.load(A, STATE, place);
      return;
    }
    linearAddress(step.instruction);
    e.move(B, A);
    e.arithmeticMemory(Emitter.SUB, B, STATE, place);
    e.arithmeticImmediate(Emitter.CMP, 8, B, GuestMemory.FRAME_SIZE - size);
    Stub other = stub(step);
    other.jumps.add(e.jump(JA));
    e.arithmeticMemory(Emitter.ADD, A, STATE, place + 8);
    other.back = e.position();
    other.place = place;
    other.size = size;
    other.access = table;
    other.miss = stub(step);
    other.detour = this::emitOtherPage;
  }

  /** Remembers the page that an operand is in now, whose linear address is in {@link Host#A}. */
  private void emitOtherPage(Stub stub) {
    e.memoryImmediate32(Emitter.SUB, STATE, State.LOOP_PATIENCE, 1);
    stub.miss.jumps.add(e.jump(JS));
    entry(A, stub.access);
    e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE - stub.size);
    stub.miss.jumps.add(e.jump(JA));
    addPage(stub.access);
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

  /** Puts the linear address of the memory operand into {@link Host#A}. */
  void linearAddress(Instruction i) {
    offset(i, A);
    if (i.segment >= Instruction.FS) {
      e.arithmeticMemory(Emitter.ADD, A, STATE, i.segment == Instruction.FS ? State.FS : State.GS);
    }
  }

  /** Turns a linear address in {@link Host#A} into a host address, or leaves. */
  void check(Step step, int size, int table) {
    entry(A, table);
    leaveIfOutside(step, size, table);
    addPage(table);
    host = 0;
  }

  /** Makes a host address of the distance in {@link Host#A} from the tag of the TLB entry at {@link Host#B}. */
  void addPage(int table) {
    e.arithmeticIndexed(Emitter.ADD, A, STATE, B, State.TLB + table + 8);
  }

  /** With a TLB entry's place in {@link Host#B} and a distance from its tag in {@link Host#A}: leaves unless that is inside the page. */
  void leaveIfOutside(Step step, int size, int table) {
    e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE - size);
    Stub stub = stub(step);
    stub.jumps.add(e.jump(JA));
    stub.retry = inSecondRound(index) ? -1 : retry;
    stub.retrySse = sse.ready();
    stub.access = table;
    stub.size = size;
  }

  /**
   * From here to the next check of an address the code may be run again: it changes nothing, and needs no flags of the host's. Not from
   * further back, since the TLB entry for one access may drive out that for another.
   */
  void mayRetryHere() {
    retry = e.position();
  }

  /**
   * Puts the place of the TLB's entry for a linear address into {@link Host#B}, and into {@link Host#A} how far the address is from its
   * tag.
   */
  void entry(int address, int table) {
    entryPlace(address);
    e.move(A, address);
    e.arithmeticIndexed(Emitter.SUB, A, STATE, B, State.TLB + table);
  }

  private void entryPlace(int address) {
    shifted(B, address, 8);
    e.arithmeticImmediate(Emitter.AND, 0, B, Mmu.TABLE_BYTES - 16);
  }

  /** Puts 32 bits of a register, shifted to the right, into a register; the bits that come in from the left are undefined. */
  private void shifted(int to, int from, int count) {
    if (owner.hasRotate()) {
      e.rotate32(to, from, count);
    } else {
      e.move32(to, from);
      e.shift32(5, to, count);
    }
  }

  private void checkConstant(Step step, long va, int size, int table) {
    int entry = State.TLB + table + ((int) (va >>> 8) & Mmu.TABLE_BYTES - 16);
    e.constant(A, va);
    e.arithmeticMemory(Emitter.SUB, A, STATE, entry);
    leaveIfOutside(step, size, table);
    stubs.getLast().constant = true;
    e.arithmeticMemory(Emitter.ADD, A, STATE, entry + 8);
    host = 0;
  }

  /** The code of an instruction has changed the host's flags. */
  void hostFlagsLost() {
    host = 0;
  }

  long loadSseCode() {
    return owner.loadSseCode();
  }

  /** Lets the interpreter run an instruction if a condition holds now. */
  void leaveIf(Step step, int condition) {
    stub(step).jumps.add(e.jump(condition));
  }

  /** Lets the interpreter run an instruction unless the address in {@link Host#A} is a multiple of 16. */
  void leaveUnlessAligned(Step step) {
    e.withRegister(0, 0, Emitter.MAP_ONE, 0xf6, 0, A);
    e.u8(15);
    leaveIf(step, JNE);
  }

  // ---- The general form ----

  private void reencode(Step step) {
    Instruction i = step.instruction;
    Rule rule = step.rule;
    boolean memory = i.hasMemory();
    if (memory && rule.effect == FlagEffect.BIT && i.kind1 == OperandKind.GPR) {
      bits.bitString(step);
      return;
    }
    if (memory && (rule.effect == FlagEffect.SHIFT || rule.effect == FlagEffect.SHIFT_BY_CL)) {
      bits.shiftMemory(step);
      return;
    }
    if (memory) {
      operandAddress(step, memorySize(i), rule.rm == 0 && rule.writes0 ? WRITE : READ);
    }
    if (step.reads != 0) {
      needInHost(step.reads, B, memory);
    }
    boolean logic = rule.effect == FlagEffect.LOGIC && rule.writes0;
    if (step.keep && !logic) {
      keepOperands(i);
    }
    int result = emit(step, memory, true);
    if (step.keep && logic) {
      keep(i, 0, State.KEPT);
    }
    flagsSet(step, result);
  }

  private static int memorySize(Instruction i) {
    return i.memoryWidth != 0 ? i.memoryWidth : i.width;
  }

  void keepOperands(Instruction i) {
    keep(i, 0, State.KEPT);
    if (i.kind1 != OperandKind.IMM) {
      keep(i, 1, State.KEPT2);
    }
  }

  /** Copies an operand, a register or memory at {@link Host#A}, into the state. */
  private void keep(Instruction i, int operand, int place) {
    int register = B;
    if (i.kind(operand) == OperandKind.MEM) {
      bits.loadOperand(i.width);
    } else if (HOME[i.reg(operand)] >= 0) {
      register = HOME[i.reg(operand)];
    } else {
      e.load(B, STATE, register(i.reg(operand)));
    }
    e.store(STATE, place, register);
  }

  /** An instruction without memory operand that writes no register: once more, for its flags. */
  private void emitOnRegisters(Step step) {
    emit(step, false, false);
  }

  /** Emits the instruction on host registers; memory is at {@link Host#A}. Returns the host register that has the result. */
  private int emit(Step step, boolean memory, boolean write) {
    Instruction i = step.instruction;
    Rule rule = step.rule;
    int prefix = i.width == 2 ? 0x66 : 0;
    int rex = i.width == 8 ? 8 : 0;
    int map = i.encoding.map;
    int opcode = i.encoding.opcode + (i.encoding.condition ? i.condition : 0);
    int result = -1;
    int storeRm = -1;
    int storeReg = -1;
    int reg = Math.max(i.encoding.extension, 0);
    if (rule.reg >= 0) {
      int guest = i.reg(rule.reg);
      boolean writes = writes(rule, rule.reg) && write;
      reg = HOME[guest];
      if (reg < 0) {
        reg = B;
        if (!writes || rule.reg != 0 || rule.reads0 || i.width < 4) {
          e.load(B, STATE, register(guest));
        }
        storeReg = writes ? guest : -1;
      }
      if (i.kind(rule.reg) == OperandKind.GPR_HIGH_BYTE) {
        reg = guest + 4;
      } else if (rule.byteReg && !Rule.hasHighByte(i)) {
        rex |= 0x40;
      }
      if (rule.reg == 0) {
        result = reg;
      }
    }
    if (rule.inOpcode >= 0) {
      int guest = i.reg(rule.inOpcode);
      int register = HOME[guest];
      if (register < 0) {
        register = B;
        if (rule.reads0 || i.width < 4) {
          e.load(B, STATE, register(guest));
        }
        storeReg = guest;
      }
      if (i.kind(rule.inOpcode) == OperandKind.GPR_HIGH_BYTE) {
        register = guest + 4;
      } else {
        rex |= register >> 3 | (rule.byteRm ? 0x40 : 0);
      }
      e.plain(prefix, rex, map, opcode | register & 7);
      result = register;
    } else if (rule.rm < 0) {
      e.plain(prefix, rex, map, opcode);
      result = Host.RAX;
    } else if (memory) {
      e.withMemory(prefix, rex, map, opcode, reg, A, 0);
    } else {
      int guest = i.reg(rule.rm);
      int rm = HOME[guest];
      boolean writes = writes(rule, rule.rm) && write;
      if (i.kind(rule.rm) == OperandKind.GPR_HIGH_BYTE) {
        rm = guest + 4;
      } else if (rule.byteRm && !Rule.hasHighByte(i)) {
        rex |= 0x40;
      }
      if (rm >= 0) {
        e.withRegister(prefix, rex, map, opcode, reg, rm);
      } else if (!writes && rule.effect != FlagEffect.BIT) {
        e.withMemory(prefix, rex, map, opcode, reg, STATE, register(guest));
      } else {
        // For BT a register as the bit's number would reach beyond memory.
        rm = A;
        if (rule.rm != 0 || rule.reads0 || i.width < 4) {
          e.load(A, STATE, register(guest));
        }
        e.withRegister(prefix, rex, map, opcode, reg, A);
        storeRm = writes ? guest : -1;
      }
      if (rule.rm == 0) {
        result = rm;
      }
    }
    if (rule.immediate >= 0) {
      immediate(i, rule.immediateBytes);
    }
    if (storeReg >= 0) {
      e.store(STATE, register(storeReg), B);
    }
    if (storeRm >= 0) {
      // Last: XADD of a register with itself leaves the sum.
      e.store(STATE, register(storeRm), A);
    }
    return result;
  }

  private static boolean writes(Rule rule, int operand) {
    return operand == 0 ? rule.writes0 : operand == 1 && rule.writes1;
  }

  private void immediate(Instruction i, int bytes) {
    int size = bytes > 0 ? bytes : i.width == 2 ? 2 : bytes == 0 || i.width == 4 ? 4 : 8;
    switch (size) {
      case 1 -> e.u8((int) i.imm);
      case 2 -> e.u16((int) i.imm);
      case 4 -> e.u32((int) i.imm);
      default -> e.u64(i.imm);
    }
  }

  // ---- Addresses as values, multiplication and division ----

  private void lea(Instruction i) {
    int to = HOME[i.reg0];
    int base = i.base == Instruction.NO_REGISTER ? -1 : HOME[i.base];
    int scaled = i.index == Instruction.NO_REGISTER ? -1 : HOME[i.index];
    boolean direct = to >= 0 && i.width == 8 && (i.base == Instruction.NO_REGISTER || base >= 0)
        && (i.index == Instruction.NO_REGISTER || scaled >= 0);
    if (direct) {
      offset(i, to);
      return;
    }
    offset(i, A);
    if (i.width == 4) {
      e.move32(to < 0 ? A : to, A);
    } else if (to >= 0) {
      e.move(to, A);
    }
    if (to < 0) {
      e.store(STATE, register(i.reg0), A);
    }
  }

  private void multiply(Step step) {
    Instruction i = step.instruction;
    if (i.hasMemory()) {
      operandAddress(step, i.width, READ);
    }
    unary(i, i.encoding.extension);
    flagsSet(step, Host.RAX);
  }

  private void unary(Instruction i, int extension) {
    int rex = i.width == 8 ? 8 : 0;
    if (i.hasMemory()) {
      e.withMemory(0, rex, Emitter.MAP_ONE, 0xf7, extension, A, 0);
    } else if (HOME[i.reg0] >= 0) {
      e.withRegister(0, rex, Emitter.MAP_ONE, 0xf7, extension, HOME[i.reg0]);
    } else {
      e.withMemory(0, rex, Emitter.MAP_ONE, 0xf7, extension, STATE, register(i.reg0));
    }
  }

  private void divide(Step step) {
    Instruction i = step.instruction;
    int rex = i.width == 8 ? 8 : 0;
    // With an upper half of 0 and a divisor other than 0 the quotient fits.
    e.withRegister(0, rex, Emitter.MAP_ONE, 0x85, Host.RDX, Host.RDX);
    leaveIf(step, JNE);
    if (i.hasMemory()) {
      operandAddress(step, i.width, READ);
      e.withMemory(0, rex, Emitter.MAP_ONE, 0x83, Emitter.CMP, A, 0);
      e.u8(0);
    } else if (HOME[i.reg0] >= 0) {
      e.withRegister(0, rex, Emitter.MAP_ONE, 0x85, HOME[i.reg0], HOME[i.reg0]);
    } else {
      e.withMemory(0, rex, Emitter.MAP_ONE, 0x83, Emitter.CMP, STATE, register(i.reg0));
      e.u8(0);
    }
    leaveIf(step, JE);
    unary(i, 6);
    host = 0;
  }

  // ---- Transfers of control, the interrupt flag ----

  /** CLI, where nothing but the privilege level allows it. */
  private void clearInterrupts(Step step) {
    leaveUnless(step, State.PRIVILEGED);
    e.memoryImmediate32(Emitter.AND, STATE, State.EFLAGS, ~Cpu.IF);
    host = 0;
  }

  /** Another instruction is to follow before the budget is spent, since what would wait for it is not there. */
  private void allowInterrupts(Step step) {
    if (index == total - 1) {
      interpret(step);
      return;
    }
    leaveUnless(step, State.STI_ALLOWED);
    e.memoryImmediate32(Emitter.OR, STATE, State.EFLAGS, Cpu.IF);
    host = 0;
  }

  private void swapGs(Step step) {
    leaveUnless(step, State.PRIVILEGED);
    e.load(A, STATE, State.GS);
    e.load(B, STATE, State.OTHER_GS);
    e.store(STATE, State.OTHER_GS, A);
    e.store(STATE, State.GS, B);
    host = 0;
  }

  private void readTsc(Step step) {
    leaveUnless(step, State.TSC_ALLOWED);
    e.withMemory(0, 8, Emitter.MAP_ONE, 0x63, A, STATE, State.BUDGET);
    e.lea(A, A, -1, 0, total - index);
    e.load(B, STATE, State.TSC_AT_END);
    e.arithmetic(Emitter.SUB, B, A);
    e.move32(HOME[Cpu.RAX], B);
    e.withRegister(0, 8, Emitter.MAP_ONE, 0xc1, 5, B);
    e.u8(32);
    e.move(HOME[Cpu.RDX], B);
    if (step.instruction.mnemonic == Mnemonic.RDTSCP) {
      e.withMemory(0, 0, Emitter.MAP_ONE, 0x8b, HOME[Cpu.RCX], STATE, State.TSC_AUX);
    }
    host = 0;
  }

  /** Lets the interpreter run an instruction unless a byte of the state is 1. */
  private void leaveUnless(Step step, int place) {
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x80, Emitter.CMP, STATE, place);
    e.u8(0);
    leaveIf(step, JE);
  }

  private void conditionalJump(Step step) {
    Instruction i = step.instruction;
    needInHost(step.reads, B, false);
    boolean follows = step.followsTarget && (index + 1 < total || loop != 0);
    int condition = follows ? i.condition ^ 1 : i.condition;
    Stub stub = stub(step);
    stub.exit = true;
    stub.host = host != 0;
    stub.target = follows ? step.block.next : i.target();
    stub.refund = total - index - 1;
    stub.jumps.add(e.jump(condition));
  }

  /** The end of the trace. */
  private void exit(long target) {
    saveFlags();
    Stub stub = stub(steps.getLast());
    stub.exit = true;
    stub.target = target;
    stub.jumps.add(e.jump());
  }

  private void call(Step step) {
    pushReturn(step);
    exit(step.instruction.target());
  }

  private void pushReturn(Step step) {
    long next = step.block.next;
    mayRetryHere();
    e.lea(A, SP, -1, 0, -8);
    check(step, 8, WRITE);
    if (next == (int) next) {
      e.withMemory(0, 8, Emitter.MAP_ONE, 0xc7, 0, A, 0);
      e.u32((int) next);
    } else {
      e.constant(B, next);
      e.store(A, 0, B);
    }
    e.lea(SP, SP, -1, 0, -8);
  }

  private void target(Step step) {
    Instruction i = step.instruction;
    mayRetryHere();
    if (i.hasMemory()) {
      operandAddress(step, 8, READ);
      e.load(A, A, 0);
    } else if (HOME[i.reg0] >= 0) {
      e.move(A, HOME[i.reg0]);
    } else {
      e.load(A, STATE, register(i.reg0));
    }
  }

  private void jumpIndirect(Step step) {
    saveFlags();
    target(step);
    lookUp(step);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0xff, 4, B, JumpCache.CODE);
  }

  private void callIndirect(Step step) {
    saveFlags();
    target(step);
    lookUp(step);
    e.load(A, B, JumpCache.CODE);
    e.store(STATE, State.SCRATCH2, A);
    pushReturn(step);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0xff, 4, STATE, State.SCRATCH2);
  }

  private void ret(Step step) {
    Instruction i = step.instruction;
    saveFlags();
    mayRetryHere();
    e.move(A, SP);
    check(step, 8, READ);
    e.load(A, A, 0);
    lookUp(step);
    e.lea(SP, SP, -1, 0, 8 + (i.kind0 == OperandKind.IMM ? (int) i.imm & 0xffff : 0));
    e.withMemory(0, 0, Emitter.MAP_ONE, 0xff, 4, B, JumpCache.CODE);
  }

  /** Finds the entry of {@link JumpCache} for the address in {@link Host#A} and puts its address into {@link Host#B}, or leaves. */
  private void lookUp(Step step) {
    shifted(B, A, JumpCache.HASH_SHIFT);
    e.withRegister(0, 0, Emitter.MAP_ONE, 0x33, B, A);
    e.arithmeticImmediate(Emitter.AND, 0, B, JumpCache.ENTRIES - 1);
    e.shift32(4, B, JumpCache.ENTRY_SHIFT);
    e.arithmeticMemory(Emitter.ADD, B, STATE, State.JUMPS);
    e.arithmeticMemory(Emitter.CMP, A, B, JumpCache.VA);
    Stub other = stub(step);
    other.jumps.add(e.jump(JNE));
    other.detour = this::emitOtherJump;
    other.back = e.position();
    other.miss = stub(step);
    // The TLB's fetch entry must be the one that the jump was found under.
    shifted(A, A, 8);
    e.arithmeticImmediate(Emitter.AND, 0, A, Mmu.TABLE_BYTES - 16);
    e.withIndexed(0xf3, 0, Emitter.MAP_0F, 0x6f, Host.XMM_SCRATCH, STATE, A, State.TLB + FETCH);
    e.withMemory(0x66, 0, Emitter.MAP_0F, 0x74, Host.XMM_SCRATCH, B, JumpCache.PAGES);
    e.withRegister(0x66, 0, Emitter.MAP_0F, 0xd7, A, Host.XMM_SCRATCH);
    e.arithmeticImmediate(Emitter.CMP, 0, A, 0xffff);
    Stub stub = stub(step);
    stub.jumps.add(e.jump(JNE));
    stub.retry = retry;
    stub.retrySse = sse.ready();
    stub.access = FETCH;
  }

  // ---- Outside the straight way ----

  private void emitOtherJump(Stub stub) {
    int place = 0;
    for (int other : JumpCache.OTHERS) {
      e.arithmeticImmediate(Emitter.XOR, 8, B, place ^ other);
      e.arithmeticMemory(Emitter.CMP, A, B, JumpCache.VA);
      e.bind(e.jump(JE), e.address(stub.back));
      place = other;
    }
    stub.miss.jumps.add(e.jump());
  }

  private void leave(int site) {
    e.store32(STATE, State.SITE, site);
    e.jumpTo(owner.leaveCode());
  }

  private void emitLeave(Stub stub) {
    for (int at : stub.jumps) {
      e.bindHere(at);
    }
    if (stub.retry >= 0) {
      storeAddress(stub);
    }
    if (!stub.saved) {
      saveFlags(false, stub.again, stub.setter);
    }
    Site site = new Site(Site.Kind.INSTRUCTION, translation);
    site.block = stub.step.block;
    site.place = stub.step.place;
    site.keepsSse = !usesSse(stub.step.instruction);
    site.interpreted = stub.step.rule.action == Action.INTERPRET;
    site.vector = stub.step.rule.action == Action.VECTOR;
    site.refund = total - stub.step.blockStart;
    site.index = stub.index;
    site.loop = inSecondRound(stub.index);
    // What is kept of an instruction is not had from the interpreter.
    site.finish = stub.step.keep || site.loop;
    leave(owner.add(site));
    emitRetry(stub, site);
    if (site.finish || stub.index == total - 1 && endsTrace(stub.step)) {
      return;
    }
    if (!stub.sse && !stub.resumeLoadsFlags) {
      site.resume = e.address(stub.resume);
      return;
    }
    site.resume = e.address(e.position());
    if (stub.sse) {
      sse.takeSse();
    }
    if (stub.resumeLoadsFlags) {
      flags.load(B);
    }
    e.jumpTo(e.address(stub.resume));
  }

  /** Tells which linear address was looked for, from what the check of it has left in the two free registers. */
  private void storeAddress(Stub stub) {
    if (stub.access == FETCH) {
      e.load(A, B, JumpCache.VA);
    } else if (stub.constant) {
      e.constant(A, stub.step.instruction.ea);
    } else {
      e.arithmeticIndexed(Emitter.ADD, A, STATE, B, State.TLB + stub.access);
    }
    e.store(STATE, State.ADDRESS, A);
  }

  private void emitRetry(Stub stub, Site site) {
    if (stub.retry < 0) {
      return;
    }
    site.access = stub.access == READ ? Mmu.READ : stub.access == WRITE ? Mmu.WRITE : Mmu.FETCH;
    site.size = stub.size;
    if (!stub.retrySse) {
      site.retry = e.address(stub.retry);
      return;
    }
    site.retry = e.address(e.position());
    sse.takeSse();
    e.jumpTo(e.address(stub.retry));
  }

  /** Whether an instruction may look at the SSE registers. */
  private static boolean usesSse(Instruction i) {
    return i.encoding.has(Encoding.SSE_STATE) || switch (i.mnemonic) {
      case FXSAVE, FXRSTOR, XSAVE, XRSTOR, XSAVEOPT, XRSTORS, XSAVEC, XSAVES -> true;
      default -> false;
    };
  }

  private static boolean endsTrace(Step step) {
    return switch (step.rule.action) {
      case INTERPRET, CALL, CALL_INDIRECT, JMP_INDIRECT, RET -> true;
      default -> false;
    };
  }

  private void emitExit(Stub stub) {
    Site site = new Site(Site.Kind.EXIT, translation);
    site.target = stub.target;
    site.index = stub.betweenRounds ? loop : 0;
    int patch = stub.jumps.getFirst();
    if (!stub.saved || stub.refund != 0) {
      stub.jumps.forEach(e::bindHere);
      if (!stub.saved) {
        saveFlags(stub.host, stub.again, stub.setter);
      }
      if (stub.refund != 0) {
        e.memoryImmediate32(Emitter.ADD, STATE, State.BUDGET, stub.refund);
      }
      patch = e.jump();
    }
    e.bindHere(patch);
    site.patch = e.address(patch);
    site.unlinked = e.address(e.position());
    translation.exits.add(site);
    leave(owner.add(site));
  }
}
