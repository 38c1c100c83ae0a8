package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The script {@code bench/run}, as far as it goes without timing anything. */
class BenchTest {
  private static final Path BENCH = Path.of("..", "bench").toAbsolutePath().normalize();

  @TempDir private Path temp;

  private record Result(int status, String out, String err) {}

  @BeforeEach
  void needsPython() {
    boolean found;
    try {
      found = run("--version").status == 0;
    } catch (Exception e) {
      found = false;
    }
    assumeThat(found).as("python3 on the PATH").isTrue();
  }

  @Test
  void helpNamesEveryOption() throws Exception {
    Result result = run(BENCH.resolve("run").toString(), "--help");
    assertThat(result.status).isZero();
    assertThat(result.out).contains("--rounds", "--only", "--starts", "--jobs", "--out", "pv, bare, pvh, qemu, xen");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--rounds 0", "--rounds many", "--only pv,kvm", "--starts hot", "--jobs sleep", "--nonsense", "--out /proc/none"})
  void saysInALineWhatItCannotUse(String arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(BENCH.resolve("run").toString()));
    command.addAll(List.of(arguments.split(" ")));
    Result result = run(command.toArray(String[]::new));
    assertThat(result.status).isEqualTo(ExitStatus.USAGE);
    assertThat(result.out).isEmpty();
    String wrong = List.of(arguments.split("[ ,]")).getLast();
    assertThat(result.err.lines()).hasSize(2).first().asString().startsWith("bench/run: ").contains(wrong);
  }

  @Test
  void comparesTimesOfTheSameRoundWithTheTargets() throws Exception {
    Result result = results("""
        def boots(*seconds):
            return [{"seconds": s and {"boot": s, "boot from the first line": s / 2}, "processor_seconds": 9, "memory_mib": 900}
                    for s in seconds]
        rows = results.rows({"pv": boots(3, 1, 4, 5), "xen": boots(6, 2, 1, None)}, {"pv": "xen"}, [], 512)
        results.show(rows)
        """);
    assertThat(result.err).isEmpty();
    assertThat(result.out.lines()).hasSize(5);
    // Three rounds have both: 3/6, 1/2, 4/1. The medians of all rounds would give 3.5/2.
    assertThat(result.out)
        .containsPattern("pv +boot, cold +3\\.50 \\(1\\.00-5\\.00\\) s +xen +2\\.00 .* 0\\.50 \\(0\\.50-4\\.00\\) +0\\.60 met");
    assertThat(result.out).containsPattern("pv +from the first line, cold .* 0\\.50 \\(0\\.50-4\\.00\\) +-");
    assertThat(result.out).containsPattern("pv +processor time, whole run +9\\.00 s +xen +9\\.00 s +1\\.00 +-");
    assertThat(result.out).containsPattern("pv +peak memory, of its limit +900 MiB +limit +862 MiB +1\\.04 +1\\.00 MISSED");
  }

  @Test
  void drawsWhatItMeasured() throws Exception {
    Path picture = temp.resolve("picture.svg");
    Result result = results("""
        boots = [{"seconds": {"boot": 2, "boot from the first line": 1}, "processor_seconds": 9, "memory_mib": 400}]
        rows = results.rows({"pvh": boots, "qemu": boots}, {"pvh": "qemu"}, [], 512)
        results.picture(rows, "a <machine>; and its & versions", "%s")
        """.formatted(picture));
    assertThat(result.err).isEmpty();
    var svg = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(picture.toFile()).getDocumentElement();
    assertThat(svg.getTagName()).isEqualTo("svg");
    assertThat(svg.getTextContent()).contains("PVH, against QEMU", "boot, cold", "1.00", "target 1.50 met", "a <machine>;");
    assertThat(Files.readString(picture)).doesNotContain("NaN");
  }

  private Result results(String program) throws Exception {
    return run("-B", "-c", "import sys\nsys.path.insert(0, '" + BENCH + "')\nimport results\n" + program);
  }

  private Result run(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("python3"));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("XDG_CACHE_HOME", temp.toString());
    Process process = builder.redirectError(temp.resolve("err").toFile()).start();
    process.getOutputStream().close();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Result(process.waitFor(), out, Files.readString(temp.resolve("err")));
  }
}
