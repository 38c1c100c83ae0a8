package org.xenolith.app;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The program in a process of its own, as a user runs it: real exit status, real standard streams. */
final class XenolithProcess {
  /** The flags that the launcher script gives to java. */
  private static final List<String> FLAGS = List.of("--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC", "-Xms64m", "-Xmx320m");

  /** What a finished process left behind. */
  record Result(int status, String out, String err) {}

  private XenolithProcess() {}

  static List<String> command(String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(FLAGS);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(List.of(arguments));
    return command;
  }

  /** Runs it to its end with {@code input} on standard input. */
  static Result run(String input, String... arguments) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command(arguments)).start();
    CompletableFuture<byte[]> err = CompletableFuture.supplyAsync(() -> all(process.getErrorStream()));
    CompletableFuture<byte[]> out = CompletableFuture.supplyAsync(() -> all(process.getInputStream()));
    process.getOutputStream().write(input.getBytes(StandardCharsets.UTF_8));
    process.getOutputStream().close();
    int status = process.waitFor();
    return new Result(status, text(out.join()), text(err.join()));
  }

  private static byte[] all(java.io.InputStream in) {
    try {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
