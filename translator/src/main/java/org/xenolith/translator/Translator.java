package org.xenolith.translator;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.xenolith.cpu.Block;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.HostMapping;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.Feature;

/**
 * The translations of a machine, shared by its processors: makes them, links them to one another, and drops them when their code changes.
 * Code space is bounded: when it is full, all translations are dropped.
 */
final class Translator {
  private static final long CODE_BYTES = 64L << 20;

  /** The most that one translation takes; so much is left when a translation is begun. */
  private static final int MOST_BYTES = 1 << 18;

  private static final long PAGE = -GuestMemory.FRAME_SIZE;

  /** So often a block is interpreted before it is translated. */
  private static final int EARNED = 16;

  /** A loop's second round that runs so many instructions was worth its beginning. */
  private static final int LONG_RUN = 2000;

  /** So many vain attempts, within so many instructions of the processor's, and a trace is translated again in a plainer way. */
  private static final int STRIKES = 100, STRIKES_WITHIN = 4_000_000;

  final int earned;
  private final MemorySegment memory;
  private final TraceTranslator traces = new TraceTranslator(this);
  private final JumpCache jumps;
  private final SeenPages pages = new SeenPages();
  private final Set<Feature> features;

  /** Whether the host has {@link Emitter#rotate32}. */
  private final boolean hasRotate;

  private Site[] sites = new Site[1024];
  private int siteCount;

  private long free;
  private final long firstFree;
  private final long leaveCode, loadSseCode, stackReadCode, stackWriteCode;
  private final MemorySegment enter;

  /** Blocks that begin traces which do not go well with {@link LoopAddresses} or {@link Windows}. */
  private final Set<Block> plain = Collections.newSetFromMap(new IdentityHashMap<>());

  private final List<Translation> live = new ArrayList<>();

  /** Statistics: translations made, instructions in them, translations dropped, times that all were dropped. */
  private long made, instructions, dropped, cleared;

  /** How often translations have gone. */
  private long losses;

  private Translator(Arena arena, MemorySegment memory, CodeCache code, ProcessorModel model, int earned) {
    this.earned = earned;
    this.memory = memory;
    jumps = new JumpCache(arena);
    Emitter e = traces.emitter();
    free = memory.address();
    enter = MemorySegment.ofAddress(stub(e, Stubs::enter));
    leaveCode = stub(e, Stubs::leave);
    loadSseCode = stub(e, Stubs::loadSse);
    stackReadCode = stub(e, to -> Stubs.stackPage(to, TraceTranslator.READ, TraceTranslator.WRITE));
    stackWriteCode = stub(e, to -> Stubs.stackPage(to, TraceTranslator.WRITE, TraceTranslator.READ));
    firstFree = free;
    features = HostFeatures.shared(model, cpuid(1, Host.RCX));
    hasRotate = cpuid(0, Host.RAX) >= 7 && HostFeatures.hasRotate(cpuid(7, Host.RBX));
    code.onDrop(this::dropped);
  }

  private long stub(Emitter e, Consumer<Emitter> code) {
    long address = free;
    e.begin(address);
    code.accept(e);
    place(e);
    return address;
  }

  /**
   * A translator for the processors that share {@code code}, or null where there can be none: the host is not x86-64, or refuses memory
   * that is writable and executable. Its memory is given back when the garbage collector finds it.
   */
  static Translator make(CodeCache code, ProcessorModel model) {
    return make(code, model, EARNED);
  }

  /**
   * @param earned so often a block is asked for before it is translated
   */
  static Translator make(CodeCache code, ProcessorModel model, int earned) {
    String host = System.getProperty("os.arch");
    if (!host.equals("amd64") && !host.equals("x86_64") || !System.getProperty("os.name").equals("Linux")) {
      return null;
    }
    Arena arena = Arena.ofAuto();
    MemorySegment memory = HostMapping.map(CODE_BYTES, true, arena);
    return memory == null ? null : new Translator(arena, memory, code, model, earned);
  }

  /** What runs translations for one processor beside the interpreter. */
  Engine lockstep() {
    return new LockstepRun(this, new State(jumps));
  }

  /** What runs translations for one processor. */
  Engine engine() {
    return new TranslatedRun(this, new State(jumps));
  }

  /** Translations made, instructions in them, translations dropped, times that all were dropped for want of space. */
  long[] statistics() {
    return new long[] {made, instructions, dropped, cleared, free - firstFree};
  }

  // ---- For machine code and its callers ----

  /** Runs machine code until it is left, and tells where. */
  Site enter(Cpu cpu, State state, long code) {
    state.forgetStale(cpu, losses, pages);
    return sites[Native.call(enter, state.base, code)];
  }

  /** A routine that remembers the page of the stack. */
  long stackCode(int table) {
    return table == TraceTranslator.READ ? stackReadCode : stackWriteCode;
  }

  long leaveCode() {
    return leaveCode;
  }

  long loadSseCode() {
    return loadSseCode;
  }

