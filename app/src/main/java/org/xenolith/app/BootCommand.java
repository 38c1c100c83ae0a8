package org.xenolith.app;

import java.util.concurrent.Callable;
import org.xenolith.app.guest.GuestInitrd;
import org.xenolith.image.KernelImage;
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
    GuestRun run = new GuestRun(context, options);
    KernelImage image = context.image(kernel);
    return run.of(new BootPlan(image, GuestInitrd.of(options.initrd, options.shell, context.stockSystem()), options));
  }
}
