package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.app.fetch.CacheFolder;
import org.xenolith.app.fetch.StockSystem;

/** The system's gdb attached to the stock kernel. */
@Timeout(900)
class GdbTest {
  @TempDir static Path temp;
  private static String kernel;
  private static Path symbols;
  private static String initrd;

  @BeforeAll
  static void findGdbAndKernel() throws Exception {
    assumeTrue(Stream.of(System.getenv("PATH").split(File.pathSeparator)).anyMatch(folder -> Files.isExecutable(Path.of(folder, "gdb"))));
    Progress quiet = new Progress(new PrintStream(new ByteArrayOutputStream()), false);
    StockSystem system = new StockSystem(CacheFolder.ofUser(System.getenv()), quiet, System.getenv("PATH"));
    Path given = Path.of(System.getProperty("xenolith.test.kernel", "none"));
    kernel = (Files.isReadable(given) ? given : system.kernel()).toString();
    initrd = Files.write(temp.resolve("initrd"), new byte[4096]).toString();
    symbols = temp.resolve("kernel.elf");
    assertThat(XenolithProcess.run("", "kernel", "inspect", kernel, "--symbols", symbols.toString()).status()).isZero();
  }

  @Test
  void aDebuggedGuestPowersOffAndItsDigestIsThatOfAnUndebuggedOne() throws Exception {
    Session session = debug(
        List.of("boot", kernel, "--quiet", "--vcpus", "2"),
        "break start_kernel", "continue", "info registers rip cs cr3 gs_base", "stepi", "x/i $pc", "info threads", "nexti", "nexti",
        "break rest_init", "continue", "bt", "delete", "monitor walk ffffffff81000000", "continue");
    assertThat(session.gdb)
        .contains("hit Breakpoint 1, ", " in start_kernel ()", "cs             0xe033", "=> 0x")
        .contains("Thread 1 \"vcpu0\" (runnable)", "Thread 2 \"vcpu1\" (down)")
        .contains(" in rest_init ()", " in arch_call_rest_init ()", " in startup_xen ()", "page: mfn 0x", "exited normally");
    assertThat(session.xenolith.status()).isZero();
    assertThat(digest(session.xenolith)).isEqualTo(digest(XenolithProcess.run("", arguments("boot", kernel, "--quiet", "--vcpus", "2"))));
  }

  @ParameterizedTest
  @ValueSource(strings = {"pv", "pvh", "bare"})
  void breaksInStartKernelInEveryModeAndChangesNothing(String mode) throws Exception {
    String[] options = {"boot", kernel, "--quiet", "--mode", mode, "--initrd", initrd, "--max-instructions", "60000000"};
    Session session = debug(
        List.of(options), "hbreak start_kernel", "continue", "watch *(int *) &system_state", "x/2i $pc", "stepi", "stepi", "delete",
        "continue");
    assertThat(session.gdb).contains(" in start_kernel ()", "Hardware watchpoint 2", "exited with code 05");
    assertThat(digest(session.xenolith)).isEqualTo(digest(XenolithProcess.run("", arguments(options))));
  }

  private record Session(String gdb, XenolithProcess.Result xenolith) {}

  /** Boots with gdb attached, which does what it is told, one command after the other. */
  private static Session debug(List<String> boot, String... commands) throws Exception {
    Path socket = temp.resolve("gdb.socket");
    List<String> debugged = new ArrayList<>(boot);
    debugged.addAll(List.of("--gdb", socket.toString()));
    CompletableFuture<XenolithProcess.Result> xenolith =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return XenolithProcess.run("", arguments(debugged.toArray(String[]::new)));
              } catch (IOException | InterruptedException e) {
                throw new UncheckedIOException(new IOException(e));
              }
            });
    while (!Files.exists(socket) && !xenolith.isDone()) {
      Thread.sleep(20);
    }
    List<String> gdb = new ArrayList<>(List.of("gdb", "-nx", "-batch", "-ex", "set confirm off", "-ex", "target remote " + socket));
    for (String command : commands) {
      gdb.addAll(List.of("-ex", command));
    }
    gdb.add(symbols.toString());
    Process process = new ProcessBuilder(gdb).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(output).isZero();
    return new Session(output, xenolith.get());
  }

  private static String[] arguments(String... some) {
    List<String> all = new ArrayList<>(List.of(some));
    all.addAll(List.of("--summary", "json"));
    return all.toArray(String[]::new);
  }

  private static String digest(XenolithProcess.Result result) throws IOException {
    return (String) JSON.std.mapFrom(result.out().lines().reduce((first, second) -> second).orElseThrow()).get("digest");
  }
}