  int add(Site site) {
    if (siteCount == sites.length) {
      sites = Arrays.copyOf(sites, 2 * siteCount);
    }
    sites[siteCount] = site;
    return siteCount++;
  }

  /** Asks the host's processor; what is done for it is overwritten by the first translation. */
  private int cpuid(int leaf, int register) {
    Emitter e = traces.emitter();
    e.begin(free);
    Stubs.cpuid(e, leaf, register);
    Native.put(free, e.bytes(), e.position());
    return Native.call(MemorySegment.ofAddress(free), 0, 0);
  }

  boolean hasRotate() {
    return hasRotate;
  }

  // ---- Making ----

  /** Translates what begins with a block. Not while machine code is to be resumed. */
  Translation translate(Block first) {
    if (free + MOST_BYTES > memory.address() + memory.byteSize()) {
      clear();
    }
    Translation t = traces.translate(Trace.from(first, features), free, plain.contains(first));
    place(traces.emitter());
    for (Block b : t.blocks) {
      b.translation = new Use(t, (Use) b.translation);
    }
    live.add(t);
    made++;
    instructions += t.instructions;
    return t;
  }

  private void place(Emitter e) {
    Native.put(free, e.bytes(), e.position());
    free += e.position() + 15 & -16;
  }

  /** The translations that a block is in, a list; the one that begins with it is {@link #entry}. */
  static final class Use {
    final Translation translation;
    final Use next;

    Use(Translation translation, Use next) {
      this.translation = translation;
      this.next = next;
    }
  }

  /** The translation that begins with a block, or null. */
  static Translation entry(Block b) {
    for (Use use = (Use) b.translation; use != null; use = use.next) {
      if (use.translation.valid && use.translation.first() == b) {
        return use.translation;
      }
    }
    return null;
  }

  JumpCache jumps() {
    return jumps;
  }

  /** Lets indirect jumps find a translation. */
  void enterJump(Translation t) {
    jumps.enter(t);
  }

  /** Lets an exit lead to a translation, which was found at its target just now. */
  void link(Site exit, Translation to) {
    Translation from = exit.translation;
    if (!from.valid || exit.linked != null) {
      return;
    }
    boolean samePage = (from.first().va & PAGE) == (to.first().va & PAGE);
    if (samePage && (from.first().host & PAGE) != (to.first().host & PAGE)) {
      return;
    }
    long target = to.entry;
    if (!samePage) {
      if (free + MOST_BYTES > memory.address() + memory.byteSize()) {
        return;
      }
      long page = to.first().va & PAGE;
      long host = to.first().host & PAGE;
      Emitter e = traces.emitter();
      e.begin(free);
      target = e.address(Stubs.otherPage(e, page, host, pages.place(page, host), to.entry, exit.unlinked));
      place(e);
    }
    patch(exit, target);
    exit.linked = to;
    to.incoming.add(exit);
  }

  private static void patch(Site exit, long target) {
    Native.putInt(exit.patch, Math.toIntExact(target - (exit.patch + 4)));
  }

  // ---- Dropping ----

  /**
   * The second round of a loop was left. One that runs for a short time only is translated again, without {@link LoopAddresses}.
   *
   * @param ran instructions
   * @param impatient whether its operands were in other pages too often
   * @param now instructions that the processor has run
   */
  void leftLoop(Translation t, int ran, boolean impatient, long now) {
    if (ran <= LONG_RUN) {
      strike(t, impatient ? STRIKES : 1, now);
    }
  }

  /** A window was not in one page that the TLB has. A trace in which that happens often is translated again, without {@link Windows}. */
  void missedWindow(Translation t, long now) {
    strike(t, 1, now);
  }

  private void strike(Translation t, int strikes, long now) {
    if (now - t.struck > STRIKES_WITHIN) {
      t.struck = now;
      t.strikes = 0;
    }
    t.strikes += strikes;
    if (t.strikes >= STRIKES && t.valid) {
      plain.add(t.first());
      drop(t);
    }
  }

  private void dropped(Block b) {
    plain.remove(b);
    for (Use use = (Use) b.translation; use != null; use = use.next) {
      if (use.translation.valid) {
        drop(use.translation);
      }
    }
    b.translation = null;
  }

  private void drop(Translation t) {
    t.valid = false;
    dropped++;
    losses++;
    jumps.forget(t);
    for (Site exit : t.incoming) {
      if (exit.linked == t) {
        patch(exit, exit.unlinked);
        exit.linked = null;
      }
    }
    t.incoming.clear();
    for (Site exit : t.exits) {
      if (exit.linked != null) {
        exit.linked.incoming.remove(exit);
        exit.linked = null;
      }
    }
  }

  /** Drops all translations; their blocks must be run some more times to be translated again. */
  private void clear() {
    losses++;
    for (Translation t : live) {
      t.valid = false;
      for (Block b : t.blocks) {
        b.translation = null;
        b.runs = 0;
      }
    }
    live.clear();
    plain.clear();
    jumps.clear();
    pages.clear();
    Arrays.fill(sites, 0, siteCount, null);
    siteCount = 0;
    free = firstFree;
    cleared++;
  }
}
