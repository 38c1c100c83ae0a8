package org.xenolith.app;

import org.xenolith.app.console.ConsoleInput;
import org.xenolith.app.console.ConsoleOutput;
import org.xenolith.app.console.GuestSession;
import org.xenolith.app.console.RawTerminal;
import org.xenolith.app.report.JsonReport;
import org.xenolith.app.report.ReportFile;
import org.xenolith.app.report.TextSummary;
import org.xenolith.insight.RunReport;

/** A run with its console on the terminal and a summary at its end, as the options want it. */
final class GuestRun {
  private final CommandContext context;
  private final BootOptions options;
  private final ReportFile file;

  /**
   * @throws CommandFailure if the report cannot be written where it is wanted: before a run, not after
   */
  GuestRun(CommandContext context, BootOptions options) {
    this.context = context;
    this.options = options;
    this.file = options.report == null ? null : new ReportFile(options.report);
  }

  /** Runs a guest to its end and returns the exit status. */
  int of(BootPlan plan) {
    try (GuestSession session = session()) {
      RunReport report = BootRun.run(plan, session);
      session.leaveTerminal();
      report.postMortem().forEach(context.err()::println);
      if (file != null) {
        file.write(report);
      }
      summarize(report);
      return session.isUnread() ? ExitStatus.OK : ExitStatus.of(report.outcome());
    }
  }

  private GuestSession session() {
    Progress progress = new Progress(context.err(), options.quiet && context.terminal());
    if (options.quiet) {
      progress.begin("booting");
      return new GuestSession(ConsoleOutput.none(), null, null, progress);
    }
    ConsoleOutput output = ConsoleOutput.standard();
    if (!options.shell) {
      return new GuestSession(output, null, null, progress);
    }
    if (!StandardStreams.isTerminal(StandardStreams.IN)) {
      return new GuestSession(output, new ConsoleInput(System.in, false), null, progress);
    }
    RawTerminal terminal = RawTerminal.open();
    return new GuestSession(output, new ConsoleInput(terminal.input(), true), terminal, progress);
  }

  private void summarize(RunReport report) {
    switch (options.summary) {
      case text -> context.out().print(TextSummary.of(report));
      case json -> context.out().println(JsonReport.of(report));
      case none -> {}
    }
    context.out().flush();
  }
}
