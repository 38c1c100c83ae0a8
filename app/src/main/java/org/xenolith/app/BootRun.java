package org.xenolith.app;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.xenolith.app.console.GuestSession;
import org.xenolith.app.report.WholeFile;
import org.xenolith.cpu.Cpu;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;
import org.xenolith.insight.InstructionTrace;
import org.xenolith.insight.Names;
import org.xenolith.insight.Outcome;
import org.xenolith.insight.PostMortem;
import org.xenolith.insight.RunReport;
import org.xenolith.insight.SymbolNames;
import org.xenolith.insight.Vectors;
import org.xenolith.insight.breach.BreachWatch;
import org.xenolith.insight.breach.CodeNames;
import org.xenolith.machine.Computer;
import org.xenolith.machine.RunOutcome;
import org.xenolith.machine.pc.PcMachine;
import org.xenolith.translator.EngineKind;
import org.xenolith.xen.Observer;
import org.xenolith.xen.XenMachine;
import org.xenolith.xen.build.BuildException;
import org.xenolith.xen.mm.PageTableDump;
import org.xenolith.xen.pv.PvMachine;
import org.xenolith.xen.pvh.PvhMachine;

/** Runs a kernel: where the options and the session meet the machine. */
final class BootRun {
  private final BootPlan plan;
  private final GuestSession session;
  private final Names names;
  private final BreachWatch watch;
  private final boolean stopAtBreach;
  private final WholeFile pageTables;
  private EngineKind engine = EngineKind.INTERPRETER;
  private final long startNs = System.nanoTime();

  private BootRun(BootPlan plan, GuestSession session, BreachWatch watch, boolean stopAtBreach) {
    this.plan = plan;
    this.session = session;
    this.watch = watch;
    this.stopAtBreach = stopAtBreach;
    this.names = new SymbolNames(plan.image()::symbols);
    this.pageTables = plan.options().pageTables == null ? null : new WholeFile("--page-tables", plan.options().pageTables);
  }

  /**
   * @throws CommandFailure if the guest cannot be built
   */
  static RunReport run(BootPlan plan, GuestSession session) {
    return new BootRun(plan, session, new BreachWatch(new CodeNames(plan.image())), false).run();
  }

  /**
   * Runs a guest under the eyes of {@code watch}.
   *
   * @param stopAtBreach whether the run ends soon after the first broken rule
   * @throws CommandFailure if the guest cannot be built
   */
  static RunReport watched(BootPlan plan, GuestSession session, BreachWatch watch, boolean stopAtBreach) {
    return new BootRun(plan, session, watch, stopAtBreach).run();
  }

  /** Makes the machine of a plan again, for another observer; its guest's console goes nowhere. */
  static PvMachine again(BootPlan plan, Observer observer) {
    return new PvMachine(xenSetup(plan), (bytes, length) -> {}, (bytes, length) -> {}, observer);
  }

  private RunReport run() {
    try (Debugging debugging = Debugging.of(plan.options(), session);
        Computer machine = machine();
        BufferedWriter trace = trace()) {
      engine = engine(machine);
      if (trace != null) {
        for (Cpu cpu : machine.cpus()) {
          cpu.trace(new InstructionTrace(trace, names));
        }
      }
      if (session.isInteractive()) {
        machine.interactive();
      }
      debugging.attach(machine, names);
      RunOutcome outcome;
      try (SessionLink link = new SessionLink(machine, session)) {
        outcome = machine.run(plan.options().limit());
        debugging.ended(outcome, ExitStatus.of(outcome(outcome.kind())));
      }
      if (pageTables != null) {
        pageTables.write(pageTables(machine));
      }
      return report(machine, debugging.isKilled() ? new RunOutcome(RunOutcome.Kind.STOPPED, "ended by gdb") : outcome);
    } catch (UncheckedIOException e) {
      throw plan.options().trace == null ? e : traceFailure(e.getCause());
    } catch (IOException e) {
      throw traceFailure(e);
    }
  }

  private CommandFailure traceFailure(IOException e) {
    String problem = "cannot write the trace %s: %s".formatted(plan.options().trace, CommandFailure.why(e));
    return CommandFailure.unusable(problem, "name a file in a folder that is there, with room for some 60 bytes an instruction");
  }

  private static String pageTables(Computer machine) {
    return switch (machine) {
      case PvMachine pv -> PageTableDump.of(pv.xen().memory, pv.xen().frames, pv.domain().vcpus.getFirst().kernelRootMfn);
      default -> throw new IllegalStateException(machine.toString());
    };
  }

