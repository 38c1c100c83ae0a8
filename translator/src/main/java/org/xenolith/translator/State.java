package org.xenolith.translator;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;

/**
 * What machine code and Java share of one processor, in one block of host memory. Machine code holds its address in {@link Host#STATE}; the
 * places below are distances from there, the most used within a signed byte.
 *
 * <p>The block lies before the tables of the TLB, so that one register leads to both; it moves when another set of tables is used, which
 * happens outside machine code only.
 *
 * <p>Outside machine code all general registers are in the block. Inside, most are in host registers ({@link Host#HOME}).
 */
final class State {
  // ---- Within a signed byte ----

  /** General register n is at {@code REGISTERS + 8 * n}: those without a home, from 10 on, within a signed byte. */
  static final int REGISTERS = -208;

  /**
   * The page of the last access to the stack, and what to add to come to the host's address: good for reads and writes, as long as {@link
   * #STACK_LIMITS} are.
   */
  static final int STACK_PAGE = -80, STACK_DELTA = -72;

  /**
   * How far inside the page so many bytes as {@link #STACK_BYTES} has must not begin any more; 0 if no page is known. A number for each, so
   * that one comparison finds out all.
   */
  static final int STACK_LIMITS = -64;

  static final int[] STACK_BYTES = {8, 32, 64, 128, Windows.MOST_BYTES};

  /** Working space. */
  static final int SCRATCH = -24, SCRATCH2 = -16;

  /** The other flags, as {@link Cpu#eflags} has them. */
  static final int EFLAGS = -8;

  /** Instructions that may still be run. */
  static final int BUDGET = 0;

  /** The arithmetic flags: a byte that is 1 for OF, then one as LAHF has them, then two that mean nothing. */
  static final int FLAGS = 4;

  /** What is there for a result of 0 without carry: ZF and PF. */
  static final int FLAGS_OF_ZERO = (Encoding.ZF | Encoding.PF | 2) << 8;

  /** Bases of FS and GS. */
  static final int FS = 8, GS = 16;

  /** The {@link Site} at which machine code was left. */
  static final int SITE = 24;

  /** A byte that tells where the SSE registers are: one of the following. */
  static final int SSE = 28;

  /** Values at {@link #SSE}: not here, and perhaps not to be used; in this block; in the host's registers. */
  static final int SSE_ELSEWHERE = 0, SSE_HERE = 1, SSE_IN_HOST = 2;

  /** A byte that is 1 while the privilege level is 0; one that is 1 if STI may be run, and so for RDTSC. */
  static final int PRIVILEGED = 29, STI_ALLOWED = 31, TSC_ALLOWED = -4;

  /** A byte that becomes 1 when the SSE registers are taken to the host. */
  static final int SSE_USED = 30;

  /** Operands of the instruction that set the flags, or its result, see {@link Step#keep}. */
  static final int KEPT = 32, KEPT2 = 40;

  /** The places of {@link Windows}, 8 bytes each: host addresses. */
  static final int WINDOWS = 48;

  /** The first table of the TLB: an entry's two halves are within a signed byte from the places that lead to it. */
  static final int TLB = 112;

  // ---- Farther away, before the rest ----

  /** SSE register n is at {@code XMM + 16 * n}. */
  static final int XMM = -512;

  /**
   * The places of {@link LoopAddresses}, 16 bytes each: a host address; or a page's linear address and how far from it the host has it, of
   * which the first round leaves a linear address inside the page.
   */
  static final int PAGES = XMM - 16 * LoopAddresses.MOST;

  /** The table of {@link JumpCache}. */
  static final int JUMPS = PAGES - 8;

  /** The linear address for which a TLB entry may be missing. */
  static final int ADDRESS = JUMPS - 8;

  /**
   * In the second round of a loop: how often it may still find that an operand is in another page than last time, and what the budget was
   * before it.
   */
  static final int LOOP_PATIENCE = ADDRESS - 8, LOOP_BUDGET = LOOP_PATIENCE + 4;

  /** What SWAPGS makes the base of GS. */
  static final int OTHER_GS = LOOP_PATIENCE - 8;

  /** What RDTSC would give when the budget is spent, and TSC_AUX. */
  static final int TSC_AT_END = OTHER_GS - 8, TSC_AUX = TSC_AT_END - 8;

  /** The selector of segment n is at {@code SELECTORS + 4 * n}. */
  static final int SELECTORS = TSC_AUX - 24;

  /** What {@link Mmu#lostEntries} was when {@link #STACK_LIMITS} were good; and for {@link NearJumps} and {@link SeenPages}, all losses. */
  private static final int STACK_AS_OF = REGISTERS - 8, JUMPS_AS_OF = REGISTERS - 16;

  /** {@link JumpCache#address}. */
  private final long jumps;

  /** What machine code holds in {@link Host#STATE}. */
  long base;

  State(JumpCache jumps) {
    this.jumps = jumps.address;
  }

  /** Moves to the tables that the processor uses now, and holds nothing at first. */
  void begin(Cpu cpu) {
    base = cpu.mmu.tables() - TLB;
    Native.putLong(base + JUMPS, jumps);
    Native.putByte(base + SSE, SSE_ELSEWHERE);
    Native.putByte(base + SSE_USED, 0);
  }

