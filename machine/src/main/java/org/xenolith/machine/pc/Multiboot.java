package org.xenolith.machine.pc;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalInt;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;
import org.xenolith.image.Segment;

/**
 * Starts a kernel by the Multiboot specification, version 0.6.96 (Multiboot 1): an ELF file with a Multiboot header, entered in 32-bit
 * protected mode without paging. The initrd is its one module.
 */
final class Multiboot {
  private static final int HEADER_MAGIC = 0x1bad_b002, LOADER_MAGIC = 0x2bad_b002;

  /** The header is in so many first bytes of the file, at a multiple of 4. */
  private static final int SEARCHED = 8192;

  /** Requirements in the header's flags: aligned modules; memory information; video mode. Those up to bit 15 must be met. */
  private static final int ALIGN = 1, MEMORY = 2, REQUIRED = 0xffff;

  /** What the information has: memory sizes, command line, modules, memory map, loader's name. */
  private static final int HAS_SIZES = 1, HAS_COMMAND_LINE = 1 << 2, HAS_MODULES = 1 << 3, HAS_MAP = 1 << 6, HAS_NAME = 1 << 9;

  /** Where the loader's things are. */
  private static final long GDT = 0x500, INFORMATION = 0x7000, MODULE = 0x7100, NAME = 0x7200, MAP = 0x7300, COMMAND_LINE = 0x2_0000;

  private static final int MAX_COMMAND_LINE = 0x1_0000;

  private Multiboot() {}

  /** Whether an image has a Multiboot header. */
  static boolean is(KernelImage image) {
    return headerFlags(image).isPresent();
  }

  private static OptionalInt headerFlags(KernelImage image) {
    for (Segment segment : image.elf().segments()) {
      MemorySegment data = segment.data();
      for (long at = -segment.offset() & 3; at + 12 <= data.byteSize() && segment.offset() + at + 12 <= SEARCHED; at += 4) {
        int flags = data.get(JAVA_INT_UNALIGNED, at + 4);
        if (data.get(JAVA_INT_UNALIGNED, at) == HEADER_MAGIC && HEADER_MAGIC + flags + data.get(JAVA_INT_UNALIGNED, at + 8) == 0) {
          return OptionalInt.of(flags);
        }
      }
    }
    return OptionalInt.empty();
  }

  /**
   * Puts a kernel into memory and sets the boot processor's registers.
   *
   * @param initrd the module's bytes, or null for none
   * @throws ImageException if the header asks for what is not there, or the kernel does not fit
   */
  static void load(GuestMemory memory, MemoryMap map, Cpu cpu, KernelImage image, byte[] initrd, String commandLine) {
    int flags = headerFlags(image).orElseThrow();
    if ((flags & REQUIRED & ~(ALIGN | MEMORY)) != 0) {
      throw new ImageException("%s: its Multiboot header asks for features 0x%x".formatted(image.path(), flags & REQUIRED),
          "take a kernel that asks for aligned modules (1) and memory information (2) at most");
    }
    long kernelEnd = MemoryMap.TABLES_END;
    for (Segment segment : image.elf().segments()) {
      Loading.segment(memory, map, image, segment);
      kernelEnd = Math.max(kernelEnd, segment.pa() + segment.memorySize());
    }
    byte[] line = (image.path() + " " + commandLine + "\0").getBytes(StandardCharsets.UTF_8);
    if (line.length > MAX_COMMAND_LINE) {
      throw new ImageException("a command line of %d bytes".formatted(line.length), "shorten it");
    }
    memory.write(COMMAND_LINE, line, 0, line.length);
    byte[] name = "xenolith\0".getBytes(StandardCharsets.US_ASCII);
    memory.write(NAME, name, 0, name.length);
    int has = HAS_SIZES | HAS_COMMAND_LINE | HAS_MAP | HAS_NAME;
    memory.writeInt(INFORMATION + 4, (int) (MemoryMap.DATA_AREA >> 10));
    memory.writeInt(INFORMATION + 8, (int) (map.below4G() - MemoryMap.TABLES_END >> 10));
    memory.writeInt(INFORMATION + 16, (int) COMMAND_LINE);
    if (initrd != null && initrd.length > 0) {
      has |= HAS_MODULES;
      long pa = Loading.highest(map, MemoryMap.HOLE, kernelEnd, initrd.length, "the module");
      memory.write(pa, initrd, 0, initrd.length);
      memory.writeInt(MODULE, (int) pa);
      memory.writeInt(MODULE + 4, (int) pa + initrd.length);
      memory.writeInt(MODULE + 8, (int) COMMAND_LINE + line.length - 1);
      memory.writeInt(INFORMATION + 20, 1);
      memory.writeInt(INFORMATION + 24, (int) MODULE);
    }
    List<MemoryMap.Range> ranges = map.ranges();
    memory.writeInt(INFORMATION + 44, 24 * ranges.size());
    memory.writeInt(INFORMATION + 48, (int) MAP);
    for (int n = 0; n < ranges.size(); n++) {
      long at = MAP + 24L * n;
      memory.writeInt(at, 20);
      memory.writeLong(at + 4, ranges.get(n).pa());
      memory.writeLong(at + 12, ranges.get(n).size());
      memory.writeInt(at + 20, ranges.get(n).type());
    }
    memory.writeInt(INFORMATION + 64, (int) NAME);
    memory.writeInt(INFORMATION, has);
    registers(memory, cpu, image.elf().entry());
  }

  /** Section 3.2, "Machine state". */
  private static void registers(GuestMemory memory, Cpu cpu, long entry) {
    memory.writeLong(GDT + 8, 0x00cf_9b00_0000_ffffL);
    memory.writeLong(GDT + 16, 0x00cf_9300_0000_ffffL);
    cpu.gdtBase = GDT;
    cpu.gdtLimit = 0x17;
    cpu.cr0 = Cpu.CR0_PE | Loading.CR0_ET;
    Loading.flatSegments(cpu, 8, Loading.CODE_32, 16);
    cpu.rip = entry & 0xffff_ffffL;
    cpu.r[Cpu.RAX] = LOADER_MAGIC;
    cpu.r[Cpu.RBX] = INFORMATION;
    cpu.setRflags(2);
    cpu.refresh();
  }
}
