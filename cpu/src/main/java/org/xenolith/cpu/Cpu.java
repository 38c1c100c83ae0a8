package org.xenolith.cpu;

import java.util.function.Function;
import org.xenolith.cpu.sse.VectorUnit;
import org.xenolith.cpu.x87.X87State;
import org.xenolith.cpu.x87.X87Unit;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/**
 * One x86-64 processor: its registers, and the loop that runs instructions until an {@link Exit}.
 *
 * <p>Registers are public fields because instruction methods and the owner of exits read and write them all the time. What depends on
 * several of them (mode, privilege, address space) is brought up to date by {@link #refresh}.
 */
public final class Cpu {
  /** Bits of RFLAGS. */
  public static final int CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, TF = 0x100, IF = 0x200, DF = 0x400, OF = 0x800, IOPL = 0x3000;

  public static final int NT = 0x4000, RF = 0x10000, VM = 0x20000, AC = 0x40000, VIF = 0x80000, VIP = 0x100000, ID = 0x200000;

  /** The flags that arithmetic sets. */
  public static final int ARITHMETIC = CF | PF | AF | ZF | SF | OF;

  public static final long CR0_PE = 1, CR0_MP = 2, CR0_EM = 4, CR0_TS = 8, CR0_NE = 0x20, CR0_WP = 0x10000, CR0_AM = 0x40000,
      CR0_PG = 0x80000000L;

  public static final long CR4_TSD = 4, CR4_DE = 8, CR4_PSE = 0x10, CR4_PAE = 0x20, CR4_MCE = 0x40, CR4_PGE = 0x80, CR4_PCE = 0x100,
      CR4_OSFXSR = 0x200, CR4_OSXMMEXCPT = 0x400, CR4_UMIP = 0x800, CR4_FSGSBASE = 0x10000, CR4_PCIDE = 0x20000, CR4_OSXSAVE = 0x40000,
      CR4_SMEP = 0x100000, CR4_SMAP = 0x200000;

  public static final long EFER_SCE = 1, EFER_LME = 0x100, EFER_LMA = 0x400, EFER_NXE = 0x800;

  public static final int RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;
  public static final int R8 = 8, R9 = 9, R10 = 10, R11 = 11, R12 = 12, R13 = 13, R14 = 14, R15 = 15;

  /** General registers; element 16 always reads 0 (an absent base or index, see {@link Instruction#NO_REGISTER}). */
  public final long[] r = new long[17];

  /** During an instruction: the address of the one after its block, which a control transfer replaces. Between runs: the next to run. */
  public long rip;

  /**
   * The arithmetic flags, kept as the last result and its carries so that most instructions set them with two stores. {@code flagResult}
   * is the result sign-extended to 64 bits: ZF is "equals 0". {@code flagCarries} holds in bit 63 CF, in bit 62 CF xor OF, in bit 3 AF, in
   * bits 8 to 15 what to xor to the result's low byte before taking its parity, in bit 32 what to xor to the result's sign for SF.
   */
  public long flagResult = 1, flagCarries;

  /** The other flags: TF IF DF IOPL NT RF VM AC VIF VIP ID. Change DF directly, the rest by {@link #setRflags}. */
  public int eflags;

  /** Segment registers by number ({@link Instruction#ES} and so on); in 64-bit mode only the bases of FS and GS count. */
  public final int[] selector = new int[6];

  public final long[] segmentBase = new long[6];
  public final int[] segmentLimit = new int[6];

  /** Access rights as in a descriptor's bits 40 to 55 (type, S, DPL, P, AVL, L, D, G). */
  public final int[] segmentAccess = new int[6];

  /** What {@link #ea} adds: the base where it counts, else 0. */
  final long[] effectiveBase = new long[6];

  public long cr0, cr2, cr3, cr4, efer;
  public final long[] dr = new long[8];
  public long kernelGsBase, tscAux, tscOffset;

  /** XCR0: the components of extended state that XSAVE and its like may touch; bit 0 the x87 unit, 1 SSE. */
  public int xcr0 = ExtendedState.X87;

