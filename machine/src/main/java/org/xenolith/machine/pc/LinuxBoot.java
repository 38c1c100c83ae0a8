package org.xenolith.machine.pc;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;
import org.xenolith.image.Segment;

/**
 * Starts a Linux kernel by its 64-bit boot protocol (Linux, Documentation/x86/boot.rst and zero-page.rst): the unpacked kernel lies where
 * its program headers say, as after its own decompressor, and begins at the ELF entry (startup_64) in long mode with everything below 4 GiB
 * mapped onto itself. So do virtual machine monitors without firmware.
 */
final class LinuxBoot {
  /** Where the loader's things are, all in conventional memory. */
  private static final long GDT = 0x500, PARAMETERS = 0x7000, STACK = 0x9000, TABLES = 0x9000, COMMAND_LINE = 0x2_0000;

  /** The longest command line of a 64-bit x86 kernel, its end included (COMMAND_LINE_SIZE). */
  private static final int MAX_COMMAND_LINE = 2048;

  /** The highest address of an initrd (initrd_addr_max). */
  private static final long INITRD_MAX = 0x7fff_ffffL;

  private static final int PAGE = 4096;

  /** Offsets in the zero page, struct boot_params. */
  private static final int ACPI_ROOT = 0x070, E820_COUNT = 0x1e8, BOOT_FLAG = 0x1fe, HEADER = 0x202, VERSION = 0x206, LOADER = 0x210,
      LOAD_FLAGS = 0x211, INITRD = 0x218, INITRD_SIZE = 0x21c, COMMAND_LINE_POINTER = 0x228, ALIGNMENT = 0x230, XLOAD_FLAGS = 0x236,
      COMMAND_LINE_SIZE = 0x238, E820 = 0x2d0;

  private LinuxBoot() {}

  /**
   * Puts a kernel into memory and sets the boot processor's registers.
   *
   * @param initrd its bytes, or null for none
   * @param acpiRoot address of the root pointer
   * @throws ImageException if the kernel cannot be started so, or does not fit
   */
  static void load(GuestMemory memory, MemoryMap map, Cpu cpu, KernelImage image, byte[] initrd, String commandLine, long acpiRoot) {
    image.require64Bit();
    long kernelEnd = MemoryMap.TABLES_END;
    for (Segment segment : image.elf().segments()) {
      Loading.segment(memory, map, image, segment);
      kernelEnd = Math.max(kernelEnd, segment.pa() + segment.memorySize());
    }
    byte[] line = (commandLine + "\0").getBytes(StandardCharsets.UTF_8);
    if (line.length > MAX_COMMAND_LINE) {
      throw new ImageException("a command line of %d bytes: a kernel takes %d".formatted(line.length - 1, MAX_COMMAND_LINE - 1),
          "shorten it");
    }
    memory.write(COMMAND_LINE, line, 0, line.length);
    memory.writeLong(PARAMETERS + ACPI_ROOT, acpiRoot);
    memory.writeShort(PARAMETERS + BOOT_FLAG, (short) 0xaa55);
    memory.writeInt(PARAMETERS + HEADER, 0x5372_6448);
    memory.writeShort(PARAMETERS + VERSION, (short) 0x20f);
    // A loader without a number of its own; the kernel is at its place, high; 64-bit entry.
    memory.writeByte(PARAMETERS + LOADER, (byte) 0xff);
    memory.writeByte(PARAMETERS + LOAD_FLAGS, (byte) 1);
    memory.writeShort(PARAMETERS + XLOAD_FLAGS, (short) 1);
    memory.writeInt(PARAMETERS + ALIGNMENT, 0x20_0000);
    memory.writeInt(PARAMETERS + COMMAND_LINE_POINTER, (int) COMMAND_LINE);
    memory.writeInt(PARAMETERS + COMMAND_LINE_SIZE, MAX_COMMAND_LINE - 1);
    if (initrd != null && initrd.length > 0) {
      long pa = Loading.highest(map, INITRD_MAX + 1, kernelEnd, initrd.length, "the initrd");
      memory.write(pa, initrd, 0, initrd.length);
      memory.writeInt(PARAMETERS + INITRD, (int) pa);
      memory.writeInt(PARAMETERS + INITRD_SIZE, initrd.length);
    }
    List<MemoryMap.Range> ranges = map.ranges();
    memory.writeByte(PARAMETERS + E820_COUNT, (byte) ranges.size());
    for (int n = 0; n < ranges.size(); n++) {
      long at = PARAMETERS + E820 + 20L * n;
      memory.writeLong(at, ranges.get(n).pa());
      memory.writeLong(at + 8, ranges.get(n).size());
      memory.writeInt(at + 16, ranges.get(n).type());
    }
    pageTables(memory);
    registers(memory, cpu, image.elf().entry());
  }

  /** The first 4 GiB mapped onto themselves in pages of 2 MiB. */
  private static void pageTables(GuestMemory memory) {
    long directories = TABLES + 2 * PAGE;
    memory.writeLong(TABLES, TABLES + PAGE | 3);
    for (int n = 0; n < 4; n++) {
      memory.writeLong(TABLES + PAGE + 8 * n, directories + PAGE * n | 3);
    }
    for (int n = 0; n < 4 * 512; n++) {
      memory.writeLong(directories + 8 * n, (long) n << 21 | 0x83);
    }
  }

  /** Code at selector 10h, data at 18h (__BOOT_CS, __BOOT_DS), interrupts off. */
  private static void registers(GuestMemory memory, Cpu cpu, long entry) {
    memory.writeLong(GDT + 0x10, 0x00af_9b00_0000_ffffL);
    memory.writeLong(GDT + 0x18, 0x00cf_9300_0000_ffffL);
    cpu.gdtBase = GDT;
    cpu.gdtLimit = 0x1f;
    cpu.cr0 = Cpu.CR0_PG | Cpu.CR0_PE | Loading.CR0_ET | Cpu.CR0_NE;
    cpu.cr3 = TABLES;
    cpu.cr4 = Loading.CR4_PAE;
    cpu.efer = Cpu.EFER_LME | Cpu.EFER_LMA;
    Loading.flatSegments(cpu, 0x10, Loading.CODE_64, 0x18);
    cpu.rip = entry;
    cpu.r[Cpu.RSI] = PARAMETERS;
    cpu.r[Cpu.RSP] = STACK;
    cpu.setRflags(2);
    cpu.refresh();
  }
}
