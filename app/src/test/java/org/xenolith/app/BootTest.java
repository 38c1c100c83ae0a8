package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.app.fetch.CacheFolder;
import org.xenolith.app.fetch.StockSystem;

/** Booting the stock kernel, as a user does it. */
@Timeout(600)
class BootTest {
  /** Well into the kernel's own initialisation, and soon reached. */
  private static final String A_WHILE = "60000000";

  @TempDir static Path temp;
  private static String kernel;
  private static String initrd;

  @BeforeAll
  static void findKernel() throws IOException {
    Progress quiet = new Progress(new PrintStream(new ByteArrayOutputStream()), false);
    StockSystem system = new StockSystem(CacheFolder.ofUser(System.getenv()), quiet, System.getenv("PATH"));
    Path given = Path.of(System.getProperty("xenolith.test.kernel", "none"));
    kernel = (Files.isReadable(given) ? given : system.kernel()).toString();
    initrd = Files.write(temp.resolve("initrd"), new byte[4096]).toString();
  }

  @Test
  void stockKernelReachesUserSpaceAndPowersOff() throws Exception {
    Path file = temp.resolve("report.json");
    XenolithProcess.Result result = XenolithProcess.run("", "boot", kernel, "--summary", "json", "--report", file.toString());
    assertThat(result.out()).contains("Hypervisor detected: Xen PV").contains("Booting kernel on Xen").contains("GUEST-READY Linux");
    assertThat(result.status()).isZero();
    String summary = result.out().lines().reduce((first, second) -> second).orElseThrow();
    Map<String, Object> report = JSON.std.mapFrom(summary);
    assertThat(report).containsEntry("outcome", "poweroff").containsEntry("mode", "pv").containsEntry("engine", "translator");
    assertThat(((Number) report.get("peak_rss_bytes")).longValue()).isLessThan((512L + 400) << 20);
    assertThat(((Number) report.get("instructions")).longValue()).isGreaterThan(100_000_000L);
    assertThat((String) report.get("digest")).matches("[0-9a-f]{16,}");
    assertThat(Files.readString(file).strip()).isEqualTo(summary);
  }

  @Test
  void shellAnswersWhatIsTyped() throws Exception {
    XenolithProcess.Result result = XenolithProcess.run("echo $((6 * 7))-and-more\nexit\n", "boot", kernel, "--shell", "--summary", "none");
    assertThat(result.out()).contains("GUEST-READY Linux").contains("42-and-more");
    assertThat(result.status()).isZero();
  }

  @Test
  void equalRunsHaveEqualDigestsAndAnyChangeAnotherOne() throws Exception {
    String digest = digest("--initrd", initrd);
    assertThat(digest("--initrd", initrd)).isEqualTo(digest);
    assertThat(digest("--initrd", initrd, "--engine", "interpreter")).isEqualTo(digest);
    assertThat(digest("--initrd", initrd, "--engine", "lockstep")).isEqualTo(digest);
    Path other = Files.write(temp.resolve("other"), Files.readAllBytes(Path.of(initrd)));
    byte[] changed = Files.readAllBytes(other);
    changed[100] ^= 1;
    assertThat(digest("--initrd", Files.write(other, changed).toString())).isNotEqualTo(digest);
    assertThat(digest("--initrd", initrd, "--append", "x")).isNotEqualTo(digest);
    assertThat(digest("--initrd", initrd, "--memory", "511M")).isNotEqualTo(digest);
    assertThat(digest("--initrd", initrd, "--seed", "1")).isNotEqualTo(digest);
  }

  @Test
  void limitEndsTheRunThereWithItsOwnStatus() throws Exception {
    XenolithProcess.Result result = run("--initrd", initrd, "--max-instructions", "1000000");
    assertThat(result.status()).isEqualTo(ExitStatus.LIMIT);
    Map<String, Object> report = JSON.std.mapFrom(result.out());
    assertThat(report).containsEntry("outcome", "limit").containsEntry("virtual_ns", 1_000_000);
    // Exits count for the limit, too, and a limit is kept to the count.
    assertThat((int) report.get("instructions")).isBetween(900_000, 1_000_000);
  }

  @Test
  void stopAtShowsWhereTheProcessorWas() throws Exception {
    XenolithProcess.Result result = run("--initrd", initrd, "--stop-at", "5000000");
    assertThat(result.status()).isEqualTo(ExitStatus.LIMIT);
    assertThat(result.err()).contains("count 5000000").containsPattern("rip [0-9a-f]{16} \\w+").contains("L4[").contains("last blocks");
  }

  @Test
  void pageTablesAreDumpedAsTheyAreAtTheEnd() throws Exception {
    Path tables = temp.resolve("tables");
    run("--initrd", initrd, "--max-instructions", "1000", "--page-tables", tables.toString());
    // Xen's table of frames, and the kernel's text where it linked itself.
    assertThat(Files.readString(tables)).contains("ffff800000000000").contains("ffffffff81000000");
  }

  @Test
  void traceHoldsEveryInstruction() throws Exception {
    Path trace = temp.resolve("trace");
    run("--initrd", initrd, "--max-instructions", "1000", "--trace", trace.toString());
    assertThat(Files.readAllLines(trace).stream().filter(line -> !line.startsWith(" "))).hasSize(1000);
  }

  @Test
  void aKernelWithoutAFileSystemPanicsAndThatIsACrash() throws Exception {
    XenolithProcess.Result result = XenolithProcess.run("", "boot", kernel, "--initrd", initrd, "--append", "panic=1");
    assertThat(result.out()).contains("Kernel panic");
    assertThat(result.status()).isEqualTo(ExitStatus.GUEST_CRASHED);
    assertThat(result.err()).contains("last blocks");
  }

  @Test
  void badInputIsOneLineWithTheRemedyAndStatusTwo() throws Exception {
    Path text = Files.writeString(temp.resolve("text"), "no kernel");
    String[][] all = {
      {"boot", text.toString(), "--initrd", initrd},
      {"boot", kernel, "--initrd", temp.resolve("none").toString()},
      {"boot", kernel, "--initrd", initrd, "--memory", "8M"},
      {"boot", kernel, "--initrd", initrd, "--memory", "9000000G"},
      {"boot", kernel, "--initrd", initrd, "--vcpus", "0"},
    };
    for (String[] arguments : all) {
      XenolithProcess.Result result = XenolithProcess.run("", arguments);
      assertThat(result.status()).as(String.join(" ", arguments)).isEqualTo(ExitStatus.USAGE);
      assertThat(result.out()).isEmpty();
      assertThat(result.err()).startsWith("xenolith boot: ").doesNotContain("\tat ");
      assertThat(result.err().lines().count()).as(result.err()).isLessThan(4);
    }
  }

  private static String digest(String... options) throws Exception {
    String[] all = java.util.Arrays.copyOf(options, options.length + 2);
    all[options.length] = "--max-instructions";
    all[options.length + 1] = A_WHILE;
    return (String) JSON.std.mapFrom(run(all).out()).get("digest");
  }

  private static XenolithProcess.Result run(String... options) throws Exception {
    String[] all = new String[options.length + 5];
    System.arraycopy(new String[] {"boot", kernel, "--quiet", "--summary", "json"}, 0, all, 0, 5);
    System.arraycopy(options, 0, all, 5, options.length);
    return XenolithProcess.run("", all);
  }
}