  /**
   * The place of the TLB's entry for a linear address.
   *
   * @param table {@link TraceTranslator#READ} and so on
   */
  static int entry(long va, int table) {
    return TLB + table + Mmu.entryIndex(va);
  }

  /** The place of the limit for so many bytes of the stack. */
  static int stackLimit(int bytes) {
    int n = 0;
    while (STACK_BYTES[n] < bytes) {
      n++;
    }
    return STACK_LIMITS + 8 * n;
  }

  /**
   * Forgets what is known from before and may not be so any more: the page of the stack, {@link NearJumps} and {@link SeenPages}.
   *
   * @param losses how often translations have gone
   * @param pages those of the translator
   */
  void forgetStale(Cpu cpu, long losses, SeenPages pages) {
    long lost = cpu.mmu.lostEntries();
    if (Native.getLong(base + STACK_AS_OF) != lost) {
      Native.putLong(base + STACK_AS_OF, lost);
      for (int n = 0; n < STACK_BYTES.length; n++) {
        Native.putLong(base + STACK_LIMITS + 8 * n, 0);
      }
    }
    // Neither ever decreases; at first the table is to be emptied, too.
    long lostJumps = cpu.mmu.lostFetchEntries() + losses + 1;
    if (Native.getLong(base + JUMPS_AS_OF) != lostJumps) {
      Native.putLong(base + JUMPS_AS_OF, lostJumps);
      NearJumps.clear(base);
      pages.clear(base);
    }
  }

  /** Copies the processor's registers here. */
  void load(Cpu cpu) {
    long[] r = cpu.r;
    long at = base + REGISTERS;
    for (int n = 0; n < 16; n++) {
      Native.putLong(at + 8 * n, r[n]);
    }
    int flags = cpu.arithmeticFlags();
    Native.putShort(base + FLAGS, flags << 8 | flags >> 11 & 1);
    Native.putLong(base + FS, cpu.effectiveBase(Instruction.FS));
    Native.putLong(base + GS, cpu.effectiveBase(Instruction.GS));
    Native.putLong(base + OTHER_GS, cpu.kernelGsBase);
    Native.putInt(base + EFLAGS, cpu.eflags);
    boolean privileged = cpu.cpl == 0;
    Native.putByte(base + PRIVILEGED, privileged ? 1 : 0);
    Native.putByte(base + STI_ALLOWED, privileged && !cpu.interrupts.awaited() ? 1 : 0);
    Native.putByte(base + TSC_ALLOWED, privileged || (cpu.cr4 & Cpu.CR4_TSD) == 0 ? 1 : 0);
    Native.putInt(base + TSC_AUX, (int) cpu.tscAux);
    int[] selectors = cpu.selector;
    for (int n = 0; n < selectors.length; n++) {
      Native.putInt(base + SELECTORS + 4 * n, selectors[n]);
    }
  }

  /** Copies the registers back. */
  void store(Cpu cpu) {
    long[] r = cpu.r;
    long at = base + REGISTERS;
    for (int n = 0; n < 16; n++) {
      r[n] = Native.getLong(at + 8 * n);
    }
    int flags = Native.getShort(base + FLAGS);
    cpu.setArithmeticFlags(flags >> 8 & 0xff | (flags & 1) << 11);
    cpu.eflags = Native.getInt(base + EFLAGS);
    if (Native.getLong(base + GS) != cpu.effectiveBase(Instruction.GS)) {
      cpu.swapGs();
    }
  }

  /** Whether the SSE registers are here. */
  boolean hasSse() {
    return Native.getByte(base + SSE) != SSE_ELSEWHERE;
  }

  /** Copies the SSE registers here, for machine code to use until {@link #storeSse}. */
  void loadSse(Cpu cpu) {
    long[] xmm = cpu.xmm;
    for (int n = 0; n < 32; n++) {
      Native.putLong(base + XMM + 8 * n, xmm[n]);
    }
    Native.putByte(base + SSE, SSE_HERE);
  }

  /** Copies the SSE registers back, if they are here. Not while machine code runs. */
  void storeSse(Cpu cpu) {
    if (!hasSse()) {
      return;
    }
    long[] xmm = cpu.xmm;
    for (int n = 0; n < 32; n++) {
      xmm[n] = Native.getLong(base + XMM + 8 * n);
    }
    Native.putByte(base + SSE, SSE_ELSEWHERE);
  }

  /** Whether machine code has taken the SSE registers since this was asked last. */
  boolean sseUsed() {
    boolean used = Native.getByte(base + SSE_USED) != 0;
    Native.putByte(base + SSE_USED, 0);
    return used;
  }

  long address() {
    return Native.getLong(base + ADDRESS);
  }

  /** Instructions run since the second round of the loop in which machine code was left began; about so many. */
  int loopRan() {
    return Native.getInt(base + LOOP_BUDGET) - budget();
  }

  /** Whether that was left since its operands are in other pages each time. */
  boolean loopImpatient() {
    return Native.getInt(base + LOOP_PATIENCE) < 0;
  }

  int budget() {
    return Native.getInt(base + BUDGET);
  }

  /** Lets so many instructions run from now on. */
  void budget(Cpu cpu, int instructions) {
    Native.putInt(base + BUDGET, instructions);
    Native.putLong(base + TSC_AT_END, cpu.clock.now + cpu.tscOffset + instructions);
  }
}
