package org.xenolith.translator;

import org.xenolith.cpu.Block;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.Fault;
import org.xenolith.isa.Instruction;

/**
 * Runs each trace twice: the interpreter runs it with a log of its stores, all is undone, machine code runs it, and both must have done the
 * same. What cannot be done twice is left to the interpreter: traces that reach something other than RAM, instructions that are not
 * translated.
 */
final class LockstepRun implements Engine {
  private final Translator translator;
  private final State state;
  private final Snapshot before = new Snapshot();
  private final Snapshot expected = new Snapshot();
  private final Snapshot found = new Snapshot();
  private StoreLog log;

  /** Where the last run of machine code stopped, if at an instruction that is not translated; else null. */
  private Site stopped;

  LockstepRun(Translator translator, State state) {
    this.translator = translator;
    this.state = state;
  }

  @Override
  public boolean run(Cpu cpu, Block b, long until) {
    if (log == null) {
      log = new StoreLog(cpu.memory);
    }
    b.runs++;
    Translation t = Translator.entry(b);
    if (t == null) {
      if (b.runs < translator.earned || !Trace.suits(b)) {
        return false;
      }
      t = translator.translate(b);
    }
    if (t.leading == 0 || until - cpu.clock.now < t.instructions || cpu.mmu.tables() == 0 || cpu.mmu.isWatched()) {
      return false;
    }
    before.take(cpu, null);
    log.clear();
    cpu.mmu.watch(log);
    boolean goesOn = interpret(cpu, t, 0);
    cpu.mmu.watch(null);
    Fault fault = cpu.takeFault();
    if (!goesOn && fault == null || !t.valid || log.reachedOutside()) {
      cpu.giveFault(fault);
      return true;
    }
    expected.take(cpu, fault);
    log.undo();
    before.restore(cpu);
    translated(cpu, t);
    fault = cpu.takeFault();
    found.take(cpu, fault);
    String memory = log.difference();
    if (!found.equals(expected) || memory != null) {
      throw new LockstepDifference(describe(t, memory));
    }
    cpu.giveFault(fault);
    if (stopped != null) {
      Site site = stopped;
      cpu.clock.now -= site.place;
      cpu.retired -= site.place;
      cpu.interpret(site.block, site.place, site.block.instructions.length);
    }
    return true;
  }

  /**
   * Runs the leading instructions of a trace as far as it goes their way; the clock stands where the block of the first began.
   *
   * @param from where in the trace to begin
   */
  private static boolean interpret(Cpu cpu, Translation t, int from) {
    int start = 0;
    for (Block b : t.blocks) {
      int end = Math.min(t.leading, start + b.instructions.length);
      if (from < end) {
        if (start > from && cpu.rip != b.va) {
          return true;
        }
        if (!cpu.interpret(b, Math.max(0, from - start), end - start) && (end == t.leading || !cpu.passShadow())) {
          return false;
        }
      }
      start = end;
    }
    return true;
  }

  private void translated(Cpu cpu, Translation t) {
    stopped = null;
    state.begin(cpu);
    state.load(cpu);
    state.budget(cpu, t.instructions);
    if (t.sse && cpu.sseAvailable()) {
      state.loadSse(cpu);
    }
    long start = cpu.clock.now;
    long retired = cpu.retired;
    long code = t.entry;
    while (true) {
      Site site = translator.enter(cpu, state, code);
      state.store(cpu);
      boolean sse = state.hasSse();
      state.storeSse(cpu);
      int done = t.instructions - state.budget() - (site.kind == Site.Kind.INSTRUCTION ? site.refund : 0);
      cpu.clock.now = start + done;
      cpu.retired = retired + done;
      if (done > 0) {
        cpu.forgetUnfinished();
      }
      if (site.kind != Site.Kind.INSTRUCTION) {
        cpu.rip = site.kind == Site.Kind.EXIT ? site.target : site.translation.first().va;
        if (site.kind == Site.Kind.EXIT && site.index != 0) {
          interpret(cpu, t, site.index);
        }
        return;
      }
      Block b = site.block;
      int k = site.place;
      if (site.interpreted) {
        stopped = site;
        cpu.clock.now += k;
        cpu.retired += k;
        cpu.rip = b.instructions[k].address;
        return;
      }
      if (site.finish) {
        interpret(cpu, t, site.index);
        return;
      }
      boolean goesOn = cpu.interpret(b, k, k + 1);
      if (!goesOn || site.resume == 0 || k + 1 == b.instructions.length && cpu.rip != b.next) {
        return;
      }
      state.load(cpu);
      if ((sse || site.vector) && cpu.sseAvailable()) {
        state.loadSse(cpu);
      }
      code = site.resume;
    }
  }

  private String describe(Translation t, String memory) {
    StringBuilder text = new StringBuilder("interpreter and translation differ after this trace:\n");
    for (Block b : t.blocks) {
      for (Instruction i : b.instructions) {
        text.append("  %016x  %s%n".formatted(i.address, i));
      }
    }
    text.append("before: ").append(before);
    text.append("\ninterpreter: ").append(expected);
    text.append("\ntranslation: ").append(found);
    if (memory != null) {
      text.append("\nmemory of the translation: ").append(memory);
    }
    return text.toString();
  }
}
