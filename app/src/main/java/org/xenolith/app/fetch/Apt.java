package org.xenolith.app.fetch;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The system's package manager, used as a normal user: packages are looked up and downloaded, nothing is installed and no state of the
 * system changes. Where the system's own package lists are missing or out of date, a private copy is kept in the cache folder, made from
 * the system's list of sources and checked with the system's keys.
 */
final class Apt {
  private static final Pattern KERNEL_DEPENDENCY = Pattern.compile("\\b(linux-image-\\d[^ ,(]*)");

  /** What apt offers: a package's name, version and the size of its file in bytes. */
  record Offer(String name, String version, long bytes, String depends) {}

  /** apt-get or apt-cache answered with an error; the message is its first error line. */
  static final class AptException extends IOException {
    private static final long serialVersionUID = 1L;

    AptException(String message) {
      super(message);
    }
  }

  private final Path privateState;
  private boolean usePrivateLists;

  /** @param privateState a folder for package lists of our own, made when needed */
  Apt(Path privateState) {
    this.privateState = privateState;
  }

  /** Whether this system has apt, judged by the folders of {@code PATH}. */
  static boolean isOn(String path) {
    return Stream.of(path.split(":")).anyMatch(folder -> folder.startsWith("/") && Files.isExecutable(Path.of(folder, "apt-get")));
  }

  /** The newest version of a package that the lists in use hold, or empty. */
  Optional<Offer> newest(String name) throws IOException {
    String text = run(Path.of("/"), "apt-cache", "show", "--no-all-versions", name).output();
    String version = field(text, "Version");
    String size = field(text, "Size");
    if (version.isEmpty() || size.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(new Offer(name, version, Long.parseLong(size), field(text, "Depends")));
  }

  /** The package of the kernel itself on which a meta package such as {@code linux-image-amd64} depends. */
  static Optional<String> kernelPackage(Offer metaPackage) {
    Matcher matcher = KERNEL_DEPENDENCY.matcher(metaPackage.depends());
    return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
  }

  /**
   * Downloads a package's file, whose hash apt checks.
   *
   * @param folder an empty folder for it
   * @param progress told the number of bytes there so far, some times a second
   */
  Path download(Offer offer, Path folder, LongConsumer progress) throws IOException {
    Running download = start(folder, "apt-get", "-q", "download", offer.name() + "=" + offer.version());
    try {
      while (!download.process().waitFor(Duration.ofMillis(200))) {
        progress.accept(bytesIn(folder));
      }
    } catch (InterruptedException e) {
      download.process().destroy();
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("the download of " + offer.name() + " was interrupted");
    }
    Result result = download.finish();
    try (Stream<Path> files = Files.list(folder)) {
      Optional<Path> deb = files.filter(file -> file.toString().endsWith(".deb")).findFirst();
      if (result.status() != 0 || deb.isEmpty()) {
        throw new AptException(result.firstError());
      }
      return deb.get();
    }
  }

  /** Fetches package lists into the private state and uses them from now on. */
  void updatePrivateLists() throws IOException {
    usePrivateLists = true;
    Files.createDirectories(privateState.resolve("state/lists/partial"));
    Files.createDirectories(privateState.resolve("cache/archives/partial"));
    Result result = run(privateState, "apt-get", "-q", "update");
    if (result.status() != 0 || !holdsLists(privateState.resolve("state/lists"))) {
      throw new AptException(result.firstError());
    }
  }

  /** apt-get update succeeds when it could fetch nothing at all. */
  private static boolean holdsLists(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.anyMatch(file -> file.toString().contains("_Packages"));
    }
  }

  /** Whether the lists in use are the private ones. */
  boolean usesPrivateLists() {
    return usePrivateLists;
  }

  private static long bytesIn(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      // A file may be renamed by apt between its listing and the look at its size; File.length then says 0.
      return files.mapToLong(file -> file.toFile().isFile() ? file.toFile().length() : 0).sum();
    }
  }

  private record Result(int status, String output) {
    String firstError() {
      return output
          .lines()
          .filter(line -> line.startsWith("E: ") || line.startsWith("W: Failed to fetch"))
          .findFirst()
          .orElseGet(() -> output.isBlank() ? "status " + status : output.lines().reduce((first, second) -> second).orElse(""));
    }
  }

  private static String field(String text, String name) {
    String prefix = name + ": ";
    return text.lines().filter(line -> line.startsWith(prefix)).findFirst().map(line -> line.substring(prefix.length()).strip()).orElse("");
  }

  /** A process whose output is being read, so that it never waits for a reader. */
  private record Running(Process process, CompletableFuture<String> output) {
    Result finish() {
      String text = output.join();
      return new Result(process.onExit().join().exitValue(), text);
    }
  }

  private Result run(Path folder, String... command) throws IOException {
    return start(folder, command).finish();
  }

  private Running start(Path folder, String... command) throws IOException {
    List<String> full = new ArrayList<>(List.of(command));
    for (String option : options()) {
      full.add("-o");
      full.add(option);
    }
    ProcessBuilder builder = new ProcessBuilder(full).directory(folder.toFile()).redirectErrorStream(true);
    builder.environment().put("LC_ALL", "C");
    Process process = builder.start();
    process.getOutputStream().close();
    return new Running(process, CompletableFuture.supplyAsync(() -> textOf(process)));
  }

  private static String textOf(Process process) {
    try {
      return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private List<String> options() {
    // Run by root, apt would download as the user _apt, who cannot write to root's cache folder.
    List<String> options = new ArrayList<>(List.of("APT::Architecture=amd64", "APT::Architectures=amd64", "APT::Sandbox::User=root"));
    if (usePrivateLists) {
      options.add("Dir::State=" + privateState.resolve("state"));
      options.add("Dir::State::lists=" + privateState.resolve("state/lists"));
      options.add("Dir::State::status=/var/lib/dpkg/status");
      options.add("Dir::Cache=" + privateState.resolve("cache"));
      options.add("Dir::Cache::archives=" + privateState.resolve("cache/archives"));
    }
    return options;
  }
}