  /** The model-specific registers besides those that are fields here. */
  public final Msrs msrs = new Msrs(this);

  /** The identifier of this processor's local APIC after reset, which CPUID tells. */
  public int apicId;

  /** What SGDT, SIDT, SLDT and STR store. Descriptors are read through {@link #descriptors}. */
  public long gdtBase, idtBase;

  public int gdtLimit, idtLimit, ldtSelector, taskSelector;

  /** The hidden parts of LDTR and TR, rights as in {@link #segmentAccess}; rights 0: nothing loaded. */
  public long ldtBase, taskBase;

  public int ldtLimit, ldtAccess, taskLimit, taskAccess;

  /** Model-specific registers of SYSCALL and SYSRET: STAR, LSTAR, CSTAR, SFMASK (AMD64 APM volume 2, section 6.1). */
  public long star, lstar, cstar, syscallMask;

  /** Model-specific registers of SYSENTER and SYSEXIT (AMD64 APM volume 2, section 6.2). */
  public long sysenterCs, sysenterRsp, sysenterRip;

  /** RIP of a string instruction that has iterations left and was the last to run, or {@link #NOTHING}. */
  long unfinished = NOTHING;

  static final long NOTHING = -1;

  /** Working space of an instruction. */
  final int[] scratch = new int[4];

  /** Current privilege level. Of a processor that owns level 0 it is a register of its own, otherwise {@link #refresh} takes it from CS. */
  public int cpl;

  public CpuMode mode = CpuMode.LONG64;

  /** SSE registers: element 2n is the low half of xmm n, 2n+1 the high half. */
  public final long[] xmm = new long[32];

  /** SSE arithmetic on {@link #xmm}, and MXCSR. */
  public final VectorUnit vector = new VectorUnit(xmm);

  /** The x87 unit and the MMX registers. */
  public final X87Unit x87 = new X87Unit(new X87State());

  /** Working space of FXSAVE and its like: 512 bytes. */
  final long[] fpuImage = new long[64];

  /** The fault that SSE instructions raise because of CR0 and CR4, or 0. */
  int sseFault;

  /** The code cache that it shares with the other processors of its machine. */
  public CodeCache codeCache() {
    return code;
  }

  /** For an {@link Engine}: whether SSE instructions may run. */
  public boolean sseAvailable() {
    return sseFault == 0;
  }

  /** For an {@link Engine}: what the linear addresses of a segment begin at. */
  public long effectiveBase(int segment) {
    return effectiveBase[segment];
  }

  public final ProcessorModel model;
  public final Clock clock;
  public final Mmu mmu;
  public final GuestMemory memory;
  final CodeCache code;

  /**
   * Whether what runs here owns privilege level 0: bare metal, a hardware container. Otherwise a hypervisor does, and whatever would reach
   * level 0 (SYSCALL, interrupts, exceptions) is an exit for it.
   */
  public boolean ownsRing0;

  /** Whether VMMCALL is an exit; otherwise #UD. */
  public boolean hypercalls;

  /** Whether CPUID outside ring 0 is #GP (CPUID faulting: MISC_FEATURES_ENABLES bit 0). */
  public boolean cpuidFaults;

  /** Ports, the interrupt controller's priority, and model-specific registers that are not this processor's own. */
  public Platform platform = Platform.NONE;

  /** Whether PAUSE ends a run with {@link Exit.Budget}, so that the processor waited for may have its turn. */
  public boolean pauseEndsRun;

  /** Whether PAUSE ended the last run. */
  public boolean paused;

  /** What translates guest-physical addresses further, or null: they are machine addresses. */
  public SecondStage secondStage;

  /** Runs blocks in the interpreter's place where it can, or null. */
  public Engine engine;

  /** What each new processor gets for its {@link #engine}: tests set it, so that all of them run by another engine. */
  public static volatile Function<Cpu, Engine> engines = cpu -> null;

