package org.xenolith.app;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.xenolith.app.guest.GuestInitrd;
import org.xenolith.app.report.CheckReport;
import org.xenolith.app.report.ReportFile;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code xenolith check}. */
@Command(
    name = "check",
    mixinStandardHelpOptions = true,
    description = "Boots a kernel as a PV guest and says whether it keeps Xen's rules; every broken rule is explained: what the guest did, "
        + "from where, what became of the frame before, what a real Xen prints, and what usually mends it.",
    footerHeading = "%nExamples:%n",
    footer = {
      "  xenolith check debian                                   the stock kernel keeps the rules: status 0",
      "  xenolith check arch/x86/boot/bzImage --report why.html  a page to attach to a mail",
      "  git bisect run xenolith check --bisect arch/x86/boot/bzImage"
    })
final class CheckCommand implements Callable<Integer> {
  /** What looks at a run, which check does itself, and what is for other machines than a PV guest. */
  static final List<String> REFUSED =
      List.of("--mode", "--shell", "--gdb", "--trace", "--page-tables", "--stop-at", "--debug-exit", "--quiet");

  private final CommandContext context;

  @Parameters(
      paramLabel = "KERNEL",
      description = "A bzImage, a vmlinux or another ELF guest, or 'debian' for the newest stock kernel that the system's package manager "
          + "offers.")
  private String kernel;

  @Option(names = "--keep-going", description = "Go on after the first broken rule, to the guest's own end.")
  private boolean keepGoing;

  @Option(
      names = "--bisect",
      description = "Speak to 'git bisect run': 0 keeps the rules, 1 breaks one or crashes, 125 cannot be judged or built.")
  private boolean bisect;

  @Option(
      names = "--seeds",
      paramLabel = "N",
      defaultValue = "2",
      description = "Try so many seeds, from --seed on; with any but 0, memory and registers that the ABI leaves unspecified hold "
          + "leftovers (default: ${DEFAULT-VALUE}).")
  private int seeds;

  @Mixin private BootOptions options;

  CheckCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    if (!bisect) {
      return check().status;
    }
    try {
      return check().bisectStatus;
    } catch (CommandFailure e) {
      context.err().println("xenolith check: " + e.getMessage());
      e.remedy().lines().forEach(line -> context.err().println("  " + line));
      return CheckVerdict.SKIP;
    }
  }

  private CheckVerdict check() {
    checkOptions();
    ReportFile file = options.report == null ? null : new ReportFile(options.report);
    KernelImage image = context.image(kernel);
    requirePvGuest(image);
    BootPlan plan = new BootPlan(image, GuestInitrd.of(options.initrd, false, context.stockSystem()), options);
    List<CheckRun> runs = new ArrayList<>();
    CheckVerdict verdict;
    long first = options.seed;
    do {
      options.seed = first + runs.size();
      runs.add(CheckRun.of(plan, keepGoing, new Progress(context.err(), context.terminal())));
      verdict = runs.getLast().verdict();
    } while (runs.size() < seeds && verdict == CheckVerdict.KEEPS);
    CheckReport report = new CheckReport(verdict.phrase, runs.stream().map(CheckRun::part).toList());
    if (file != null) {
      file.write(report);
    }
    switch (options.summary) {
      case text -> {
        boolean plain = context.environment().containsKey("NO_COLOR") || !StandardStreams.isTerminal(StandardStreams.OUT);
        context.out().print(report.text(!plain));
      }
      case json -> context.out().println(report.json());
      case none -> {}
    }
    context.out().flush();
    return verdict;
  }

  /** The rules are those of PV guests, whose page tables Xen checks; a kernel that can only run otherwise can break none. */
  private static void requirePvGuest(KernelImage image) {
    try {
      image.pvLayout();
    } catch (ImageException e) {
      String problem = e.problem() + "; check judges what a PV guest does to its page tables, which Xen does not check in other modes";
      String mode = image.xenNotes().phys32Entry().isPresent() ? "pvh" : "bare";
      throw CommandFailure.unusable(problem, "build it with CONFIG_XEN_PV=y; 'xenolith boot --mode " + mode + "' shows whether it runs so");
    }
  }

  private void checkOptions() {
    options.check();
    if (options.mode != BootOptions.Mode.pv) {
      String problem =
          "--mode %s: check judges what a PV guest does to its page tables; there the kernel owns them, and Xen checks nothing";
      String advice = "leave --mode away; 'xenolith boot --mode %s' shows whether the kernel runs so";
      throw CommandFailure.unusable(problem.formatted(options.mode), advice.formatted(options.mode));
    }
    if (options.shell || options.gdb != null || options.trace != null || options.pageTables != null || options.stopAt != null) {
      String problem = "check has no --shell, --gdb, --trace, --page-tables and --stop-at";
      throw CommandFailure.unusable(problem, "look at the kernel with 'xenolith boot'");
    }
    if (seeds < 1) {
      throw CommandFailure.unusable("--seeds " + seeds + ": it is a number of runs, from 1", "leave the option away for two");
    }
  }
}
