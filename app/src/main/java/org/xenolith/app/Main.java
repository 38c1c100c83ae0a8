package org.xenolith.app;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParameterException;

/** The program {@code xenolith}. */
@Command(
    name = "xenolith",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    description = "Carries a Xen machine inside a JVM, boots unmodified kernels on it, and watches the paravirt interface while it does.",
    synopsisSubcommandLabel = "COMMAND",
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:The guest powered off, or the command did what it was asked.",
      "1:The guest crashed or panicked.",
      "2:Wrong usage, or input that cannot be used.",
      "3:The guest broke a rule of the hypervisor.",
      "4:Something was met or asked for that this version does not implement.",
      "5:A limit was reached.",
      "70:A defect of this program."
    },
    footerHeading = "%nExample:%n",
    footer = "  xenolith boot     boot Debian's stock kernel to user space")
public final class Main implements Runnable {
  private static final List<Class<?>> COMMANDS =
      List.of(
          BootCommand.class,
          CheckCommand.class,
          CreateCommand.class,
          KernelCommand.class,
          CompletionCommand.class,
          ManualCommand.class);

  private final CommandContext context;
  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  Main(CommandContext context) {
    this.context = context;
  }

  public static void main(String[] arguments) {
    System.exit(run(context(System.out), arguments));
  }

  /** The surroundings of this process, but for where its output goes. */
  static CommandContext context(PrintStream out) {
    boolean terminal = StandardStreams.isTerminal(StandardStreams.ERR) && !"dumb".equals(System.getenv("TERM"));
    return new CommandContext(out, System.err, System.getenv(), terminal);
  }

  /** Runs one command and returns the exit status; everything it prints goes to the streams of the context. */
  static int run(CommandContext context, String... arguments) {
    return commandLine(context, needed(arguments)).execute(arguments);
  }

  /** The commands whose definitions are needed for these arguments: to read those of all takes 50 ms more. */
  private static List<Class<?>> needed(String... arguments) {
    return switch (arguments.length == 0 ? "" : arguments[0]) {
      case "boot" -> List.of(BootCommand.class);
      case "check" -> List.of(CheckCommand.class);
      case "create" -> List.of(CreateCommand.class);
      default -> COMMANDS;
    };
  }

  /** The definitions from which parsing, help, completion and the manual page are made. */
  static CommandLine commandLine(CommandContext context) {
    return commandLine(context, COMMANDS);
  }

  private static CommandLine commandLine(CommandContext context, List<Class<?>> commands) {
    CommandLine.IFactory factory = new CommandFactory(context);
    CommandLine line = new CommandLine(new Main(context), factory);
    commands.forEach(line::addSubcommand);
    line.getSubcommands().forEach((name, command) -> hideRefused(command.getCommandSpec()));
    line.setOut(new PrintWriter(context.out(), true, StandardCharsets.UTF_8));
    line.setErr(new PrintWriter(context.err(), true, StandardCharsets.UTF_8));
    line.setUsageHelpWidth(110);
    line.setUsageHelpLongOptionsMaxWidth(28);
    line.setAbbreviatedOptionsAllowed(false);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExitCodeExceptionMapper(failure -> ExitStatus.DEFECT);
    line.setParameterExceptionHandler((failure, given) -> wrongUsage(context.err(), failure));
    line.setExecutionExceptionHandler((failure, command, parsed) -> failed(context.err(), command, failure));
    return line;
  }

  /** Options that a command shares with others but refuses are understood, so that it can say why, but not offered. */
  private static void hideRefused(CommandLine.Model.CommandSpec command) {
    List<String> refused = switch (command.userObject()) {
      case CheckCommand check -> CheckCommand.REFUSED;
      case CreateCommand create -> CreateCommand.REFUSED;
      default -> List.of();
    };
    for (String name : refused) {
      CommandLine.Model.OptionSpec option = command.findOption(name);
      command.remove(option);
      command.addOption(CommandLine.Model.OptionSpec.builder(option).hidden(true).build());
    }
  }

  @Override
  public void run() {
    spec.commandLine().usage(context.out());
  }

  private static int wrongUsage(PrintStream err, ParameterException failure) {
    String command = failure.getCommandLine().getCommandSpec().qualifiedName();
    print(err, command, firstLine(failure.getMessage()), "see '" + command + " --help'");
    return ExitStatus.USAGE;
  }

  private static int failed(PrintStream err, CommandLine command, Exception failure) {
    String name = command.getCommandSpec().qualifiedName();
    if (failure instanceof CommandFailure known) {
      print(err, name, known.getMessage(), known.remedy());
      return known.status();
    }
    print(err, name, "defect of this program: " + failure, "please report it with what follows");
    failure.printStackTrace(err);
    return ExitStatus.DEFECT;
  }

  private static void print(PrintStream err, String command, String message, String remedy) {
    err.println(command + ": " + message);
    remedy.lines().forEach(line -> err.println("  " + line));
  }

  private static String firstLine(String text) {
    return text == null ? "wrong usage" : text.lines().findFirst().orElse("wrong usage");
  }

  /** Makes the commands, which all take the context. */
  private record CommandFactory(CommandContext context) implements CommandLine.IFactory {
    @Override
    public <K> K create(Class<K> type) throws Exception {
      for (var constructor : type.getDeclaredConstructors()) {
        if (constructor.getParameterCount() == 1 && constructor.getParameterTypes()[0] == CommandContext.class) {
          return type.cast(constructor.newInstance(context));
        }
      }
      return CommandLine.defaultFactory().create(type);
    }
  }
}