  /** Where selectors are looked up: in the tables of {@link #gdtBase} and {@link #ldtBase}, unless a hypervisor keeps others. */
  public Descriptors descriptors = new NativeDescriptors(this);

  /** Interrupts and NMIs from outside, where the processor owns privilege level 0. */
  public final Interrupts interrupts = new Interrupts(this);

  /** Delivers events through the interrupt descriptor table, where the processor owns privilege level 0. */
  public final Delivery delivery = new Delivery(this);

  /** Instructions retired by this processor. */
  public long retired;

  /** Whether the guest's user mode runs: privilege level 3, or what the hypervisor that owns level 0 says. */
  public boolean userMode;

  /** What {@link #retiredInUserMode} is up to {@link #modeSince}, where the mode became {@link #countedUserMode}. */
  private long userRetired, modeSince;

  private boolean countedUserMode;

  private final Fault fault = new Fault();

  /** The fault that ended a block, until the loop looks at it. */
  private Fault thrown;

  Exit exit;

  /** What the next run ends with at once, or null. */
  private Exit postponed;

  /** Comes before the first block of a run. */
  private final Block none = new Block(0, 0, CpuMode.LONG64, 0, 0, new Op[0], new Instruction[0]);

  /** Asks the loop to stop at the next instruction boundary: an exit is pending, or the running block was dropped. */
  boolean stop;

  /** {@link #endRun} was called. */
  private boolean ended;

  /** Breakpoints in the debug registers. */
  final Debugging debugging = new Debugging(this);

  /** Runs blocks in which something is to be seen to between instructions. */
  private final Stepping stepping = new Stepping(this);

  /** Blocks must not simply run through, see {@link Stepping#refresh}. */
  private boolean careful;

  /** Whether the running instruction is a run of its own, or nothing runs: then the clock is exact. */
  boolean alone = true;

  /** The next instruction is to be run alone: it will access a device. */
  boolean aloneNext;

  /** From RIP to the linear address of the instruction: the base of CS outside 64-bit mode, and the width of linear addresses there. */
  private long fetchBase, fetchMask = -1;

  /** The length of the INT3 or INTO that ended the last run. */
  int softwareLength;

  /** The last linear addresses at which a block was entered, the newest at {@code branchCount - 1}, modulo the length. */
  private final long[] branches = new long[64];

  private long branchCount;

  /**
   * @param code the machine's code cache, shared by its processors
   */
  public Cpu(ProcessorModel model, GuestMemory memory, CodeCache code, Bus bus, Clock clock) {
    this.model = model;
    this.memory = memory;
    this.code = code;
    this.clock = clock;
    this.mmu = new Mmu(this, memory, bus, model.physicalBits());
    code.add(this);
    engine = engines.apply(this);
  }

  // ---- Running ----

  /**
   * Runs until an exit, at the latest when the clock reaches {@code until}. At the return all registers are exact; the clock has counted
   * the instructions, and the exit unless it is {@link Exit.Budget}.
   */
  public Exit run(long until) {
    exit = postponed;
    postponed = null;
    ended = false;
    paused = false;
    refresh();
    countMode();
    if (msrs.counters().interrupts()) {
      msrs.counters().settle();
      until = Math.min(until, clock.now + msrs.counters().room());
    }
    stop = exit != null || debugging.pending != 0 || interrupts.toBeSeenTo();
    while (true) {
      try {
        return runBlocks(until);
      } catch (Fault f) {
        if (!restarts(f)) {
          return exitOf(f);
        }
      } finally {
        alone = true;
      }
    }
  }

  private Exit exitOf(Fault f) {
    clock.now++;
    if (exit == null) {
      interrupts.shadow = Interrupts.NO_SHADOW;
      debugging.drop();
      exit = new Exit.Exception(f.vector, f.errorCode, f.address);
    }
    return exit;
  }

  private boolean restarts(Fault f) {
    aloneNext |= f.vector == Fault.RESTART;
    return f.vector == Fault.RESTART;
  }

