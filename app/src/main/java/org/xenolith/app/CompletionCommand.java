package org.xenolith.app;

import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code xenolith completion}: a script that completes commands and options in a shell. */
@Command(
    name = "completion",
    mixinStandardHelpOptions = true,
    description = "Prints a script that completes commands and options in a shell.",
    footerHeading = "%nExample:%n",
    footer = "  source <(xenolith completion bash)")
final class CompletionCommand implements Callable<Integer> {
  /** The shells for which there is a script. */
  enum Shell {
    bash,
    zsh,
    fish
  }

  private final CommandContext context;
  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Parameters(paramLabel = "SHELL", description = "${COMPLETION-CANDIDATES}")
  private Shell shell;

  CompletionCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    CommandLine root = spec.root().commandLine();
    // The script for bash serves zsh as well: it loads zsh's bashcompinit itself.
    context.out().print(shell == Shell.fish ? FishCompletion.script(root.getCommandSpec()) : AutoComplete.bash("xenolith", root));
    context.out().flush();
    return ExitStatus.OK;
  }
}
