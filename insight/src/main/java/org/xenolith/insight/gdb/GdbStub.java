package org.xenolith.insight.gdb;

import java.util.function.Consumer;
import org.xenolith.cpu.Breakpoints;
import org.xenolith.cpu.Cpu;
import org.xenolith.machine.Computer;
import org.xenolith.machine.RunOutcome;

/**
 * Holds a machine up for a debugger and lets it go: before its first instruction until one has come, at breakpoints, watchpoints and after
 * steps, when the debugger asks for it, when the guest ends badly. A debugger may detach (then the guest runs on) and another come; where
 * one goes without a word while the guest stands still, the guest stands still for the next; one that kills ends the run. So does QEMU.
 *
 * <p>vCPUs take turns on one thread in an order that no debugger changes: whoever steps one of them lets the others have their turns.
 */
public final class GdbStub implements Computer.Onlooker, Breakpoints.Listener {
  private static final long LOOK_EVERY_MS = 50;

  /** How long a debugger may take to close its end after it heard of the guest's. */
  private static final long FAREWELL_MS = 2000;

  /**
   * A step.
   *
   * @param cpu who steps
   * @param from goes on while RIP is at or behind this,
   * @param to and before this; both 0 for one instruction
   */
  record Step(Cpu cpu, long from, long to) {
    private boolean goesOn() {
      return Long.compareUnsigned(cpu.rip - from, to - from) < 0;
    }
  }

  private final Computer machine;
  private final GdbServer server;
  private final GdbCommands commands;
  private final Consumer<String> log;
  private final Breakpoints points = new Breakpoints(this);

  private GdbServer.Connection connection;

  /** Whether the debugger let the guest run and waits to hear that it stopped. */
  private boolean awaited;

  private boolean begun;
  private boolean holding;
  private boolean resumed;
  private boolean changed;
  private Step step;

  /** Whether the stepping processor has begun its instruction. */
  private boolean stepping;

  /** Asked anew about an instruction at which it stopped before: let it pass. */
  private Cpu passing;

  private volatile boolean ending;
  private boolean killed;

  /**
   * Makes the stub of a machine that has not run yet.
   *
   * @param machine what is debugged
   * @param server where debuggers come
   * @param monitor answers gdb's {@code monitor}
   * @param log is told when debuggers come and go, a line each
   */
  public GdbStub(Computer machine, GdbServer server, Monitor monitor, Consumer<String> log) {
    this.machine = machine;
    this.server = server;
    this.log = log;
    this.commands = new GdbCommands(this, machine, points, monitor);
    for (Cpu cpu : machine.cpus()) {
      cpu.debug(points);
    }
    machine.show(this);
    server.onEvent(machine::attend);
  }

  // ---- The machine's side ----

  @Override
  public void between() {
    if (!begun) {
      begun = true;
      hold(Stop.trap(machine.turn()), null);
    } else if (server.isWaiting()) {
      GdbServer.Event event = server.take(0);
      if (event instanceof GdbServer.Event.Gone) {
        answer(event);
      } else {
        hold(new Stop(machine.turn(), Stop.INTERRUPT, ""), event);
      }
    }
  }

  @Override
  public boolean before(Cpu cpu) {
    boolean passes = passing == cpu;
    passing = passes ? null : passing;
    Breakpoints.Hit hit = points.takeHit();
    if (hit != null) {
      return holdAt(cpu, commands.watchpoint(hit));
    }
    if (!passes && points.has(cpu.codeAddress(cpu.rip))) {
      return holdAt(cpu, commands.breakpoint(cpu));
    }
    if (step == null) {
      return false;
    }
    if (!stepping) {
      stepping = step.cpu() == cpu;
      return false;
    }
    // Also where the next to run is another processor: the step is done, and its turn may be long in coming.
    return !step.goesOn() && holdAt(cpu, Stop.trap(number(step.cpu())));
  }

