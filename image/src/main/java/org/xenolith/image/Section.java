package org.xenolith.image;

import java.lang.foreign.MemorySegment;

/**
 * A section of an ELF file.
 *
 * @param va address in memory, 0 for a section that is not loaded
 * @param offset where it is in the ELF file
 * @param size bytes it has in the file, or in memory if it has none in the file
 * @param type SHT_*, flags SHF_*, link and entry size as in the section header
 * @param data a read-only view of its bytes, empty if it has none in the file
 */
public record Section(String name, int type, long flags, long va, long offset, long size, int link, long entrySize, MemorySegment data) {
  static final int SYMTAB = 2;
  static final int NOTE = 7;
  static final int NOBITS = 8;
  static final long ALLOC = 2;

  /** Whether it occupies memory when the image runs. */
  public boolean loaded() {
    return (flags & ALLOC) != 0;
  }
}
