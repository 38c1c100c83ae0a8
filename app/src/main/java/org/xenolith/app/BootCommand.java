package org.xenolith.app;

import java.util.concurrent.Callable;
import org.xenolith.app.console.ConsoleInput;
import org.xenolith.app.console.ConsoleOutput;
import org.xenolith.app.console.GuestSession;
import org.xenolith.app.console.RawTerminal;
import org.xenolith.app.guest.GuestInitrd;
import org.xenolith.app.report.JsonReport;
import org.xenolith.app.report.ReportFile;
import org.xenolith.app.report.TextSummary;
import org.xenolith.image.KernelImage;
import org.xenolith.insight.RunReport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code xenolith boot}. */
@Command(
    name = "boot",
    mixinStandardHelpOptions = true,
    description = "Boots a kernel with its console on the terminal, and says at the end how it went.",
    footerHeading = "%nExamples:%n",
    footer = {
      "  xenolith boot                      Debian's stock kernel, to user space and off",
      "  xenolith boot --shell              a shell in it",
      "  xenolith boot vmlinux --append panic=1 --report run.html"
    })
final class BootCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(
      paramLabel = "KERNEL",
      arity = "0..1",
      defaultValue = CommandContext.DEBIAN,
      description = "A bzImage, a vmlinux or another ELF guest, or 'debian' (the default) for the newest stock kernel that the system's "
          + "package manager offers.")
  private String kernel;

  @Mixin private BootOptions options;

  BootCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    options.check();
    ReportFile file = options.report == null ? null : new ReportFile(options.report);
    KernelImage image = context.image(kernel);
    BootPlan plan = new BootPlan(image, GuestInitrd.of(options.initrd, options.shell, context.stockSystem()), options);
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
