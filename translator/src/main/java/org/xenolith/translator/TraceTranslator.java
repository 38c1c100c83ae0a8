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

/**
 * Emits the machine code of a trace: the way it mostly goes first, then the places where it is left.
 *
 * <p>The flags are in up to three places at each point, which this class keeps account of: in the host's flags ({@link #host}), in {@link
 * State#FLAGS} ({@link #saved}), and in the operands of the instruction that set them ({@link #setter}, if {@link #again}).
 */
final class TraceTranslator {
  static final int READ = 0, WRITE = Mmu.TABLE_BYTES, FETCH = 2 * Mmu.TABLE_BYTES;

  static final int JA = 7, JAE = 3, JNE = 5, JE = 4, JS = 8, JNS = 9;

  static final int SP = HOME[Cpu.RSP];

  private final Translator owner;
  private final Emitter e;
  private final Homes homes = new Homes();
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
  private final IntegerInstructions integers;
  private final SystemInstructions system;
  private final ControlTransfers control;

  private Step setter;

  /** With an INC or DEC as {@link #setter}: that the CF to go with its flags is 0, and not looked for in the state. */
  private boolean noCarry;

  /** That {@link #setter} has left a ZF of 1, which tells all the others. */
  private boolean zero;

  private boolean saved;
  private boolean again;
  private int host;

  private SecondRound secondRound;

  private WindowAddresses windows;

  /** Where the operand is, see {@link #operandAt(int, int, int, int)}. */
  private int pointer, pointerIndex, pointerShift, at;

  private int loop;

  TraceTranslator(Translator owner) {
    this.owner = owner;
    this.e = new Emitter();
    this.flags = new FlagSaver(e, homes);
    this.sse = new SseInstructions(this);
    this.bits = new BitInstructions(this, flags);
    this.strings = new StringInstructions(this);
    this.stack = new StackInstructions(this);
    this.integers = new IntegerInstructions(this, bits);
    this.system = new SystemInstructions(this);
    this.control = new ControlTransfers(this, stack);
  }

  Emitter emitter() {
    return e;
  }

  Homes homes() {
    return homes;
  }

  /** The host register that holds one of the guest here, or -1 if it is in {@link State}. */
  int home(int guest) {
    return homes.of(guest);
  }

  /**
   * Emits a trace for an address; sites get their numbers from the {@link Translator}.
   *
   * @param plain whether it is to do without {@link LoopAddresses} and {@link Windows}
   */
  Translation translate(Trace trace, long address, boolean plain) {
    steps = trace.steps;
    FlagPlan.make(steps, trace.loop);
    stubs.clear();
    total = steps.size();
    loop = trace.loop;
    secondRound = new SecondRound(this, trace, plain);
    windows = new WindowAddresses(this, plain || loop != 0 ? null : new Windows(steps));
    translation = new Translation(trace.blocks.toArray(Block[]::new), total);
    homes.use(Host.HOME);
    e.begin(address);
    translation.entry = address;
    saved = true;
    again = false;
    host = 0;
    setter = null;
    noCarry = false;
    zero = false;
    sse.begin();
    integers.forgetHeld();
    e.memoryImmediate32(Emitter.SUB, STATE, State.BUDGET, total);
    Stub notNow = new Stub();
    notNow.jumps.add(e.jump(JS));
    if (trace.blocks.getFirst().secondPage != 0) {
      checkSecondPage(trace.blocks.getFirst(), notNow);
    }
    Step last = steps.getLast();
    for (index = 0; index < total; index++) {
      if (index == loop && loop != 0) {
        secondRound.begin();
      }
      step(steps.get(index));
    }
    if (loop != 0) {
      secondRound.end();
    } else {
      end(last);
    }
    integers.forgetHeld();
    for (Stub stub : stubs) {
      homes.use(stub.homes);
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
      case JMP -> control.exit(last.instruction.target());
      case CALL, CALL_INDIRECT, JMP_INDIRECT, RET -> {}
      case INTERPRET -> {
        if (last.place != last.block.instructions.length - 1) {
          throw new IllegalStateException("a trace ends inside a block");
        }
      }
      default -> control.exit(last.block.next);
    }
  }

