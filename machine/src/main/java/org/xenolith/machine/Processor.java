package org.xenolith.machine;

import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.Fault;
import org.xenolith.cpu.Platform;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.machine.apic.LocalApic;

/**
 * Runs one processor that owns privilege level 0, with its local APIC: answers each exit by the processor's own interrupt descriptor table,
 * and keeps what INIT, startup and HLT make of it. A hardware container overrides what a hypervisor answers there.
 */
public class Processor implements Scheduler.Runner, Platform {
  /** What a processor does. */
  public enum State {
    RUNNING,
    /** Halted until an interrupt comes. */
    HALTED,
    /** After INIT, or never started: waits for a startup interrupt. */
    WAITING,
    /** A fault while a double fault was delivered. */
    SHUTDOWN
  }

  /** Why a processor was left. */
  public enum Reason {
    EXCEPTION,
    SOFTWARE_INTERRUPT,
    INTERRUPT,
    NMI,
    HALT,
    HYPERCALL,
    SECOND_STAGE
  }

  public final int id;
  public final Cpu cpu;
  public final LocalApic apic;
  protected final Board board;

  private State state;
  private boolean inside;
  private long until;
  private boolean initialise;
  private boolean yielded;
  private final long[] exits = new long[Reason.values().length];
  private final long[] delivered = new long[256];

  /** Makes a processor; the one of number 0 runs, the others wait for INIT and startup. */
  public Processor(int id, ProcessorModel model, Board board) {
    this(id, id, model, board);
  }

  /**
   * Makes a processor; the one of number 0 runs, the others wait for INIT and startup.
   *
   * @param apicId the number of its local APIC, 0 for the processor of number 0
   */
  protected Processor(int id, int apicId, ProcessorModel model, Board board) {
    this.id = id;
    this.board = board;
    state = id == 0 ? State.RUNNING : State.WAITING;
    cpu = new Cpu(model, board.memory(), board.code(), new Devices(), board.clock());
    cpu.ownsRing0 = true;
    cpu.platform = this;
    cpu.apicId = apicId;
    apic = new LocalApic(apicId, board.clock(), board.events(), board.apics(), new Pins(), model.physicalBits());
  }

  // ---- What others make of it ----

  /** What it does. */
  public final State state() {
    return state;
  }

  /** How often it was left, by {@link Reason}. */
  public final long exits(Reason reason) {
    return exits[reason.ordinal()];
  }

  /** How often a vector was delivered. */
  public final long delivered(int vector) {
    return delivered[vector];
  }

  /** Ends the turn behind the current exit. */
  protected final void yield() {
    yielded = true;
  }

  /** Puts the processor to sleep until an interrupt wakes it. */
  protected final void halt() {
    enter(State.HALTED);
  }

  /** Makes a waiting processor run, its registers set by the caller. */
  protected final void start() {
    enter(State.RUNNING);
  }

  /** Makes the processor wait until it is started again. */
  protected final void takeDown() {
    enter(State.WAITING);
  }

  private void enter(State next) {
    if (next != state) {
      state = next;
      stateChanged();
    }
  }

  /** It does something else now than before. */
  protected void stateChanged() {}

  /** Whether a halted processor is woken. An interrupt that IF holds back wakes nobody. */
  protected boolean wakes() {
    return cpu.interrupts.pending();
  }

  // ---- Turns ----

  @Override
  public final boolean runnable() {
    return switch (state) {
      case RUNNING -> true;
      case HALTED -> wakes();
      case WAITING, SHUTDOWN -> false;
    };
  }

  @Override
  public final boolean run(long turnEnd) {
    yielded = false;
    enter(State.RUNNING);
    while (true) {
      until = Math.min(turnEnd, board.events().next());
      if (board.clock().now >= until) {
        return true;
      }
      until = Math.min(until, limit());
      inside = true;
      Exit exit = cpu.run(until);
      inside = false;
      if (!(exit instanceof Exit.Budget)) {
        board.digest().exit(id, cpu, exit);
        answer(exit);
      }
      if (initialise) {
        initialise();
      }
      if (board.ending().over() || yielded || cpu.paused || !runnable()) {
        return false;
      }
      enter(State.RUNNING);
    }
  }

  /** The count up to which the processor is to run now at most, if not to the end of the turn; asked before each entry. */
  protected long limit() {
    return Long.MAX_VALUE;
  }

  /** To be called when a device or an interrupt controller was touched: the end, or an event before the end of the turn, may have come. */
  protected final void touched() {
    if (inside && (board.ending().over() || initialise || board.events().next() < until)) {
      cpu.endRun();
    }
  }

  // ---- Exits ----

  private void answer(Exit exit) {
    switch (exit) {
      case Exit.Exception e -> deliver(Reason.EXCEPTION, e.vector(), cpu.delivery.exception(e.vector(), e.errorCode(), e.address()));
      case Exit.SoftwareInterrupt i -> deliver(Reason.SOFTWARE_INTERRUPT, i.vector(), cpu.delivery.software(i.vector(), i.length()));
      case Exit.Interrupt i -> {
        int vector = acknowledge();
        if (vector >= 0) {
          deliver(Reason.INTERRUPT, vector, cpu.delivery.interrupt(vector));
        }
      }
      case Exit.NonMaskable n -> {
        deliver(Reason.NMI, Fault.NMI, cpu.delivery.nmi());
      }
      case Exit.Halt h -> {
        count(Reason.HALT);
        halted();
      }
      case Exit.Hypercall h -> {
        count(Reason.HYPERCALL);
        hypercall();
      }
      case Exit.SecondStageViolation v -> {
        count(Reason.SECOND_STAGE);
        secondStageViolation(v);
      }
      case Exit.Unimplemented u -> {
        board.ending().unimplemented(u.what());
        int errorCode = u.vector() == Fault.GP ? 0 : Fault.NO_ERROR_CODE;
        deliver(Reason.EXCEPTION, u.vector(), cpu.delivery.exception(u.vector(), errorCode, 0));
      }
      default -> {
        board.ending().unimplemented("exit " + exit);
        deliver(Reason.EXCEPTION, Fault.UD, cpu.delivery.exception(Fault.UD, Fault.NO_ERROR_CODE, 0));
      }
    }
  }

