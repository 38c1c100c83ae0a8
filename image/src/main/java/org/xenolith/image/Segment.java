package org.xenolith.image;

import java.lang.foreign.MemorySegment;

/**
 * A LOAD segment.
 *
 * @param va virtual address of its first byte
 * @param pa physical (for a PV guest: pseudo-physical) address of its first byte, as the program header has it
 * @param offset where its bytes are in the ELF file
 * @param fileSize bytes in the file
 * @param memorySize bytes in memory, at least {@code fileSize}; what the file does not have is zero
 * @param align alignment wanted, in bytes
 * @param flags {@link #EXECUTE}, {@link #WRITE}, {@link #READ}
 * @param data a read-only view of its {@code fileSize} bytes
 */
public record Segment(long va, long pa, long offset, long fileSize, long memorySize, long align, int flags, MemorySegment data) {
  public static final int EXECUTE = 1;
  public static final int WRITE = 2;
  public static final int READ = 4;

  /** Whether {@code address} is one of this segment's in memory. */
  public boolean holdsVa(long address) {
    return Long.compareUnsigned(address - va, memorySize) < 0;
  }

  /** Such as {@code "r-x"}. */
  public String permissions() {
    return ((flags & READ) != 0 ? "r" : "-") + ((flags & WRITE) != 0 ? "w" : "-") + ((flags & EXECUTE) != 0 ? "x" : "-");
  }
}
