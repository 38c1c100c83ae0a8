package org.xenolith.translator;

import org.xenolith.cpu.Block;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Instruction;

/** Runs the translations of a {@link Translator} for one processor. */
final class TranslatedRun implements Engine {
  private static final long PAGE_OFFSET = GuestMemory.FRAME_SIZE - 1;

  private final Translator translator;
  private final State state;

  /** The exit at which machine code was left last, if the block at its target is the next to run; or null. */
  private Site pending;

  /** Whether the last run took the SSE registers: then the next one probably will. */
  private boolean sseWanted;

  /** Machine code was left last at an indirect jump, whose target is the next to run. */
  private boolean indirect;

  TranslatedRun(Translator translator, State state) {
    this.translator = translator;
    this.state = state;
  }

  @Override
  public boolean run(Cpu cpu, Block b, long until) {
    Site exit = pending;
    boolean jumped = indirect;
    pending = null;
    indirect = false;
    b.runs++;
    Translation t = Translator.entry(b);
    if (t == null) {
      if (b.runs < translator.earned || !Trace.suits(b)) {
        return false;
      }
      t = translator.translate(b);
    }
    long left = until - cpu.clock.now;
    if (left < t.instructions || cpu.mmu.tables() == 0) {
      return false;
    }
    if (exit != null && exit.target == b.va) {
      translator.link(exit, t);
    }
    if (jumped) {
      translator.enterJump(t);
    }
    return enter(cpu, t, (int) Math.min(left, Integer.MAX_VALUE));
  }

  /** Returns false if nothing was run. */
  private boolean enter(Cpu cpu, Translation t, int budget) {
    state.begin(cpu);
    state.load(cpu);
    state.budget(cpu, budget);
    if ((sseWanted || t.sse) && cpu.sseAvailable()) {
      state.loadSse(cpu);
    }
    try {
      return run(cpu, t.entry, budget);
    } finally {
      sseWanted = state.sseUsed();
      state.storeSse(cpu);
    }
  }

  private boolean run(Cpu cpu, long entry, int budget) {
    long start = cpu.clock.now;
    long retired = cpu.retired;
    long code = entry;
    while (true) {
      Site site = translator.enter(cpu, state, code);
      long replaced = cpu.mmu.replacedEntries();
      long again = afterFill(cpu, site, replaced);
      if (again != 0) {
        code = again;
        continue;
      }
      state.store(cpu);
      if (site.kind != Site.Kind.INSTRUCTION) {
        int done = budget - state.budget();
        cpu.clock.now = start + done;
        cpu.retired = retired + done;
        if (done == 0) {
          return false;
        }
        cpu.forgetUnfinished();
        if (site.kind == Site.Kind.EXIT) {
          cpu.rip = site.target;
          pending = site;
        } else {
          cpu.rip = site.translation.first().va;
        }
        return true;
      }
      // The interpreter runs one instruction. The clock stands where its block began.
      int done = budget - (state.budget() + site.refund);
      cpu.clock.now = start + done;
      cpu.retired = retired + done;
      Block b = site.block;
      int k = site.place;
      if (done + k > 0) {
        cpu.forgetUnfinished();
      }
      if (site.loop) {
        translator.leftLoop(site.translation, state.loopRan(), state.loopImpatient(), start + done);
      } else if (site.window) {
        translator.missedWindow(site.translation, start + done);
      }
      long changes = cpu.mmu.changes();
      boolean sse = state.hasSse();
      if (!site.keepsSse || cpu.mmu.isWatched()) {
        state.storeSse(cpu);
      }
      boolean goesOn = cpu.interpret(b, k, k + 1);
      if (!goesOn) {
        return true;
      }
      boolean last = k + 1 == b.instructions.length;
      boolean otherwise = cpu.mmu.changes() != changes || windowLost(cpu, site, replaced) || sse && !cpu.sseAvailable();
      if ((otherwise || site.finish) && !last) {
        // What is fetched next is looked up anew, but not before the interpreter would: at the end of the block.
        cpu.clock.now = start + done;
        cpu.retired = retired + done;
        state.storeSse(cpu);
        cpu.interpret(b, k + 1, b.instructions.length);
        return true;
      }
      if (site.resume == 0 || otherwise || cpu.clock.now != start + done + k + 1 || last && cpu.rip != b.next) {
        indirect = last && isIndirect(b.instructions[k]);
        return true;
      }
      if ((sse || site.vector) && !state.hasSse()) {
        state.loadSse(cpu);
      }
      state.load(cpu);
      code = site.resume;
    }
  }

  /**
   * Makes the TLB entry that was all that was missing, if so: the registers stay where they are.
   *
   * @return the address of the machine code to go on with, or 0
   */
  private long afterFill(Cpu cpu, Site site, long replaced) {
    if (site.retry != 0) {
      long va = state.address();
      if (site.access == Mmu.FETCH) {
        return cpu.mmu.fillEntry(va, Mmu.FETCH) && translator.jumps().has(va, cpu.mmu.fetchPage(va)) ? site.retry : 0;
      }
      boolean onePage = (va & PAGE_OFFSET) + site.size <= GuestMemory.FRAME_SIZE;
      return onePage && cpu.mmu.fillEntry(va, site.access) && !windowLost(cpu, site, replaced) ? site.retry : 0;
    }
    Translation next = site.linked;
    if (next != null && next.valid && cpu.mmu.fillEntry(site.target, Mmu.FETCH)) {
      return cpu.mmu.fetchPage(site.target) == (next.first().host & -GuestMemory.FRAME_SIZE) ? next.entry : 0;
    }
    return 0;
  }

  /** Whether an entry has gone that a window of use behind a place may have come from. */
  private static boolean windowLost(Cpu cpu, Site site, long replaced) {
    return site.reliesOnWindows && cpu.mmu.replacedEntries() != replaced;
  }

  private static boolean isIndirect(Instruction i) {
    return switch (i.mnemonic) {
      case RET, CALL, JMP -> true;
      default -> false;
    };
  }
}