  /** Sees to it that the page into which the first instruction crosses is the one that it was decoded from. */
  private void checkSecondPage(Block b, Stub otherwise) {
    long page = b.va + b.length & -GuestMemory.FRAME_SIZE;
    int entry = State.entry(page, FETCH);
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
      case REENCODE -> integers.reencode(step);
      case VECTOR -> sse.vector(step);
      case LEA -> integers.lea(i);
      case PUSH -> stack.push(step);
      case PUSHF -> stack.pushFlags(step);
      case CLI -> system.clearInterrupts(step);
      case STI -> system.allowInterrupts(step);
      case SWAPGS -> system.swapGs(step);
      case DIRECTION -> system.direction(i);
      case READ_SELECTOR -> system.readSelector(i);
      case READ_TSC -> system.readTsc(step);
      case SCAN -> bits.scan(step);
      case DOUBLE_SHIFT -> bits.doubleShift(step);
      case COMPARE_EXCHANGE -> bits.compareExchange(step);
      case STRING -> strings.string(step);
      case POP -> stack.pop(step);
      case LEAVE -> stack.leaveInstruction(step);
      case DIVIDE -> integers.divide(step);
      case MULTIPLY -> integers.multiply(step);
      case CONVERT -> integers.convert(i);
      case JCC -> control.conditionalJump(step);
      case JMP -> {}
      case JMP_INDIRECT -> control.jumpIndirect(step);
      case CALL -> control.call(step);
      case CALL_INDIRECT -> control.callIndirect(step);
      case RET -> control.ret(step);
    }
    if (again && !zero && !FlagPlan.Repeat.survives(setter, i, step.rule)) {
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

  /** How many instructions of the trace come behind the one that is emitted now. */
  int behind() {
    return total - index - 1;
  }

  /** The instruction that is so many places behind the one that is emitted now, or null. */
  Step ahead(int places) {
    return places <= behind() ? steps.get(index + places) : null;
  }

  /** Whether it is in the second round of a loop that relies on {@link LoopAddresses}. */
  boolean reliesOnAddresses() {
    return secondRound.reliesOnAddresses(index);
  }

  /** Whether the trace does: with another instruction, or another round. */
  boolean goesOn() {
    return behind() > 0 || loop != 0;
  }

  /**
   * A place where the trace is left.
   *
   * @param refund instructions that were taken from the budget and are not run
   */
  Stub exitStub(long target, int refund) {
    Stub stub = stub(steps.getLast());
    stub.exit = true;
    stub.host = hostHasFlags();
    stub.target = target;
    stub.refund = refund;
    return stub;
  }

  /** Code behind the trace for a condition, that comes back or jumps to its {@link Stub#miss}. */
  Stub detour(Step step, int condition, Consumer<Stub> code) {
    Stub stub = stub(step);
    stub.jumps.add(e.jump(condition));
    stub.detour = code;
    stub.miss = stub(step);
    return stub;
  }

  /** A place where machine code is left before an instruction. */
  Stub stub(Step step) {
    Stub stub = new Stub();
    stub.step = step;
    stub.index = index;
    stub.homes = homes.now();
    stub.saved = saved;
    stub.again = again;
    stub.setter = setter;
    stub.noCarry = noCarry;
    stub.zero = zero;
    stubs.add(stub);
    return stub;
  }

  // ---- Flags ----

  /** Whether the flags are in the state; whether they can be had by running {@link #setter} again. */
  boolean saved() {
    return saved;
  }

  boolean again() {
    return again;
  }

  Step setter() {
    return setter;
  }

  boolean noCarry() {
    return noCarry;
  }

  boolean zero() {
    return zero;
  }

  /** A conditional jump tells that a result is 0 on one of its ways: that which leaves the trace, or that which goes on in it. */
  void zeroFrom(Step jump, boolean follows, Stub exit) {
    if (saved || !FlagPlan.zeroTellsAll(setter)) {
      return;
    }
    if (FlagPlan.straightIfZero(jump, follows)) {
      zero = true;
      again = true;
    } else {
      exit.zero |= (jump.instruction.condition & -2) == JE;
    }
  }

  /** Another way leads to the code that comes next. */
  void waysMeet() {
    host = 0;
    integers.forgetHeld();
  }

  void keepOperands(Instruction i) {
    integers.keepOperands(i);
  }

  /** Sees to it that the flags are in the state. */
  void saveFlags() {
    if (saved) {
      return;
    }
    saveFlags(hostHasFlags(), again, setter);
    if (!zero && setter.rule.effect != FlagEffect.ARITHMETIC && setter.rule.effect != FlagEffect.STEP) {
      host = 0;
    }
    saved = true;
  }

  /** Whether the host has what is saved of the flags that {@link #setter} and those before it have set. */
  private boolean hostHasFlags() {
    return setter != null && setter.rule.effect == FlagEffect.STEP ? (host & Encoding.CF) != 0 : host != 0;
  }

  /** Sees to it that CF is in the state, or known to be 0, for an instruction that sets all flags but that. */
  void carryToState() {
    if (!saved && setter.rule.effect == FlagEffect.STEP) {
      return;
    }
    noCarry = !saved && (zero || FlagPlan.leavesNoCarry(setter));
    if (saved || noCarry) {
      return;
    }
    if ((host & Encoding.CF) == 0) {
      if (!again) {
        throw new IllegalStateException("the CF of " + setter.instruction + " is lost");
      }
      repeat(setter);
      host = setter.rule.effect.exact;
    }
    flags.carryToState();
  }

  private void saveFlags(boolean inHost, boolean repeatable, Step from) {
    if (zero) {
      flags.saveZeroResult();
      return;
    }
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
      flags.saveLogic();
    } else {
      flags.saveArithmetic();
    }
  }

