package org.xenolith.app;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** Makes a completion script for the fish shell from the definitions of the commands. */
final class FishCompletion {
  private final StringBuilder script = new StringBuilder();

  private FishCompletion() {}

  static String script(CommandSpec root) {
    FishCompletion completion = new FishCompletion();
    completion.command(root, List.of());
    return completion.script.toString();
  }

  private void command(CommandSpec command, List<String> path) {
    String here = condition(command, path);
    for (CommandLine child : command.subcommands().values()) {
      CommandSpec spec = child.getCommandSpec();
      line(here, "-f -a " + spec.name(), firstLine(spec.usageMessage().description()));
    }
    for (OptionSpec option : command.options()) {
      if (option.hidden()) {
        continue;
      }
      StringBuilder names = new StringBuilder();
      for (String name : option.names()) {
        names.append(name.startsWith("--") ? " -l " + name.substring(2) : " -s " + name.substring(1));
      }
      line(here, names.substring(1) + arguments(option), firstLine(option.description()));
    }
    for (PositionalParamSpec parameter : command.positionalParameters()) {
      if (parameter.completionCandidates() != null) {
        line(here, "-f -a " + quoted(String.join(" ", parameter.completionCandidates())), firstLine(parameter.description()));
      }
    }
    for (CommandLine child : command.subcommands().values()) {
      List<String> deeper = new ArrayList<>(path);
      deeper.add(child.getCommandName());
      command(child.getCommandSpec(), deeper);
    }
  }

  /** True while the words so far name exactly this command. */
  private static String condition(CommandSpec command, List<String> path) {
    List<String> terms = new ArrayList<>();
    path.forEach(word -> terms.add("__fish_seen_subcommand_from " + word));
    if (!command.subcommands().isEmpty()) {
      terms.add("not __fish_seen_subcommand_from " + String.join(" ", command.subcommands().keySet()));
    }
    return String.join("; and ", terms);
  }

  private static String arguments(OptionSpec option) {
    if (option.arity().max() == 0) {
      return "";
    }
    return option.completionCandidates() == null ? " -r" : " -x -a " + quoted(String.join(" ", option.completionCandidates()));
  }

  private void line(String condition, String what, String description) {
    script.append("complete -c xenolith");
    if (!condition.isEmpty()) {
      script.append(" -n ").append(quoted(condition));
    }
    script.append(' ').append(what).append(" -d ").append(quoted(description)).append('\n');
  }

  private static String firstLine(String[] description) {
    return description.length == 0 ? "" : description[0].replaceAll("\\$\\{[^}]*\\}", "").strip();
  }

  private static String quoted(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }
}
