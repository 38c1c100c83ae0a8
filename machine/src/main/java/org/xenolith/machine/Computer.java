package org.xenolith.machine;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;

/**
 * A whole machine with a guest on it, however the guest was booted: what runs it, ends it, types to it, and what can be said of the run
 * afterwards. Each way of booting is a subclass.
 */
public abstract class Computer implements AutoCloseable {
  /** Receives what a guest prints. */
  public interface Sink {
    /** Takes the first {@code length} bytes of {@code bytes}, which is not kept. */
    void write(byte[] bytes, int length);
  }

  /** Looks at a machine while it stands still: a debugger. */
  public interface Onlooker {
    /**
     * Called before each turn, the first included, on the thread that runs the machine: every register is exact, and nothing happens until
     * the method returns. The guest cannot tell how long that takes.
     */
    void between();

    /** The run is to end: whoever holds the machine up lets it go. From any thread. */
    void stopping();
  }

  protected final Clock clock = new Clock();
  protected final EventQueue events = new EventQueue();
  protected final RunDigest digest = new RunDigest();

  private final ConcurrentLinkedQueue<byte[]> typed = new ConcurrentLinkedQueue<>();
  private final Semaphore attention = new Semaphore(0);
  private Scheduler scheduler;
  private Onlooker onlooker;
  private boolean interactive;
  private boolean finished;

  /** Says who takes turns; to be called once, before the run. */
  protected final void schedule(List<? extends Scheduler.Runner> runners) {
    scheduler = new Scheduler(clock, events, runners, this::idle);
  }

  // ---- Running ----

  /**
   * Runs the guest to its end.
   *
   * @param maxInstructions counts to run for at most; time in which every processor waits is not counted
   */
  public RunOutcome run(long maxInstructions) {
    Scheduler.End end = scheduler.run(maxInstructions, this::over);
    RunOutcome own = ended();
    if (own != null) {
      return own;
    }
    return switch (end) {
      case LIMIT -> new RunOutcome(RunOutcome.Kind.LIMIT, "the limit of " + maxInstructions + " instructions was reached");
      case DEADLOCK -> new RunOutcome(RunOutcome.Kind.DEADLOCK, "every vcpu waits, and nothing will wake one");
      case STOPPED -> new RunOutcome(RunOutcome.Kind.STOPPED, "stopped");
    };
  }

  private boolean over() {
    byte[] bytes;
    while ((bytes = typed.poll()) != null) {
      typed(bytes);
    }
    if (onlooker != null && !hasEnded()) {
      onlooker.between();
    }
    return hasEnded();
  }

  /** Lets idle time pass as fast as it does for the person at the keyboard, until a key is pressed or the run is stopped. */
  private long idle(long nanoseconds) {
    if (!interactive) {
      return Scheduler.Idle.SKIP.pass(nanoseconds);
    }
    long start = System.nanoTime();
    try {
      attention.tryAcquire(nanoseconds, TimeUnit.NANOSECONDS);
      attention.drainPermits();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      stop();
    }
    return Math.min(nanoseconds, System.nanoTime() - start);
  }

  /**
   * Says that a person types: idle time takes as long as it does, and a guest that waits for ever waits for a key. To be called before the
   * run, which then does not repeat.
   */
  public void interactive() {
    interactive = true;
  }

  /** Ends the run soon; from any thread. */
  public void stop() {
    scheduler.stop();
    if (onlooker != null) {
      onlooker.stopping();
    }
    attention.release();
  }

  /** Lets somebody look between turns; to be called at most once, before the run. */
  public void show(Onlooker who) {
    onlooker = who;
  }

  /** Ends a wait for a person (see {@link #interactive}), so that the {@link Onlooker} is asked soon; from any thread. */
  public void attend() {
    attention.release();
  }

  /** The processor whose turn it is, or whose turn was the last. */
  public int turn() {
    return scheduler.turn();
  }

  /** Types on the guest's keyboard; from any thread. Such a run does not repeat. */
  public void type(byte[] bytes) {
    typed.add(bytes.clone());
    attention.release();
  }

  // ---- What each way of booting has of its own ----

  /** Whether the guest has ended, or met something unimplemented; asked before each turn. */
  protected abstract boolean hasEnded();

  /** How the guest ended of itself, or null if it has not. Called once, after the run. */
  protected abstract RunOutcome ended();

  /** Gives typed bytes to the guest's console. */
  protected abstract void typed(byte[] bytes);

  /** The machine's processors, by number. */
  public abstract List<Cpu> cpus();

  /** The machine's memory. */
  public abstract GuestMemory memory();

  /** What a processor does, in a word: "runnable", "blocked", "down". */
  public abstract String state(int processor);

  /** How often each hypercall was issued, by name. */
  public Map<String, Long> hypercalls() {
    return Map.of();
  }

  /** How often the guest was left, by reason, and how often it was told of events. */
  public abstract Map<String, Long> exits();

  /** How often each vector was delivered to the guest. */
  public abstract Map<Integer, Long> faults();

  /** Adds to the digest of the finished run what only this way of booting has. */
  protected void digestEnd(RunDigest digest) {}

  // ---- What was seen ----

  /** Instructions retired by all processors. */
  public long instructions() {
    long sum = 0;
    for (Cpu cpu : cpus()) {
      sum += cpu.retired;
    }
    return sum;
  }

  /** Virtual time since the start in ns. */
  public long virtualNanoseconds() {
    return clock.now;
  }

  /** What the TLBs did. */
  public Map<String, Long> tlb() {
    Map<String, Long> map = new TreeMap<>();
    String[] names = {"fills", "walk_references", "flushes", "page_flushes"};
    for (Cpu cpu : cpus()) {
      long[] values = cpu.tlbStatistics();
      for (int n = 0; n < names.length; n++) {
        map.merge(names[n], values[n], Long::sum);
      }
    }
    return map;
  }

  /** The digest of the finished run. Registers and memory are part of it from the first call on. */
  public String digest() {
    if (!finished) {
      finished = true;
      digestEnd(digest);
      for (Cpu cpu : cpus()) {
        digest.registers(cpu);
      }
      digest.memory(memory());
    }
    return digest.hex();
  }

  @Override
  public abstract void close();
}
