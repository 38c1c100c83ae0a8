package org.xenolith.app;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** {@code xenolith manual}: the manual page, made from the definitions of the commands. */
@Command(
    name = "manual",
    mixinStandardHelpOptions = true,
    description = "Prints the manual page xenolith(1), made from the same definitions as --help.",
    footerHeading = "%nExample:%n",
    footer = "  xenolith manual | man -l -")
final class ManualCommand implements Callable<Integer> {
  private final CommandContext context;
  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  ManualCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    context.out().print(ManualPage.of(spec.root()));
    context.out().flush();
    return ExitStatus.OK;
  }
}
