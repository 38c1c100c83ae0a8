package org.xenolith.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.xenolith.cpu.HostMapping;

/**
 * Zero-filled host memory of any size that costs the host only the pages that are touched ({@link HostMapping#reserve}), with an end of its
 * own.
 */
public final class HostMemory implements AutoCloseable {
  /** Alignment of the memory in bytes. */
  private static final long PAGE = 4096;

  private final MemorySegment segment;
  private final Arena arena;

  private HostMemory(MemorySegment segment, Arena arena) {
    this.segment = segment;
    this.arena = arena;
  }

  /**
   * Reserves memory.
   *
   * @param bytes a whole number of 4 KiB pages, above 0
   * @throws OutOfMemoryError if the host refuses it
   */
  public static HostMemory reserve(long bytes) {
    if (bytes <= 0 || bytes % PAGE != 0) {
      throw new IllegalArgumentException(bytes + " bytes are not whole pages");
    }
    Arena arena = Arena.ofShared();
    return new HostMemory(HostMapping.reserve(bytes, arena), arena);
  }

  /** The memory, page-aligned, until {@link #close}. */
  public MemorySegment segment() {
    return segment;
  }

  /** Gives the memory back to the host; later use of the segment throws. */
  @Override
  public void close() {
    arena.close();
  }
}
