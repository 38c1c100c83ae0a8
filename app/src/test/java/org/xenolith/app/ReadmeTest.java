package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Every command of the README runs: here, or in the test named beside it. */
class ReadmeTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  @Test
  void everyCommandRuns() throws Exception {
    List<String> commands = commands();
    assertThat(commands).contains("mvn verify");
    for (String command : commands) {
      if (command.equals("mvn verify")) {
        // This test is part of it; continuous integration runs the very words.
        assertThat(Files.readString(ROOT.resolve(".ci/run"))).containsPattern("(?m)^mvn .*\\bverify$");
        continue;
      }
      assertThat(command).as("a command that no test runs").startsWith("./xenolith ");
      XenolithProcess.Result result = XenolithProcess.run("exit\n", command.substring("./xenolith ".length()).split(" "));
      assertThat(result.status()).as("%s: %s", command, result.err()).isZero();
      assertThat(result.out()).isNotEmpty();
    }
  }

  /** The lines of its code blocks for the shell, without comments. */
  private static List<String> commands() throws IOException {
    List<String> commands = new ArrayList<>();
    boolean inside = false;
    for (String line : Files.readAllLines(ROOT.resolve("README.md"))) {
      if (line.startsWith("```")) {
        inside = line.equals("```sh");
      } else if (inside && !line.isBlank()) {
        commands.add(line.replaceFirst("\\s+#.*", "").strip());
      }
    }
    return commands;
  }
}