  private Exit runBlocks(long until) {
    Block b = none;
    while (true) {
      if (stop) {
        stop = false;
        countMode();
        if (endsAtBoundary(until)) {
          clock.now++;
          return exit;
        }
        if (ended) {
          return BUDGET;
        }
      }
      if (clock.now >= until) {
        return BUDGET;
      }
      b = code.after(b, this, rip, mmu.hostForFetch(codeAddress(rip)));
      branches[(int) branchCount++ & 63] = b.va;
      alone = false;
      if (careful || aloneNext) {
        stepping.run(b, (int) Math.min(b.ops.length, until - clock.now));
      } else if (engine != null && engine.run(this, b, until)) {
        b = none;
      } else {
        int n = (int) Math.min(b.ops.length, until - clock.now);
        interpret(b, 0, n, n == 1);
      }
      Fault f = takeFault();
      if (f != null && !restarts(f)) {
        return exitOf(f);
      }
    }
  }

  /**
   * To be called by an instruction that is about to access a device, with nothing of it done: devices look at the clock, which inside a
   * block stands where the block began. Unless the instruction is a run of its own it is made one, by {@link Fault#RESTART}.
   */
  void aboutToAccessDevice() {
    if (!alone) {
      throw fault(Fault.RESTART);
    }
  }

  /**
   * What comes between two instructions, in the order of AMD64 APM volume 2, section 8.5: traps of the last one, NMI, interrupts.
   *
   * @return whether the run ends with {@link #exit}
   */
  private boolean endsAtBoundary(long until) {
    if (exit == null && debugging.pending != 0) {
      exit = debugging.take();
    }
    if (exit != null || ended || clock.now >= until) {
      return exit != null;
    }
    if (interrupts.shadow != Interrupts.NO_SHADOW) {
      if (interrupts.pending()) {
        // One instruction, then again.
        careful = true;
      } else if (!stepping.each()) {
        interrupts.shadow = Interrupts.NO_SHADOW;
      }
      return false;
    }
    exit = interrupts.accepted();
    return exit != null;
  }

  private static final Exit BUDGET = new Exit.Budget();

  /** Lets the instructions retired since the last change of mode count for the mode they ran in. */
  private void countMode() {
    if (userMode != countedUserMode) {
      userRetired = retiredInUserMode();
      modeSince = retired;
      countedUserMode = userMode;
    }
  }

  /** How many of the {@link #retired} instructions ran in user mode; exact between runs. */
  public long retiredInUserMode() {
    return userRetired + (countedUserMode ? retired - modeSince : 0);
  }

  /** Runs the first {@code n} instructions of a block, or fewer if asked to stop. */
  void runBlock(Block b, int n) {
    interpret(b, 0, n, n == 1);
    Fault f = takeFault();
    if (f != null) {
      throw f;
    }
  }

  /**
   * For an {@link Engine}: the fault that ended {@link #interpret}, or null; it is the taker's to give back. It is not thrown, since a
   * guest may fault very often, and each frame of ours that an exception passes costs about a microsecond.
   */
  public Fault takeFault() {
    Fault f = thrown;
    thrown = null;
    return f;
  }

  /** Undoes {@link #takeFault}. */
  public void giveFault(Fault f) {
    thrown = f;
  }

  /**
   * For an {@link Engine}: runs the instructions {@code from} to {@code n}, exclusive, of a block, or fewer if asked to stop. Those before
   * were run elsewhere and are counted here; the clock stands where it stood when the block began. Afterwards RIP and the clock are exact.
   *
   * @return whether the run may go on at RIP: not if an instruction faulted ({@link #takeFault}) or asked for something
   */
  public boolean interpret(Block b, int from, int n) {
    // Only if the interpreter would run it alone, too: else it would walk once for a device where the interpreter walks twice.
    return interpret(b, from, n, b.ops.length == 1);
  }

