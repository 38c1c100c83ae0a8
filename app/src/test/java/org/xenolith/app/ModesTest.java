package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.app.fetch.CacheFolder;
import org.xenolith.app.fetch.StockSystem;
import org.xenolith.app.guest.Initramfs;

/** The same kernel, booted in every mode, with one processor and with several. */
@Timeout(900)
class ModesTest {
  /** Shells that hash and fork on every processor; then a thousand seconds in which nothing happens. */
  private static final String WORK =
      """
      #!/bin/busybox sh
      /bin/busybox mount -t devtmpfs devtmpfs /dev
      /bin/busybox mount -t proc proc /proc
      /bin/busybox --install -s /bin
      export PATH=/bin
      echo "PROCESSORS $(nproc)"
      work() {
        i=0
        while [ $i -lt 8 ]; do
          dd if=/dev/zero bs=4k count=32 2>/dev/null | sha256sum >> /tmp/$1
          (exit 7) || i=$((i + 1))
        done
      }
      k=0
      while [ $k -lt $((2 * $(nproc))) ]; do work $k & k=$((k + 1)); done
      wait
      echo HASHES $(cat /tmp/* | sort | uniq -c)
      before=$(cut -d. -f1 /proc/uptime); sleep 1000; after=$(cut -d. -f1 /proc/uptime)
      echo "SLEPT $((after - before))"
      echo "GUEST-READY $(uname -a)"
      poweroff -f
      """;

  @TempDir static Path temp;
  private static String kernel;
  private static Path work;

  @BeforeAll
  static void findKernel() throws Exception {
    Progress quiet = new Progress(new PrintStream(new ByteArrayOutputStream()), false);
    StockSystem system = new StockSystem(CacheFolder.ofUser(System.getenv()), quiet, System.getenv("PATH"));
    Path given = Path.of(System.getProperty("xenolith.test.kernel", "none"));
    kernel = (Files.isReadable(given) ? given : system.kernel()).toString();
    work = Files.write(temp.resolve("work"), Initramfs.with(Files.readAllBytes(system.busybox()), WORK));
  }

  @ParameterizedTest
  @CsvSource({
    "bare, Booting paravirtualized kernel on bare hardware",
    "pv, Booting kernel on Xen",
    "pvh, Booting kernel on Xen PVH"
  })
  void processorsShareWorkAndItIsDoneRight(String mode, String greeting) throws Exception {
    XenolithProcess.Result result = boot(mode, 2, "--initrd", work.toString());
    assertThat(result.status()).as(result.err()).isZero();
    String log = result.out();
    assertThat(log).contains(greeting).contains("Brought up 1 node, 2 CPUs").contains("PROCESSORS 2");
    assertThat(log).contains("HASHES 32 " + hashOfZeros(32 * 4096)).contains("GUEST-READY Linux");
    assertThat(log).containsPattern("SLEPT 100[01]");
    assertThat(complaints(log)).isEmpty();
    List<Long> user = userInstructions(summary(result));
    double mean = user.stream().mapToLong(Long::longValue).average().orElseThrow();
    assertThat(user).allSatisfy(count -> assertThat((double) count).isBetween(0.8 * mean, 1.2 * mean));
  }

  @ParameterizedTest
  @ValueSource(strings = {"bare", "pv", "pvh"})
  void equalRunsHaveEqualDigests(String mode) throws Exception {
    assertThat(summary(boot(mode, 2, "--max-instructions", "400000000")).get("digest"))
        .isEqualTo(summary(boot(mode, 2, "--max-instructions", "400000000")).get("digest"));
  }

  @SuppressWarnings("unchecked")
  private static List<Long> userInstructions(Map<String, Object> summary) {
    List<Map<String, Object>> processors = (List<Map<String, Object>>) summary.get("processors");
    return processors.stream().map(processor -> ((Number) processor.get("user_instructions")).longValue()).toList();
  }

  /** What real machines make it say, too: no PIT in a Xen guest, a host bridge from ACPI, no IOMMU, no registers of machine checks. */
  private static final String USUAL =
      ".*(Fast TSC calibration failed|if necessary, use \"pci=nocrs\" and report a bug|This is not a bug|Unable to init MCE device).*";

  /** What a kernel says when the machine under it is not as it should be. */
  private static List<String> complaints(String log) {
    return log.lines()
        .filter(line -> line.matches("(?i).*(warning|unexpected|\\bbug\\b|error|failed|unable|spurious|\\bstall).*"))
        .filter(line -> line.startsWith("[") && !line.matches(USUAL))
        .toList();
  }

  private static String hashOfZeros(int length) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(new byte[length]));
  }

  private static Map<String, Object> summary(XenolithProcess.Result result) throws Exception {
    return JSON.std.mapFrom(result.out().lines().reduce((first, second) -> second).orElseThrow());
  }

  private static XenolithProcess.Result boot(String mode, int vcpus, String... options) throws Exception {
    String[] all = new String[options.length + 8];
    System.arraycopy(
        new String[] {"boot", kernel, "--mode", mode, "--vcpus", Integer.toString(vcpus), "--summary", "json"}, 0, all, 0, 8);
    System.arraycopy(options, 0, all, 8, options.length);
    return XenolithProcess.run("", all);
  }
}