  /** Stops before an instruction of {@code cpu}. */
  private boolean holdAt(Cpu cpu, Stop stop) {
    hold(stop, null);
    if (changed) {
      // The processor looks anew for its next instruction, and asks again.
      passing = cpu;
    } else {
      stepping = step != null && step.cpu() == cpu;
    }
    return changed;
  }

  @Override
  public void stopping() {
    ending = true;
  }

  int number(Cpu cpu) {
    return machine.cpus().indexOf(cpu);
  }

  // ---- Standing still ----

  /** Does what the debugger asks for until it lets the guest go. */
  private void hold(Stop stop, GdbServer.Event first) {
    points.everywhere(false);
    step = null;
    stepping = false;
    holding = true;
    resumed = false;
    changed = false;
    // An event that came by itself (a debugger connects) tells its debugger nothing but the answers to its questions.
    commands.stopped(stop);
    if (awaited && connection != null && !(first instanceof GdbServer.Event.Attached)) {
      awaited = false;
      connection.send(commands.stopReply());
    }
    if (first != null) {
      answer(first);
    }
    while (!resumed && !ending) {
      GdbServer.Event event = server.take(LOOK_EVERY_MS);
      if (event != null) {
        answer(event);
      }
    }
    holding = false;
    points.everywhere(step != null);
  }

  private void answer(GdbServer.Event event) {
    switch (event) {
      case GdbServer.Event.Attached a -> {
        log.accept("gdb has attached");
        connection = a.from();
        awaited = false;
        points.clear();
        commands.attached();
      }
      case GdbServer.Event.Packet p when p.from() == connection -> {
        String reply = commands.answer(p.data());
        if (reply != null) {
          connection.send(reply);
        }
      }
      case GdbServer.Event.Gone g when g.from() == connection -> {
        connection = null;
        if (holding && !resumed) {
          log.accept("gdb is gone, and the guest stands still until another comes");
        } else {
          log.accept("gdb is gone, and the guest runs on");
          points.clear();
        }
      }
      default -> {}
    }
  }

  // ---- What the debugger asks for ----

  void send(String packet) {
    connection.send(packet);
  }

  void stopAcknowledging() {
    connection.stopAcknowledging();
  }

  /** Something of the guest was changed. */
  void touched() {
    changed = true;
  }

  /** Lets the guest run; with a step, until that is done. The debugger is told when it stops. */
  void resume(Step wanted) {
    step = wanted;
    resumed = true;
    awaited = true;
  }

  /** Lets the guest run without a debugger. */
  void detach() {
    points.clear();
    step = null;
    resumed = true;
    awaited = false;
  }

  /** Ends the guest. */
  void kill() {
    log.accept("gdb ended the guest");
    killed = true;
    points.clear();
    machine.stop();
  }

  /** Whether a debugger ended the guest. */
  public boolean isKilled() {
    return killed;
  }

  // ---- The end ----

  /**
   * The run is over. After a bad end a debugger that waits for the guest may look at what is left of it. To be called on the thread that
   * ran the machine, while its memory is there.
   *
   * @param status what the debugger is to show as the guest's exit status
   */
  public void ended(RunOutcome outcome, int status) {
    boolean badly =
        switch (outcome.kind()) {
          case CRASH, UNIMPLEMENTED, DEADLOCK -> true;
          default -> false;
        };
    if (badly && awaited && connection != null) {
      log.accept("the guest's end (" + outcome.reason() + ") waits for gdb to continue");
      hold(new Stop(machine.turn(), Stop.ABORT, ""), null);
    }
    if (awaited && connection != null) {
      connection.send("W%02x".formatted(status));
      long end = System.nanoTime() + FAREWELL_MS * 1_000_000;
      while (connection != null && System.nanoTime() < end) {
        GdbServer.Event event = server.take(LOOK_EVERY_MS);
        if (event instanceof GdbServer.Event.Gone gone && gone.from() == connection) {
          connection = null;
        }
      }
    }
  }
}