  private boolean interpret(Block b, int from, int n, boolean alone) {
    Op[] ops = b.ops;
    Instruction[] instructions = b.instructions;
    rip = b.next;
    this.alone = alone;
    int k = from;
    try {
      while (k < n) {
        ops[k].execute(this, instructions[k]);
        k++;
        if (stop) {
          break;
        }
      }
    } catch (Fault f) {
      clock.now += k;
      retired += k;
      faulted(f, instructions[k]);
      thrown = f;
      return false;
    }
    clock.now += k;
    retired += k;
    if (k < ops.length) {
      rip = instructions[k].address;
    }
    return !stop;
  }

  /** For an {@link Engine}: the last instruction to run was no string instruction that has iterations left. */
  public void forgetUnfinished() {
    unfinished = NOTHING;
  }

  /** The linear address of an instruction from its RIP: the base of CS counts outside 64-bit mode. */
  public long codeAddress(long rip) {
    return fetchBase + rip & fetchMask;
  }

  /** An instruction was cut short by a fault: RIP and the fault become what they are for the guest. */
  void faulted(Fault f, Instruction i) {
    rip = i.address;
    debugging.drop();
    if (f.vector == Fault.GP && f.address != 0) {
      // A non-canonical address: the stack segment has a fault of its own (AMD64 APM volume 2, 8.2.13).
      boolean operand = i.hasMemory() && (!usesStack(i) || ea(i) == f.address);
      if (operand ? i.segment == Instruction.SS : usesStack(i)) {
        f.vector = Fault.SS;
      }
      f.address = 0;
    }
  }

  /**
   * Forgets debug traps that wait behind the instruction with which the guest was left: they struck where that led to, and whoever owns
   * that place has taken them.
   */
  public void forgetTraps() {
    debugging.drop();
  }

  /** Whether memory that is not the operand of an instruction is its stack. */
  private static boolean usesStack(Instruction i) {
    return switch (i.mnemonic) {
      case PUSH, POP, PUSHA, POPA, PUSHF, POPF, CALL, RET, CALLF, RETF, IRET, ENTER, LEAVE -> true;
      default -> false;
    };
  }

  // ---- Starts, and events that are delivered ----

  /**
   * An event is about to be delivered, outside of {@link #run}.
   *
   * @return RFLAGS for its frame: between iterations of a string instruction RF is set, so that its breakpoint does not strike again
   *     (Intel SDM volume 3, 17.3.1.1)
   */
  long beginDelivery() {
    exit = null;
    boolean inside = rip == unfinished;
    unfinished = NOTHING;
    return inside ? rflags() | RF : rflags();
  }

  /** Whether the fault that came up in a delivery stands for an exit, which then is what the next run ends with. */
  boolean postponeExit() {
    postponed = exit;
    return exit != null;
  }

  /**
   * INIT: the registers as after it. Not to be called inside {@link #run}. The processor is not to be run before {@link #startup}, except
   * the boot processor, which goes to the firmware.
   */
  public void init() {
    Reset.init(this);
    interrupts.reset();
    mmu.flushAll();
    refresh();
  }

  /** A startup interprocessor interrupt: real mode at {@code vector << 12}. */
  public void startup(int vector) {
    enterReal(vector << 8, 0);
  }

  /** Goes on in real mode, in which the processor must be, at {@code segment:offset}. Not to be called inside {@link #run}. */
  public void enterReal(int segment, int offset) {
    Segments.setReal(this, Instruction.CS, segment);
    rip = offset;
  }

  /**
   * Ends the current run at the next instruction boundary with {@link Exit.Budget}, for a device whose next event is due before the run's
   * end.
   */
  public void endRun() {
    ended = true;
    stop = true;
  }

  // ---- Asked for by instruction methods ----

  /** PAUSE: the processor waits for another one. */
  void paused() {
    if (pauseEndsRun) {
      paused = true;
      endRun();
    }
  }

  /** Ends the run behind the current instruction, which is the last of its block. */
  public void leave(Exit reason) {
    exit = reason;
    stop = true;
  }

  /** SWAPGS, where it is allowed. */
  public void swapGs() {
    long base = segmentBase[Instruction.GS];
    segmentBase[Instruction.GS] = kernelGsBase;
    kernelGsBase = base;
    segmentsChanged();
  }

