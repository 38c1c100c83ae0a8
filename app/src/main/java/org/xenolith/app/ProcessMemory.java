package org.xenolith.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The memory of this process as its host counts it. */
final class ProcessMemory {
  private ProcessMemory() {}

  /** The most physical memory it has held so far (VmHWM in proc(5)), in bytes; 0 where the host does not tell. */
  static long peakBytes() {
    Path status = Path.of("/proc/self/status");
    if (!Files.isReadable(status)) {
      return 0;
    }
    try (Stream<String> lines = Files.lines(status)) {
      String line = lines.filter(name -> name.startsWith("VmHWM:")).findFirst().orElse("VmHWM: 0 kB");
      return Long.parseLong(line.replaceAll("\\D+", "")) << 10;
    } catch (IOException e) {
      return 0;
    }
  }
}