  private void repeat(Step from) {
    if (zero) {
      flags.makeZeroResult();
      return;
    }
    if (from.rule.effect == FlagEffect.STEP) {
      flags.repeatStep(from, noCarry);
      return;
    }
    if (from.keep) {
      flags.repeatKept(from);
      return;
    }
    switch (from.instruction.mnemonic) {
      case CMP, TEST -> integers.emitOnRegisters(from);
      default -> flags.repeat(from);
    }
  }

  /** Sees to it that the host has some flags; {@link Host#A} is free unless an address is there. */
  void needInHost(int wanted, boolean addressInA) {
    if ((wanted & ~host) == 0) {
      return;
    }
    boolean oneStep = again && setter.rule.effect == FlagEffect.STEP;
    if (again && (zero || !addressInA && (oneStep || (wanted & ~setter.rule.effect.exact) == 0))) {
      repeat(setter);
      host = zero || oneStep ? Flags.ALL : setter.rule.effect.exact;
    } else if (saved) {
      flags.load();
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
        savedOnly();
      }
      return;
    }
    zero = false;
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
    zero = false;
    host = 0;
  }

  // ---- Addresses ----

  static boolean isConstant(Instruction i) {
    return i.base == Instruction.NO_REGISTER && i.index == Instruction.NO_REGISTER && i.segment < Instruction.FS;
  }

  /**
   * Puts the offset of the memory operand into a register that may be {@link Host#A}, which is changed in any case, and so may be {@link
   * Host#B}.
   *
   * @param wide 8, or 0 for the lower half, zero-extended
   */
  void offset(Instruction i, int wide, int into) {
    offset(i, wide, into, i.ea);
  }

  /** The same with another displacement than the instruction's. */
  private void offset(Instruction i, int wide, int into, long displacement) {
    int base = i.base == Instruction.NO_REGISTER ? -1 : home(i.base);
    int scaled = i.index == Instruction.NO_REGISTER ? -1 : home(i.index);
    if (i.base == Instruction.NO_REGISTER && i.index == Instruction.NO_REGISTER) {
      e.constant(into, wide == 0 ? displacement & 0xffff_ffffL : displacement);
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
    if (scaled >= 0 || displacement != 0) {
      e.lea(wide, into, base, scaled, i.shift, (int) displacement);
    } else if (wide == 0) {
      e.move32(into, base);
    } else {
      e.move(into, base);
    }
  }

  static int register(int guest) {
    return State.REGISTERS + 8 * guest;
  }

  /** The operand is so many bytes behind the host address in a register. */
  void operandAt(int register, int bytes) {
    operandAt(register, -1, 0, bytes);
  }

  /** The operand is at the sum of one register, another that is shifted to the left (or -1), and a number. */
  void operandAt(int register, int added, int shift, int bytes) {
    pointer = register;
    pointerIndex = added;
    pointerShift = shift;
    at = bytes;
  }

  /**
   * An instruction on the operand in memory or on the stack. That is at {@link Host#A}, and nothing else, but for what is in a window and
   * for REENCODE in a loop.
   */
  void withOperand(int prefix, int rex, int map, int opcode, int reg) {
    if (pointerIndex < 0) {
      e.withMemory(prefix, rex, map, opcode, reg, pointer, at);
    } else {
      e.withIndexed(prefix, rex, map, opcode, reg, pointer, pointerIndex, pointerShift, at);
    }
  }

  /**
   * Finds where an access to memory is in the host, or leaves, if it is in a window.
   *
   * @param stack whether it is the step's access to the stack, not that for its operand
   * @return false if that is still to be done
   */
  boolean window(Step step, boolean stack) {
    return windows.find(step, Windows.access(index, stack));
  }

  /** Finds where the memory operand is in the host, for {@link #withOperand}, or leaves. */
  void operandAddress(Step step, int size, int table) {
    Instruction i = step.instruction;
    if (window(step, false)) {
      return;
    }
    mayRetryHere();
    operandAt(A, 0);
    if (secondRound.operandAddress(step, index, size, table)) {
      return;
    }
    if (isConstant(i)) {
      checkConstant(step, i.ea, size, table);
      return;
    }
    linearAddress(i);
    secondRound.remember(index);
    check(step, size, table);
  }

  /** Puts the linear address of the memory operand into {@link Host#A}. */
  void linearAddress(Instruction i) {
    linearAddress(i, i.ea);
  }

  /** The same with another displacement than the operand's. */
  void linearAddress(Instruction i, long displacement) {
    offset(i, 8, A, displacement);
    if (i.segment >= Instruction.FS) {
      e.arithmeticMemory(Emitter.ADD, A, STATE, i.segment == Instruction.FS ? State.FS : State.GS);
    }
  }

  /** Turns a linear address in {@link Host#A} into a host address, or leaves: at the place that it returns. */
  Stub check(Step step, int size, int table) {
    entry(A, table);
    Stub miss = leaveIfOutside(step, size, table);
    addPage(table);
    host = 0;
    operandAt(A, 0);
    return miss;
  }

  /** Makes a host address of the distance in {@link Host#A} from the tag of the TLB entry at {@link Host#B}. */
  void addPage(int table) {
    e.arithmeticIndexed(Emitter.ADD, A, STATE, B, State.TLB + table + 8);
  }

  /** With a TLB entry's place in {@link Host#B} and a distance from its tag in {@link Host#A}: leaves unless that is inside the page. */
  Stub leaveIfOutside(Step step, int size, int table) {
    e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE - size);
    return leaveOrRetry(step, JA, table, size);
  }

  /**
   * Leaves if a condition holds, at the place that it returns; if all that is missing is an entry in a table of the TLB, machine code goes
   * on once it is there.
   */
  private Stub leaveOrRetry(Step step, int condition, int table, int size) {
    Stub stub = stub(step);
    stub.jumps.add(e.jump(condition));
    mayRetry(stub, table, size);
    return stub;
  }

  /** At the place where machine code is left lacks perhaps nothing but an entry in a table of the TLB. */
  void mayRetry(Stub stub, int table, int size) {
    stub.retry = secondRound.reliesOnAddresses(index) ? -1 : retry;
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

  /** Puts the place of the TLB's entry for a linear address into {@link Host#B}. */
  void entryPlace(int address) {
    rotated(B, address, 8);
    e.arithmeticImmediate(Emitter.AND, 0, B, Mmu.TABLE_BYTES - 16);
  }

  /** Puts 32 bits of a register, rotated to the right, into a register. */
  void rotated(int to, int from, int count) {
    if (owner.hasRotate()) {
      e.rotate32(to, from, count);
    } else {
      e.move32(to, from);
      e.shift32(1, to, count);
    }
  }

  private void checkConstant(Step step, long va, int size, int table) {
    int entry = State.entry(va, table);
    long page = va & -GuestMemory.FRAME_SIZE;
    int offset = (int) (va - page);
    if (page == (int) page && offset + size <= GuestMemory.FRAME_SIZE && Windows.takesOperand(step)) {
      e.compareMemory(STATE, entry, (int) page);
      leaveOrRetry(step, JNE, table, size).constant = true;
      e.load(A, STATE, entry + 8);
      operandAt(A, offset);
    } else {
      e.constant(A, va);
      e.arithmeticMemory(Emitter.SUB, A, STATE, entry);
      leaveIfOutside(step, size, table).constant = true;
      e.arithmeticMemory(Emitter.ADD, A, STATE, entry + 8);
    }
    host = 0;
  }

  /** The code of an instruction has changed the host's flags. */
  void hostFlagsLost() {
    host = 0;
  }

  long stackCode(int table) {
    return owner.stackCode(table);
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

  // ---- Outside the straight way ----

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
    noCarry = stub.noCarry;
    zero = stub.zero;
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
    site.loop = secondRound.reliesOnAddresses(stub.index);
    // What is kept of an instruction is not had from the interpreter.
    site.finish = stub.step.keep || site.loop || stub.window;
    site.window = stub.window;
    site.reliesOnWindows = windows.openAt(stub.index);
    secondRound.leaveHomes();
    leave(owner.add(site));
    emitRetry(stub, site);
    if (site.finish || stub.index == total - 1 && endsTrace(stub.step)) {
      return;
    }
    if (!stub.sse && !stub.resumeLoadsFlags && homes.now() == Host.HOME) {
      site.resume = e.address(stub.resume);
      return;
    }
    site.resume = e.address(e.position());
    secondRound.enterHomes();
    if (stub.sse) {
      sse.takeSse();
    }
    if (stub.resumeLoadsFlags) {
      flags.load();
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
    if (!stub.retrySse && homes.now() == Host.HOME) {
      site.retry = e.address(stub.retry);
      return;
    }
    site.retry = e.address(e.position());
    secondRound.enterHomes();
    if (stub.retrySse) {
      sse.takeSse();
    }
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
    if (!stub.saved || stub.refund != 0 || homes.now() != Host.HOME) {
      stub.jumps.forEach(e::bindHere);
      noCarry = stub.noCarry;
      zero = stub.zero;
      if (!stub.saved) {
        saveFlags(stub.host, stub.again, stub.setter);
      }
      if (stub.refund != 0) {
        e.memoryImmediate32(Emitter.ADD, STATE, State.BUDGET, stub.refund);
      }
      secondRound.leaveHomes();
      patch = e.jump();
    }
    e.bindHere(patch);
    site.patch = e.address(patch);
    site.unlinked = e.address(e.position());
    translation.exits.add(site);
    leave(owner.add(site));
  }
}