  private Computer machine() {
    BootOptions options = plan.options();
    try {
      return switch (options.mode) {
        case bare -> pcMachine(options);
        case pv -> pvMachine();
        case pvh -> new PvhMachine(xenSetup(plan), session::printed, session::logged, watch);
      };
    } catch (ImageException e) {
      throw CommandFailure.unusable(e.problem(), e.advice());
    } catch (BuildException e) {
      throw CommandFailure.unusable(e.problem(), e.advice());
    } catch (OutOfMemoryError e) {
      String problem = "this host does not give a guest %d MiB of memory".formatted(options.memoryBytes >> 20);
      throw CommandFailure.unusable(problem, "give it less");
    }
  }

  private Computer pvMachine() {
    PvMachine machine = new PvMachine(xenSetup(plan), session::printed, session::logged, watch);
    if (stopAtBreach) {
      watch.onNew(machine::stop);
    }
    return machine;
  }

  private static XenMachine.Setup xenSetup(BootPlan plan) {
    BootOptions options = plan.options();
    boolean stopOnUnknown = options.unknown == BootOptions.Unknown.stop;
    XenMachine.Settings settings =
        options.settings != null ? options.settings : XenMachine.Settings.usual("guest", options.memoryBytes, options.vcpus);
    return new XenMachine.Setup(
        plan.image(), plan.initrd(), options.commandLine(plan.image()), options.memoryBytes, options.vcpus, options.seed, stopOnUnknown,
        settings);
  }

  private Computer pcMachine(BootOptions options) {
    boolean stopOnUnknown = options.unknown == BootOptions.Unknown.stop;
    PcMachine.Setup setup =
        new PcMachine.Setup(
            plan.image(), plan.initrd(), options.commandLine(plan.image()), options.memoryBytes, options.vcpus, stopOnUnknown,
            options.debugExit);
    return new PcMachine(setup, session::printed);
  }

  private EngineKind engine(Computer machine) {
    EngineKind wanted =
        switch (plan.options().engine) {
          case auto -> EngineKind.AUTO;
          case translator -> EngineKind.TRANSLATOR;
          case interpreter -> EngineKind.INTERPRETER;
          case lockstep -> EngineKind.LOCKSTEP;
        };
    try {
      EngineKind got = wanted.attach(machine.cpus());
      if (wanted == EngineKind.AUTO && got == EngineKind.INTERPRETER) {
        session.note("this host does not let the translator run; the interpreter does, more slowly");
      }
      return got;
    } catch (UnsupportedOperationException e) {
      throw CommandFailure.unusable("--engine " + plan.options().engine + ": " + e.getMessage(), "run with --engine interpreter, or auto");
    }
  }

  private BufferedWriter trace() throws IOException {
    return plan.options().trace == null ? null : Files.newBufferedWriter(plan.options().trace);
  }

  private RunReport report(Computer machine, RunOutcome end) {
    long wallMs = (System.nanoTime() - startNs) / 1_000_000;
    BootOptions options = plan.options();
    KernelImage image = plan.image();
    boolean broken = stopAtBreach && watch.any();
    Outcome outcome = broken ? Outcome.RULE_BROKEN : outcome(end.kind());
    boolean endedBadly = outcome == Outcome.CRASH || outcome == Outcome.UNIMPLEMENTED || outcome == Outcome.RULE_BROKEN;
    String asked = session.reasonToEnd();
    return new RunReport(
        Version.current(),
        new RunReport.Guest(options.mode.name(), options.memoryBytes, options.vcpus, options.seed, options.commandLine(plan.image())),
        engine.name().toLowerCase(Locale.ROOT),
        new RunReport.Kernel(image.path(), image.buildId().orElse(""), image.release().orElse("")),
        outcome,
        broken ? watch.first() : end.kind() == RunOutcome.Kind.STOPPED && asked != null ? asked : end.reason(),
        machine.instructions(),
        machine.cpus().stream().map(cpu -> new RunReport.Processor(cpu.retired, cpu.retiredInUserMode())).toList(),
        machine.virtualNanoseconds(),
        wallMs,
        ProcessMemory.peakBytes(),
        machine.hypercalls(),
        machine.exits(),
        Vectors.named(machine.faults()),
        machine.tlb(),
        watch.refusals(),
        machine.digest(),
        endedBadly || options.stopAt != null ? postMortem(machine) : List.of());
  }

  private List<String> postMortem(Computer machine) {
    List<String> lines = new ArrayList<>();
    List<Cpu> cpus = machine.cpus();
    for (int n = 0; n < cpus.size(); n++) {
      lines.add("vcpu " + n + ", " + machine.state(n));
      lines.addAll(PostMortem.lines(cpus.get(n), names));
    }
    return lines;
  }

  private static Outcome outcome(RunOutcome.Kind kind) {
    return switch (kind) {
      case POWEROFF -> Outcome.POWEROFF;
      case REBOOT -> Outcome.REBOOT;
      case CRASH, SUSPEND, DEADLOCK -> Outcome.CRASH;
      case UNIMPLEMENTED -> Outcome.UNIMPLEMENTED;
      case LIMIT, STOPPED -> Outcome.LIMIT;
    };
  }
}
