package org.xenolith.cpu.silicon;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.locks.LockSupport;

/** The child process that runs cases on the host's processor, and the file shared with it. */
final class HostSide implements AutoCloseable {
  /** Cases in a batch. */
  static final int BATCH = 256;

  private static final long TIMEOUT_NANOS = 20_000_000_000L;
  private static final long POLL_NANOS = 50_000;

  private final Path folder;
  private final MemorySegment shared;
  private final Process process;

  private HostSide(Path folder, MemorySegment shared, Process process) {
    this.folder = folder;
    this.shared = shared;
    this.process = process;
  }

  /** Why this host cannot run cases, or null if it can. */
  static String unable() {
    String system = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
    return system.equals("Linux on amd64") ? null : "the silicon oracle needs Linux on amd64, this is " + system;
  }

  /** Whether the host's processor is AMD's, or of AMD's design. */
  static boolean isAmd() throws IOException {
    String processors = Files.readString(Path.of("/proc/cpuinfo"));
    return processors.contains("AuthenticAMD") || processors.contains("HygonGenuine");
  }

  /** Starts the child. */
  static HostSide start() throws IOException {
    Path folder = Files.createTempDirectory("silicon");
    int size = HostProgram.CASES + BATCH * Case.SIZE;
    Path program = folder.resolve("host");
    Files.write(program, HostProgram.executable(size));
    Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
    Path file = folder.resolve("cases");
    Files.write(file, new byte[size]);
    MemorySegment shared;
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      shared = channel.map(FileChannel.MapMode.READ_WRITE, 0, size, Arena.ofAuto());
    }
    Process process = new ProcessBuilder(program.toString(), file.toString()).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    return new HostSide(folder, shared, process);
  }

  /** Case {@code n} of the batch. */
  Case at(int n) {
    return new Case(shared.asSlice(HostProgram.CASES + (long) n * Case.SIZE, Case.SIZE));
  }

  /** Runs the first {@code count} cases of the batch. */
  void run(int count) throws IOException {
    shared.set(ValueLayout.JAVA_LONG, HostProgram.COUNT, count);
    process.getOutputStream().write(1);
    process.getOutputStream().flush();
    if (!answered()) {
      int done = (int) ((shared.get(ValueLayout.JAVA_LONG, 8) - HostProgram.SHARED_VA - HostProgram.CASES) / Case.SIZE);
      String last = done >= 0 && done < count ? Oracle.describe(at(done)) : "before its first case";
      throw new IOException("the host's side died or never ended: " + last);
    }
  }

  /** Waits for the child's byte: false if it died or is caught in a case that never ends. */
  private boolean answered() throws IOException {
    long limit = System.nanoTime() + TIMEOUT_NANOS;
    while (process.isAlive() && System.nanoTime() - limit < 0) {
      if (process.getInputStream().available() > 0) {
        return process.getInputStream().read() >= 0;
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    return false;
  }

  @Override
  public void close() throws IOException {
    process.destroyForcibly();
    Files.deleteIfExists(folder.resolve("host"));
    Files.deleteIfExists(folder.resolve("cases"));
    Files.delete(folder);
  }
}
