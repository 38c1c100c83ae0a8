package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class MainTest {
  @TempDir Path temp;

  private record Result(int status, String out, String err) {}

  @Test
  void wrongUsageIsOneLineTheWayToHelpAndStatusTwo() {
    for (String[] arguments : new String[][] {{"bogus"}, {"--bogus"}, {"kernel"}, {"kernel", "inspect"}, {"completion", "tcsh"}}) {
      Result result = run(arguments);
      assertThat(result.status).as(String.join(" ", arguments)).isEqualTo(ExitStatus.USAGE);
      assertThat(result.out).isEmpty();
      assertThat(result.err.lines()).hasSize(2);
      assertThat(result.err).startsWith("xenolith").contains("--help'").doesNotContain("Exception");
    }
  }

  @Test
  void withoutACommandItTellsHowToUseIt() {
    Result result = run();
    assertThat(result.status).isZero();
    assertThat(result.out).contains("Usage: xenolith").contains("kernel").contains("completion");
  }

  @Test
  void everyCommandHasHelpWithAnExample() {
    for (List<String> command : commands(Main.commandLine(context(System.out, System.err)), List.of())) {
      List<String> arguments = new ArrayList<>(command);
      arguments.add("--help");
      Result result = run(arguments.toArray(String[]::new));
      assertThat(result.status).isZero();
      assertThat(result.out).as(String.join(" ", command)).contains("Usage: xenolith").containsPattern("Examples?:\\n  \\S");
      assertThat(result.err).isEmpty();
    }
  }

  @Test
  void helpOffersNoOptionThatTheCommandRefuses() {
    assertThat(run("check", "--help").out).contains("--memory").doesNotContain("--gdb").doesNotContain("--shell").doesNotContain("--mode");
    assertThat(run("create", "--help").out).contains("--gdb").doesNotContain("--memory").doesNotContain("--append");
    assertThat(run("boot", "--help").out).contains("--gdb").contains("--memory");
    assertThat(run("check", "--shell", "kernel").status).isEqualTo(ExitStatus.USAGE);
    assertThat(run("completion", "fish").out + run("completion", "bash").out).contains("--gdb").contains("--keep-going");
  }

  @Test
  void versionIsTheOneOfTheBuild() {
    assertThat(run("--version").out).matches("xenolith \\d+\\.\\d+\\.\\d+(-SNAPSHOT)? \\(Java .*\\)\\n");
  }

  @Test
  void helpIsNotColouredIntoAPipe() {
    assertThat(run("--help").out).doesNotContain("\033");
  }

  @Test
  void aFileThatIsNoKernelIsNamedWithTheRemedy() throws Exception {
    Path file = Files.writeString(temp.resolve("notes.txt"), "hello, I am not a kernel");
    Result result = run("kernel", "inspect", file.toString());
    assertThat(result.status).isEqualTo(ExitStatus.USAGE);
    assertThat(result.out).isEmpty();
    assertThat(result.err.lines().findFirst().orElseThrow()).contains(file.toString()).contains("not a kernel");
    assertThat(result.err.lines()).hasSize(2);
  }

  @Test
  void aFileThatIsNotThereIsNamed() {
    Result result = run("kernel", "inspect", temp.resolve("none").toString());
    assertThat(result.status).isEqualTo(ExitStatus.USAGE);
    assertThat(result.err).contains(temp.resolve("none").toString()).contains("no such file");
  }

  @Test
  void optionsWithValuesThatCannotBeAreWrongUsage() {
    String[][] all = {
      {"--memory", "12Q"}, {"--memory", "-1"}, {"--memory", "999999999999999G"}, {"--vcpus", "0"}, {"--vcpus", "x"},
      {"--max-instructions", "0"}, {"--stop-at", "-5"},
      {"--summary", "xml"}, {"--unknown", "guess"}, {"--mode", "hvm"}, {"--report", "run.pdf"}
    };
    for (String[] option : all) {
      Result result = run("boot", option[0], option[1], "kernel");
      assertThat(result.status).as(option[0]).isEqualTo(ExitStatus.USAGE);
      assertThat(result.out).isEmpty();
      assertThat(result.err).contains(option[0]);
      assertThat(result.err.lines()).hasSize(2);
    }
    assertThat(run("boot", "--shell", "--quiet", "kernel").status).isEqualTo(ExitStatus.USAGE);
  }

  @Test
  void sizesAreBytesOrPowersOfTwoOfThem() {
    SizeConverter converter = new SizeConverter();
    assertThat(converter.convert("512M")).isEqualTo(512L << 20);
    assertThat(converter.convert("4g")).isEqualTo(4L << 30);
    assertThat(converter.convert("64KiB")).isEqualTo(64L << 10);
    assertThat(converter.convert("4096")).isEqualTo(4096);
  }

  @Test
  void manualNamesEveryCommandAndOption() {
    String page = run("manual").out;
    assertThat(page).startsWith(".TH XENOLITH 1");
    for (List<String> command : commands(Main.commandLine(context(System.out, System.err)), List.of())) {
      CommandLine line = Main.commandLine(context(System.out, System.err));
      for (String name : command) {
        line = line.getSubcommands().get(name);
      }
      if (line.getSubcommands().isEmpty()) {
        assertThat(page).contains(".SS \"xenolith " + String.join(" ", command).replace("-", "\\-"));
      }
    }
    // A line that begins with a dot and no macro would vanish from the page.
    assertThat(page.lines().filter(line -> line.startsWith("."))).allMatch(line -> line.matches("\\.(TH|SH|SS|P|TP|B|nf|fi)( .*)?"));
  }

  @Test
  void completionScriptsNameEveryCommand() {
    for (String shell : List.of("bash", "zsh", "fish")) {
      Result result = run("completion", shell);
      assertThat(result.status).isZero();
      assertThat(result.out).contains("kernel").contains("fetch").contains("completion").contains("help");
    }
  }

  @Test
  void bashTakesTheCompletionScript() throws Exception {
    Process bash = new ProcessBuilder("bash", "-n").redirectErrorStream(true).start();
    bash.getOutputStream().write(run("completion", "bash").out.getBytes(StandardCharsets.UTF_8));
    bash.getOutputStream().close();
    assertThat(new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8)).isEmpty();
    assertThat(bash.waitFor()).isZero();
  }

  private static List<List<String>> commands(CommandLine line, List<String> path) {
    List<List<String>> all = new ArrayList<>();
    all.add(path);
    line.getSubcommands().forEach((name, child) -> {
      List<String> deeper = new ArrayList<>(path);
      deeper.add(name);
      all.addAll(commands(child, deeper));
    });
    return all;
  }

  private CommandContext context(PrintStream out, PrintStream err) {
    return new CommandContext(out, err, Map.of("XDG_CACHE_HOME", temp.toString(), "PATH", ""), false);
  }

  private Result run(String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int status = Main.run(context(new PrintStream(out, true), new PrintStream(err, true)), arguments);
    return new Result(status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }
}
