package org.xenolith.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.xenolith.app.guest.GuestInitrd;
import org.xenolith.app.xl.XlConfig;
import org.xenolith.app.xl.XlException;
import org.xenolith.image.KernelImage;
import org.xenolith.xen.XenMachine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code xenolith create}. */
@Command(
    name = "create",
    mixinStandardHelpOptions = true,
    description = "Boots a guest from an xl configuration file: name, type (pv or pvh), kernel, ramdisk, cmdline or root and extra, "
        + "memory, maxmem (pv), vcpus, maxvcpus, msr_relaxed. Settings that are not honoured are named in warnings.",
    footerHeading = "%nExample:%n",
    footer = "  xenolith create guest.cfg --quiet --summary json")
final class CreateCommand implements Callable<Integer> {
  /** What the file says, and no option. */
  private static final List<String> SAID_BY_THE_FILE = List.of("--mode", "--initrd", "--append", "--memory", "--vcpus");

  /** Likewise, and what is for a plain PC. */
  static final List<String> REFUSED = Stream.concat(SAID_BY_THE_FILE.stream(), Stream.of("--debug-exit")).toList();

  private final CommandContext context;

  @Parameters(paramLabel = "FILE.cfg", description = "The configuration, as xl takes it; files in it are relative to the current folder.")
  private Path file;

  @Mixin private BootOptions options;
  @Spec private CommandSpec spec;

  CreateCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    for (String option : SAID_BY_THE_FILE) {
      if (spec.commandLine().getParseResult().hasMatchedOption(option)) {
        throw CommandFailure.unusable(option + ": that is for the configuration file to say", "change " + file);
      }
    }
    XlConfig config = read();
    config.warnings().forEach(warning -> context.err().println("xenolith create: warning: %s: %s".formatted(file, warning)));
    options.mode = config.container() ? BootOptions.Mode.pvh : BootOptions.Mode.pv;
    options.memoryBytes = config.memoryMib() << 20;
    options.vcpus = config.maxVcpus();
    options.exactCommandLine = config.commandLine();
    options.settings =
        new XenMachine.Settings(config.name(), config.maxMemoryMib() << 20, config.vcpus(), config.msrRelaxed());
    options.check();
    GuestRun run = new GuestRun(context, options);
    KernelImage image = context.image(config.kernel());
    byte[] initrd = config.ramdisk() == null ? null : GuestInitrd.of(Path.of(config.ramdisk()), false, context.stockSystem());
    return run.of(new BootPlan(image, initrd, options));
  }

  private XlConfig read() {
    try {
      return XlConfig.parse(Files.readString(file));
    } catch (IOException e) {
      String problem = "cannot read " + file + ": " + CommandFailure.why(e);
      throw CommandFailure.unusable(problem, "name a file that is there and that you may read");
    } catch (XlException e) {
      throw CommandFailure.unusable(file + ": " + e.getMessage(), "see xl.cfg(5) of Xen for the form");
    }
  }
}