  /**
   * For an {@link Engine}: whether {@link #interpret} stopped only since interrupts are to wait for one more instruction (STI), while none
   * is there; then that is forgotten. Not if the run may end here.
   */
  public boolean passShadow() {
    boolean passes = exit == null && !ended && thrown == null && debugging.pending == 0 && interrupts.passShadow();
    stop &= !passes;
    return passes;
  }

  /** Something is to be looked at behind this instruction. */
  void lookAround() {
    stop = true;
  }

  /** A fault to throw: {@code throw cpu.fault(...)}. */
  public Fault fault(int vector, int errorCode) {
    fault.vector = vector;
    fault.errorCode = errorCode;
    fault.address = 0;
    return fault;
  }

  /** A fault without error code to throw. */
  public Fault fault(int vector) {
    return fault(vector, Fault.NO_ERROR_CODE);
  }

  /** A page fault to throw. */
  public Fault pageFault(long va, int errorCode) {
    fault.vector = Fault.PF;
    fault.errorCode = errorCode;
    fault.address = va;
    return fault;
  }

  /** #GP, or #SS where the current instruction addressed memory by SS. */
  Fault nonCanonical(long va) {
    fault.vector = Fault.GP;
    fault.errorCode = 0;
    fault.address = va;
    return fault;
  }

  /** An exit that names what is missing, to throw. */
  public Fault unimplemented(String what) {
    return unimplemented(what, Fault.UD);
  }

  /** An exit that names what is missing, to throw; a processor that really lacks it raises {@code vector}. */
  Fault unimplemented(String what, int vector) {
    exit = new Exit.Unimplemented(what, vector);
    return fault(vector);
  }

  /** An exit because of the second stage of translation, to throw. */
  Fault secondStageViolation(long gpa, int access) {
    exit = new Exit.SecondStageViolation(gpa, access);
    return fault(Fault.PF);
  }

  /** A debug exception that is a fault, to throw. */
  Fault debugFault(long reasons) {
    fault(Fault.DB);
    fault.address = reasons;
    return fault;
  }

  /** #GP(0) unless the privilege level is 0. */
  void checkPrivileged() {
    if (cpl != 0) {
      throw fault(Fault.GP, 0);
    }
  }

  /** #UD in real mode. */
  void checkProtected() {
    if (!protectedMode()) {
      throw fault(Fault.UD);
    }
  }

  /** Whether segments have descriptors: not in real mode. There is no virtual 8086 mode. */
  boolean protectedMode() {
    return (cr0 & CR0_PE) != 0;
  }

  /** Whether long mode is active: 64-bit or compatibility mode. */
  boolean longMode() {
    return (efer & EFER_LMA) != 0;
  }

  /** Whether a data breakpoint was hit: a string instruction makes no further iteration. */
  boolean interrupted() {
    return debugging.pending != 0;
  }

  /** Blocks were dropped, perhaps the running one: it is looked up again at the next boundary. */
  void codeDropped() {
    stop = true;
  }

  /**
   * Sets an extended control register as XSETBV does: XCR0 alone, in which the x87 unit is always on.
   *
   * @return false where XSETBV faults
   */
  public boolean setExtendedControl(int index, long value) {
    if (index != 0 || value != ExtendedState.X87 && value != ExtendedState.ALL) {
      return false;
    }
    xcr0 = (int) value;
    return true;
  }

  // ---- Effective addresses ----

  /** The linear address of an instruction's memory operand. */
  public long ea(Instruction i) {
    long offset = r[i.base] + (r[i.index] << i.shift) + i.ea;
    if (i.addressWidth == 8) {
      return offset + effectiveBase[i.segment];
    }
    return narrow(i, offset);
  }

  /** The linear address of a memory operand that must be aligned to 16 bytes, or #GP(0). */
  public long eaAligned(Instruction i) {
    long va = ea(i);
    if ((va & 15) != 0) {
      throw fault(Fault.GP, 0);
    }
    return va;
  }

