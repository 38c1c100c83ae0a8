package org.xenolith.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.xenolith.app.console.ConsoleInput;
import org.xenolith.app.console.ConsoleOutput;
import org.xenolith.app.console.GuestSession;
import org.xenolith.app.console.RawTerminal;
import org.xenolith.app.guest.Initramfs;
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
    BootPlan plan = new BootPlan(image, initrd(), options);
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

  private byte[] initrd() {
    if (options.initrd == null) {
      byte[] busybox = read(context.stockSystem().busybox());
      return options.shell ? Initramfs.withShell(busybox) : Initramfs.thatReportsReady(busybox);
    }
    return read(options.initrd);
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      String problem = "cannot read the initrd " + file + ": " + CommandFailure.why(e);
      throw CommandFailure.unusable(problem, "name a file that is there and that you may read");
    } catch (OutOfMemoryError e) {
      throw CommandFailure.unusable("the initrd " + file + " is too large", "make it smaller");
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
