package org.xenolith.app;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.xenolith.app.report.WholeFile;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;
import org.xenolith.image.SymbolFile;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code xenolith kernel}: getting kernels and looking into them. */
@Command(
    name = "kernel",
    mixinStandardHelpOptions = true,
    description = "Gets a stock kernel, or shows what an image holds.",
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {KernelCommand.Fetch.class, KernelCommand.Inspect.class},
    footerHeading = "%nExample:%n",
    footer = "  xenolith kernel fetch")
final class KernelCommand {
  /** {@code xenolith kernel fetch}. */
  @Command(
      name = "fetch",
      mixinStandardHelpOptions = true,
      description = {
        "Gets the newest stock kernel of Debian that the system's package manager offers into the user's cache folder, "
            + "unless it is there, and prints its path.",
        "Nothing is installed, and no other state of the system changes."
      },
      footerHeading = "%nExample:%n",
      footer = "  xenolith boot \"$(xenolith kernel fetch)\"")
  static final class Fetch implements Callable<Integer> {
    private final CommandContext context;

    Fetch(CommandContext context) {
      this.context = context;
    }

    @Override
    public Integer call() {
      Path kernel = context.stockSystem().newestKernel();
      context.out().println(kernel);
      return ExitStatus.OK;
    }
  }

  /** {@code xenolith kernel inspect}. */
  @Command(
      name = "inspect",
      mixinStandardHelpOptions = true,
      description = "Shows what a kernel's image holds: format, release, build id, segments, what it tells Xen, symbols.",
      footerHeading = "%nExamples:%n",
      footer = {"  xenolith kernel inspect debian", "  xenolith kernel inspect debian --symbols kernel.elf"})
  static final class Inspect implements Callable<Integer> {
    private final CommandContext context;

    @Parameters(paramLabel = "KERNEL", description = "A bzImage, a vmlinux or another ELF guest, or 'debian'.")
    private String kernel;

    @Option(
        names = "--symbols",
        paramLabel = "FILE",
        description = "Write an ELF file with the kernel's symbols and call frames (of its kallsyms and ORC tables) to FILE, for gdb.")
    private Path symbols;

    Inspect(CommandContext context) {
      this.context = context;
    }

    @Override
    public Integer call() {
      KernelImage image = context.image(kernel);
      if (symbols != null) {
        WholeFile file = new WholeFile("--symbols", symbols);
        try {
          file.write(SymbolFile.of(image));
        } catch (ImageException e) {
          throw CommandFailure.unusable(e.problem(), e.advice());
        }
      }
      context.out().print(ImageDescription.of(image));
      return ExitStatus.OK;
    }
  }
}