  /** The linear address {@code bytes} after the memory operand. */
  long ea(Instruction i, long bytes) {
    long offset = r[i.base] + (r[i.index] << i.shift) + i.ea + bytes;
    return i.addressWidth == 8 ? offset + effectiveBase[i.segment] : narrow(i, offset);
  }

  /** The offset of the memory operand in its segment. */
  long offset(Instruction i) {
    return r[i.base] + (r[i.index] << i.shift) + i.ea & -1L >>> 64 - 8 * i.addressWidth;
  }

  private long narrow(Instruction i, long offset) {
    offset &= i.addressWidth == 4 ? 0xffff_ffffL : 0xffffL;
    if (mode == CpuMode.LONG64) {
      return offset + effectiveBase[i.segment];
    }
    return Segments.linear(this, i.segment, offset, Math.max(1, i.memoryWidth), Segments.writes(i));
  }

  /** The linear address of an offset in a segment. */
  public long linear(int segment, long offset) {
    long va = offset + effectiveBase[segment];
    return mode == CpuMode.LONG64 ? va : va & 0xffff_ffffL;
  }

  /** Sets the base of a segment register alone. */
  void setSegmentBase(int segment, long base) {
    segmentBase[segment] = base;
    segmentsChanged();
  }

  // ---- Flags ----

  public boolean cf() {
    return flagCarries < 0;
  }

  public boolean pf() {
    return (Integer.bitCount((int) (flagResult ^ flagCarries >>> 8) & 0xff) & 1) == 0;
  }

  public boolean af() {
    return (flagCarries & 8) != 0;
  }

  public boolean zf() {
    return flagResult == 0;
  }

  public boolean sf() {
    return (flagResult ^ flagCarries << 31) < 0;
  }

  public boolean of() {
    return (flagCarries ^ flagCarries << 1) < 0;
  }

  /** The arithmetic flags as bits of RFLAGS. */
  public int arithmeticFlags() {
    return (cf() ? CF : 0) | (pf() ? PF : 0) | (af() ? AF : 0) | (zf() ? ZF : 0) | (sf() ? SF : 0) | (of() ? OF : 0);
  }

  /** Sets the arithmetic flags from bits of RFLAGS; other bits are ignored. */
  public void setArithmeticFlags(int flags) {
    boolean zero = (flags & ZF) != 0;
    flagResult = zero ? 0 : 1;
    // The parity of the low byte of 0 is even, of 1 odd.
    boolean even = (flags & PF) != 0;
    boolean carry = (flags & CF) != 0;
    boolean overflow = (flags & OF) != 0;
    flagCarries = (carry ? 1L << 63 : 0) | (carry != overflow ? 1L << 62 : 0) | ((flags & AF) != 0 ? 8 : 0)
        | (even != zero ? 1L << 8 : 0) | ((flags & SF) != 0 ? 1L << 32 : 0);
  }

  /** Sets CF alone. */
  public void setCarry(boolean carry) {
    if (carry != cf()) {
      flagCarries ^= 3L << 62;
    }
  }

  /** RFLAGS whole. */
  public long rflags() {
    return eflags | 2 | arithmeticFlags();
  }

  /** Sets RFLAGS whole; bits that do not exist are ignored, privilege is the caller's concern. */
  public void setRflags(long flags) {
    setArithmeticFlags((int) flags);
    int system = (int) flags & (TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID);
    int changed = system ^ eflags;
    eflags = system;
    if ((changed & (AC | TF | RF)) != 0) {
      refresh();
    }
    if ((changed & system & IF) != 0) {
      interrupts.look();
    }
  }

  /** Whether condition 0 to 15 (as in Jcc's opcode) holds. */
  public boolean condition(int condition) {
    boolean holds =
        switch (condition >>> 1) {
          case 0 -> of();
          case 1 -> cf();
          case 2 -> zf();
          case 3 -> cf() || zf();
          case 4 -> sf();
          case 5 -> pf();
          case 6 -> sf() != of();
          default -> zf() || sf() != of();
        };
    return holds == ((condition & 1) == 0);
  }

