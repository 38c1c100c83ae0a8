package org.xenolith.app;

import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** Writes the definitions of the commands as a manual page in the man(7) macros. */
final class ManualPage {
  private final StringBuilder page = new StringBuilder();

  private ManualPage() {}

  static String of(CommandSpec root) {
    ManualPage manual = new ManualPage();
    manual.macro("TH XENOLITH 1 \"\" \"xenolith " + Version.current() + "\" \"User Commands\"");
    manual.macro("SH NAME");
    manual.text("xenolith - a Xen machine inside a JVM");
    manual.macro("SH SYNOPSIS");
    manual.text("xenolith COMMAND [OPTION]... [ARGUMENT]...");
    manual.macro("SH DESCRIPTION");
    manual.paragraphs(root.usageMessage().description());
    manual.macro("SH COMMANDS");
    root.subcommands().values().forEach(command -> manual.command(command));
    manual.macro("SH EXIT STATUS");
    for (Map.Entry<String, String> status : root.usageMessage().exitCodeList().entrySet()) {
      manual.item(status.getKey(), status.getValue());
    }
    manual.macro("SH ENVIRONMENT");
    manual.item("XDG_CACHE_HOME", "Where fetched kernels are kept, in a folder named xenolith; ~/.cache when it is not set.");
    manual.item("NO_COLOR", "When set, nothing is printed in colour.");
    manual.item("JAVA_HOME", "A JDK to run on, looked at before the usual places.");
    return manual.page.toString();
  }

  private void command(CommandLine line) {
    CommandSpec spec = line.getCommandSpec();
    if (!spec.subcommands().isEmpty()) {
      spec.subcommands().values().forEach(this::command);
      return;
    }
    String synopsis = line.getHelp().synopsis(0).strip();
    macro("SS " + quoted(Ansi.OFF.string(synopsis)));
    paragraphs(spec.usageMessage().description());
    for (PositionalParamSpec parameter : spec.positionalParameters()) {
      item(parameter.paramLabel(), joined(parameter.renderedDescription()));
    }
    for (OptionSpec option : spec.options()) {
      if (option.hidden()) {
        continue;
      }
      String label = option.arity().max() == 0 ? "" : " " + option.paramLabel();
      item(String.join(", ", option.names()) + label, joined(option.renderedDescription()));
    }
    if (spec.usageMessage().footer().length > 0) {
      macro("P");
      text("Example:");
      macro("nf");
      for (String example : spec.usageMessage().footer()) {
        text(Ansi.OFF.string(example));
      }
      macro("fi");
    }
  }

  private void paragraphs(String[] paragraphs) {
    for (String paragraph : paragraphs) {
      macro("P");
      text(Ansi.OFF.string(paragraph));
    }
  }

  private static String joined(String[] lines) {
    return Ansi.OFF.string(String.join(" ", lines)).strip();
  }

  private void item(String term, String meaning) {
    macro("TP");
    macro("B " + quoted(term));
    text(meaning);
  }

  private void macro(String line) {
    page.append('.').append(line).append('\n');
  }

  private void text(String line) {
    String escaped = escaped(line);
    // A line that begins with a dot or an apostrophe would be taken for a macro.
    page.append(escaped.startsWith(".") || escaped.startsWith("'") ? "\\&" : "").append(escaped).append('\n');
  }

  private static String escaped(String text) {
    return text.replace("\\", "\\e").replace("-", "\\-");
  }

  private static String quoted(String text) {
    return "\"" + escaped(text).replace("\"", "\\(dq") + "\"";
  }
}
