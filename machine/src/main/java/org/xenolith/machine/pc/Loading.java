package org.xenolith.machine.pc;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;
import org.xenolith.image.Segment;
import org.xenolith.isa.Instruction;

/** What loaders have in common. */
final class Loading {
  static final long CR0_ET = 0x10, CR4_PAE = 0x20;

  /** Access rights of segments of 4 GiB from 0: 64-bit code, 32-bit code, data; all of them accessed, for privilege level 0. */
  static final int CODE_64 = 0xa09b, CODE_32 = 0xc09b, DATA = 0xc093;

  private static final int PAGE = 4096;

  private Loading() {}

  /**
   * Copies a segment to its physical address.
   *
   * @throws ImageException if there is no memory for it
   */
  static void segment(GuestMemory memory, MemoryMap map, KernelImage image, Segment segment) {
    long end = segment.pa() + segment.memorySize();
    boolean low = segment.pa() >= 0 && end >= segment.pa() && end <= MemoryMap.DATA_AREA;
    boolean high = segment.pa() >= MemoryMap.TABLES_END && end >= segment.pa() && end <= map.below4G();
    if (!low && !high) {
      throw new ImageException(
          "%s: no memory for the segment at 0x%x of %d KiB".formatted(image.path(), segment.pa(), segment.memorySize() >> 10),
          "give it more memory (--memory)");
    }
    if (segment.fileSize() > 0) {
      memory.write(segment.pa(), segment.data());
    }
  }

  /**
   * Finds the highest place for something, on a page of its own.
   *
   * @param limit it must end at or before
   * @param bottom it must begin at or after
   * @throws ImageException if there is none
   */
  static long highest(MemoryMap map, long limit, long bottom, long size, String what) {
    long pa = Math.min(map.below4G(), limit) - size & -PAGE;
    if (pa < bottom) {
      throw new ImageException("no memory for %s of %d KiB beside the kernel".formatted(what, size >> 10),
          "give it more memory (--memory)");
    }
    return pa;
  }

  /** Loads all segment registers with segments of 4 GiB from 0. The interrupt descriptor table stays as after reset. */
  static void flatSegments(Cpu cpu, int codeSelector, int codeRights, int dataSelector) {
    cpu.idtLimit = 0xffff;
    for (int n = 0; n < 6; n++) {
      boolean code = n == Instruction.CS;
      cpu.selector[n] = code ? codeSelector : dataSelector;
      cpu.segmentBase[n] = 0;
      cpu.segmentLimit[n] = -1;
      cpu.segmentAccess[n] = code ? codeRights : DATA;
    }
  }
}