  // ---- Mode ----

  /** Whether CR4 and EFER may hold these values: only bits of what the model offers. For who starts a processor with them. */
  public boolean mayHold(long newCr4, long newEfer) {
    long efers = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    return (newCr4 & ~ControlRegisters.existing(this)) == 0 && (newEfer & ~efers) == 0;
  }

  /**
   * Brings up to date what depends on several registers: to be called after the owner of an exit (or an instruction) has changed CR0, CR3,
   * CR4, EFER, CS, segment bases, debug registers or the flags AC and TF. {@link #run} calls it at its start.
   */
  public void refresh() {
    if (ownsRing0) {
      userMode = cpl == 3;
    } else {
      cpl = selector[Instruction.CS] & 3;
    }
    if (userMode != countedUserMode) {
      stop = true;
    }
    int code = segmentAccess[Instruction.CS];
    boolean long64 = (efer & EFER_LMA) != 0 && (code & ACCESS_L) != 0;
    mode = long64 ? CpuMode.LONG64 : (code & ACCESS_D) != 0 ? CpuMode.COMPAT32 : CpuMode.CODE16;
    fetchBase = long64 ? 0 : segmentBase[Instruction.CS];
    fetchMask = long64 ? -1 : 0xffff_ffffL;
    segmentsChanged();
    sseFault = SseOps.availability(cr0, cr4);
    debugging.refresh();
    refreshStepping();
    mmu.select();
  }

  /** To be called when segment bases have changed. */
  void segmentsChanged() {
    boolean flat = mode == CpuMode.LONG64;
    for (int s = 0; s < 6; s++) {
      effectiveBase[s] = flat && s < Instruction.FS ? 0 : segmentBase[s];
    }
  }

  /** The L bit of {@link #segmentAccess}: 64-bit code. */
  public static final int ACCESS_L = 1 << 13;

  /** The D (B) bit of {@link #segmentAccess}: 32-bit code or stack. */
  public static final int ACCESS_D = 1 << 14;

  /** What {@link Stepping} depends on has changed. */
  void refreshStepping() {
    boolean was = stepping.each();
    careful = stepping.refresh();
    if (stepping.each() != was) {
      stop = true;
    }
  }

  /** To be called when debug registers were written: pages with a watchpoint must leave the TLB. */
  public void debugRegistersChanged() {
    mmu.flushAll();
    refresh();
  }

  // ---- Watching a run ----

  /** Sees every instruction before it runs; for traces. The run itself does not change. */
  public interface Tracer {
    void before(Cpu cpu, Instruction i);
  }

  /** Sets or (with null) removes the tracer. */
  public void trace(Tracer tracer) {
    stepping.tracer = tracer;
    refreshStepping();
  }

  /** Lets a debugger stop this processor, from now on and for good; to be called once, before the run. */
  public void debug(Breakpoints points) {
    stepping.breakpoints = points;
    points.attach(this);
    breakpointsChanged();
  }

  void breakpointsChanged() {
    refreshStepping();
    mmu.watch(stepping.breakpoints.anyWatchpoint() ? stepping.breakpoints : null);
  }

  /** The linear addresses at which the last blocks were entered, oldest first, at most 64. */
  public long[] lastBranches() {
    int n = (int) Math.min(branchCount, branches.length);
    long[] last = new long[n];
    for (int k = 0; k < n; k++) {
      last[k] = branches[(int) (branchCount - n + k) & 63];
    }
    return last;
  }

  /** The registers as text of several lines, for traces and bad ends. */
  public String dump() {
    return RegisterDump.of(this);
  }

  /** Translations filled, page-table entries read by walks, whole flushes, page flushes. */
  public long[] tlbStatistics() {
    return new long[] {mmu.fills, mmu.walkReferences(), mmu.flushes, mmu.pageFlushes};
  }
}
