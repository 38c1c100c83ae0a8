package org.xenolith.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class HostMemoryTest {
  @Test
  void itIsZeroFilledAlignedAndWritableToItsEnd() {
    long bytes = 64L << 20;
    try (HostMemory memory = HostMemory.reserve(bytes)) {
      MemorySegment segment = memory.segment();
      assertThat(segment.byteSize()).isEqualTo(bytes);
      assertThat(segment.address() % 4096).isZero();
      assertThat(segment.get(ValueLayout.JAVA_LONG, bytes - 8)).isZero();
      segment.set(ValueLayout.JAVA_LONG, bytes - 8, 0x1234567890L);
      assertThat(segment.get(ValueLayout.JAVA_LONG, bytes - 8)).isEqualTo(0x1234567890L);
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void onlyTouchedPagesCost() throws IOException {
    try (HostMemory memory = HostMemory.reserve(8L << 30)) {
      long before = resident();
      for (long at = 0; at < 8L << 30; at += 1L << 30) {
        memory.segment().set(ValueLayout.JAVA_BYTE, at, (byte) 1);
      }
      assertThat(resident() - before).isLessThan(64 << 20);
    }
  }

  @Test
  void closedMemoryCannotBeUsed() {
    HostMemory memory = HostMemory.reserve(4096);
    MemorySegment segment = memory.segment();
    memory.close();
    assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void sizesThatAreNotWholePagesAreRefused() {
    assertThatThrownBy(() -> HostMemory.reserve(100)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> HostMemory.reserve(0)).isInstanceOf(IllegalArgumentException.class);
  }

  /** Bytes of this process in memory (proc(5), statm). */
  private static long resident() throws IOException {
    return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
  }
}