  private void count(Reason reason) {
    exits[reason.ordinal()]++;
  }

  private void deliver(Reason reason, int vector, boolean alive) {
    count(reason);
    delivered[vector]++;
    board.digest().delivered(vector);
    if (!alive) {
      enter(State.SHUTDOWN);
      shutDown();
    }
  }

  /** Software has enabled its local APIC. */
  protected void apicEnabled() {}

  /** It executed HLT. */
  protected void halted() {
    halt();
  }

  /** Its local APIC drives the interrupt line. */
  protected void interruptLine(boolean asserted) {
    cpu.interrupts.assertLine(asserted);
  }

  /** The vector of the interrupt that the processor takes now; -1 if there is none any more. */
  protected int acknowledge() {
    return apic.acknowledge();
  }

  /** The guest called its hypervisor. */
  protected void hypercall() {
    throw new IllegalStateException("no hypervisor");
  }

  /** The second stage of translation refused an access. */
  protected void secondStageViolation(Exit.SecondStageViolation violation) {
    throw new IllegalStateException("no second stage");
  }

  /**
   * The processor has shut down. A kernel that has emptied its interrupt descriptor table before wanted a reset, which is what a PC's
   * chipset makes of it (Linux, native_machine_emergency_restart).
   */
  protected void shutDown() {
    if (cpu.idtLimit == 0) {
      board.ending().end(RunOutcome.Kind.REBOOT, "the guest reset itself by a triple fault");
    } else {
      String reason = "triple fault on processor %d at rip 0x%x".formatted(id, cpu.rip);
      board.ending().end(RunOutcome.Kind.CRASH, reason);
    }
  }

  // ---- INIT and startup ----

  /** Its INIT pin: what it does takes effect behind the current instruction. */
  public final void init() {
    initialise = true;
    if (inside) {
      touched();
    } else {
      initialise();
    }
  }

  private void initialise() {
    initialise = false;
    cpu.init();
    apic.init();
    initialised();
    if (id == 0) {
      enter(State.RUNNING);
      toFirmware();
    } else {
      enter(State.WAITING);
    }
  }

  /** INIT sends the boot processor to the firmware. Where there is none the machine starts anew. */
  protected void toFirmware() {
    board.ending().end(RunOutcome.Kind.REBOOT, "the guest reset its boot processor by INIT");
  }

  /** It has been reset by INIT. */
  protected void initialised() {}

  /** Whether it waits for a startup interrupt. */
  protected boolean awaitsStartup() {
    return state == State.WAITING;
  }

  /** The pins of the processor, as its local APIC drives them. */
  private final class Pins implements LocalApic.Core {
    @Override
    public void interrupt(boolean asserted) {
      interruptLine(asserted);
    }

    @Override
    public void nmi() {
      if (state != State.WAITING) {
        cpu.interrupts.pendNmi();
      }
    }

    @Override
    public void init() {
      Processor.this.init();
    }

    @Override
    public void startup(int vector) {
      if (awaitsStartup()) {
        cpu.startup(vector);
        enter(State.RUNNING);
      }
    }

    @Override
    public long tscOffset() {
      return cpu.tscOffset;
    }

    @Override
    public void apicEnabled() {
      Processor.this.apicEnabled();
    }
  }

  // ---- What the processor sees around it ----

  @Override
  public long in(int port, int size) {
    long value = board.ports().in(port, size);
    touched();
    return value;
  }

  @Override
  public void out(int port, int size, long value) {
    board.ports().out(port, size, value);
    touched();
  }

  @Override
  public boolean readMsr(int msr, long[] value) {
    return LocalApic.hasMsr(msr) && apic.readMsr(msr, value);
  }

  @Override
  public boolean writeMsr(int msr, long value) {
    if (!LocalApic.hasMsr(msr) || !apic.writeMsr(msr, value)) {
      return false;
    }
    touched();
    return true;
  }

  @Override
  public void timeStampMoved() {
    apic.tscMoved();
    touched();
  }

  @Override
  public void counterOverflow() {
    apic.counterOverflow();
  }

  @Override
  public int taskPriority() {
    return apic.taskPriority();
  }

  @Override
  public void setTaskPriority(int priority) {
    apic.setTaskPriority(priority);
  }

  /** An access to a machine address that is not RAM. */
  protected void busAccess(boolean toApic) {}

  /** Machine addresses that are not RAM. */
  private final class Devices implements Bus {
    @Override
    public long read(long pa, int size) {
      busAccess(apic.covers(pa));
      long value = apic.covers(pa) ? apic.read(pa, size) : board.bus().read(pa, size);
      touched();
      return value;
    }

    @Override
    public void write(long pa, int size, long value) {
      busAccess(apic.covers(pa));
      if (apic.covers(pa)) {
        apic.write(pa, size, value);
      } else {
        board.bus().write(pa, size, value);
      }
      touched();
    }
  }
}
