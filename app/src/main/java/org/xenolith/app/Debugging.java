package org.xenolith.app;

import java.io.IOException;
import java.net.BindException;
import java.nio.file.Files;
import org.xenolith.app.console.GuestSession;
import org.xenolith.insight.Names;
import org.xenolith.insight.gdb.GdbAddress;
import org.xenolith.insight.gdb.GdbServer;
import org.xenolith.insight.gdb.GdbStub;
import org.xenolith.insight.gdb.MonitorCommands;
import org.xenolith.machine.Computer;
import org.xenolith.machine.RunOutcome;

/** What {@code --gdb} asks for, or nothing. */
final class Debugging implements AutoCloseable {
  private final GdbServer server;
  private final GuestSession session;
  private GdbStub stub;

  private Debugging(GdbServer server, GuestSession session) {
    this.server = server;
    this.session = session;
  }

  /**
   * Listens for debuggers, if the options ask for it.
   *
   * @throws CommandFailure if that is not possible there
   */
  static Debugging of(BootOptions options, GuestSession session) {
    GdbAddress address = options.gdbAddress();
    if (address == null) {
      return new Debugging(null, session);
    }
    try {
      return new Debugging(GdbServer.listen(address), session);
    } catch (IOException e) {
      boolean there = e instanceof BindException && address.socket() != null && Files.exists(address.socket());
      String problem = "--gdb %s: cannot listen there: %s".formatted(options.gdb, there ? "the file exists" : CommandFailure.why(e));
      throw CommandFailure.unusable(problem, there ? "delete it, if no other run uses it" : "take another port, or 0 for one that is free");
    }
  }

  /** Lets debuggers at a machine that has not run yet. */
  void attach(Computer machine, Names names) {
    if (server != null) {
      stub = new GdbStub(machine, server, MonitorCommands.of(machine, names), session::note);
      session.note("the guest waits for gdb: target remote " + server.address());
    }
  }

  /** The run is over, and the machine is still there. */
  void ended(RunOutcome outcome, int status) {
    if (stub != null) {
      stub.ended(outcome, status);
    }
  }

  /** Whether a debugger ended the run. */
  boolean isKilled() {
    return stub != null && stub.isKilled();
  }

  @Override
  public void close() {
    if (server != null) {
      server.close();
    }
  }
}
