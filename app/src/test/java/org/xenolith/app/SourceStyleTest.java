package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the formatter's steps cannot see, since they do not parse Java. */
class SourceStyleTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final int MOST_COLUMNS = 140;
  private static final Pattern IMPORT = Pattern.compile("^import (?:static )?[\\w.]*\\.(\\w+);$");
  private static final List<String> MODULES = List.of("image", "isa", "cpu", "translator", "machine", "xen", "insight", "app");

  /** They lie in the packages of what they measure. */
  private static final String BENCHMARKS = "bench";

  @Test
  void noLineIsTooLong() throws IOException {
    List<String> found = new ArrayList<>();
    for (Path file : sources()) {
      List<String> lines = Files.readAllLines(file);
      for (int i = 0; i < lines.size(); i++) {
        if (lines.get(i).length() > MOST_COLUMNS) {
          found.add("%s:%d has %d columns".formatted(ROOT.relativize(file), i + 1, lines.get(i).length()));
        }
      }
    }
    assertThat(found).isEmpty();
  }

  @Test
  void everyImportIsUsed() throws IOException {
    List<String> found = new ArrayList<>();
    for (Path file : sources()) {
      String text = Files.readString(file);
      String body = text.lines().filter(line -> !line.startsWith("import ")).reduce("", (a, b) -> a + "\n" + b);
      for (String line : text.lines().toList()) {
        Matcher matcher = IMPORT.matcher(line);
        if (matcher.matches()) {
          String name = matcher.group(1);
          if (!Pattern.compile("\\b" + name + "\\b").matcher(body).find()) {
            found.add(ROOT.relativize(file) + ": " + line);
          }
        }
      }
    }
    assertThat(found).isEmpty();
  }

  @Test
  void aPackageStaysInItsModule() throws IOException {
    for (Path file : sources()) {
      String module = ROOT.relativize(file).getName(0).toString();
      if (module.equals(BENCHMARKS)) {
        continue;
      }
      assertThat(Files.readString(file)).as(file.toString()).containsPattern("(?m)^package org\\.xenolith\\." + module + "[.;]");
    }
  }

  private static List<Path> sources() throws IOException {
    List<Path> sources = new ArrayList<>();
    for (String module : Stream.concat(MODULES.stream(), Stream.of(BENCHMARKS)).toList()) {
      for (String kind : List.of("main", "test")) {
        Path folder = ROOT.resolve(module).resolve("src").resolve(kind).resolve("java");
        if (Files.isDirectory(folder)) {
          try (Stream<Path> files = Files.walk(folder)) {
            files.filter(file -> file.toString().endsWith(".java")).forEach(sources::add);
          }
        }
      }
    }
    assertThat(sources).hasSizeGreaterThan(20);
    return sources;
  }
}
