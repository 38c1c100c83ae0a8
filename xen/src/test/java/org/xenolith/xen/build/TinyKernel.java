package org.xenolith.xen.build;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.xenolith.image.KernelImage;
import org.xenolith.image.XenNotes;

/** A 64-bit ELF file with one segment of two pages at physical address 1 MiB, and the notes that a test gives it. */
final class TinyKernel {
  static final long BASE = 0xffffffff80000000L;
  static final long PA = 0x100000;
  static final int SIZE = 0x2000;
  static final byte MARK = (byte) 0x90;

  private final ByteBuffer notes = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);

  TinyKernel() {
    text(XenNotes.LOADER, "generic").text(XenNotes.XEN_VERSION, "xen-3.0").text(XenNotes.GUEST_OS, "linux");
    number(XenNotes.ENTRY, BASE + PA).number(XenNotes.VIRT_BASE, BASE).number(XenNotes.PADDR_OFFSET, 0);
  }

  TinyKernel number(int type, long value) {
    return note(type, ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
  }

  TinyKernel text(int type, String text) {
    return note(type, (text + "\0").getBytes(StandardCharsets.ISO_8859_1));
  }

  private TinyKernel note(int type, byte[] data) {
    notes.putInt(4).putInt(data.length).putInt(type).put("Xen\0".getBytes(StandardCharsets.ISO_8859_1)).put(data);
    notes.position(notes.position() + 3 & ~3);
    return this;
  }

  KernelImage image(Path folder) throws IOException {
    ByteBuffer elf = ByteBuffer.allocate(0x1000 + SIZE).order(ByteOrder.LITTLE_ENDIAN);
    elf.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
    elf.putShort((short) 2).putShort((short) 62).putInt(1).putLong(BASE + PA).putLong(64).putLong(0).putInt(0);
    elf.putShort((short) 64).putShort((short) 56).putShort((short) 2).putShort((short) 64).putShort((short) 0).putShort((short) 0);
    header(elf, 1, 7, 0x1000, BASE + PA, PA, SIZE);
    header(elf, 4, 4, 0x200, 0, 0, notes.position());
    elf.position(0x200);
    elf.put(notes.array(), 0, notes.position());
    for (int n = 0x1000; n < elf.capacity(); n++) {
      elf.put(n, MARK);
    }
    Path file = folder.resolve("kernel");
    Files.write(file, elf.array());
    return KernelImage.read(file);
  }

  private static void header(ByteBuffer elf, int type, int flags, long offset, long va, long pa, long size) {
    elf.putInt(type).putInt(flags).putLong(offset).putLong(va).putLong(pa).putLong(size).putLong(size).putLong(0x1000);
  }
}
