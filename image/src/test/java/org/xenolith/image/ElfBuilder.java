package org.xenolith.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Makes small ELF files: headers, then segments, notes and sections in the order given, then section names and headers. */
final class ElfBuilder {
  private record Load(long va, long pa, int flags, byte[] bytes, long memorySize) {}

  private record Part(String name, int type, long flags, long va, byte[] bytes, int link, long entrySize) {}

  private final boolean wide;
  private final List<Load> loads = new ArrayList<>();
  private final List<Part> parts = new ArrayList<>();
  private final ByteBuffer notes = buffer(1 << 16);
  private final ByteBuffer sectionNotes = buffer(1 << 16);
  int machine = Elf.MACHINE_X86_64;
  int type = 2;
  long entry = 0x100000;

  ElfBuilder(boolean wide) {
    this.wide = wide;
  }

  static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  static byte[] used(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.position()];
    buffer.get(0, bytes);
    return bytes;
  }

  static byte[] number(long value, int width) {
    return used(width == 8 ? buffer(8).putLong(value) : buffer(4).putInt((int) value));
  }

  static byte[] text(String text) {
    return (text + "\0").getBytes(StandardCharsets.ISO_8859_1);
  }

  ElfBuilder load(long va, long pa, int flags, byte[] bytes, long memorySize) {
    loads.add(new Load(va, pa, flags, bytes, memorySize));
    return this;
  }

  ElfBuilder section(String name, int sectionType, long flags, long va, byte[] bytes, int link, long entrySize) {
    parts.add(new Part(name, sectionType, flags, va, bytes, link, entrySize));
    return this;
  }

  ElfBuilder section(String name, long va, byte[] bytes) {
    return section(name, 1, Section.ALLOC, va, bytes, 0, 0);
  }

  /** A note that a PT_NOTE header leads to. */
  ElfBuilder note(String owner, int noteType, byte[] data) {
    put(notes, owner, noteType, data);
    return this;
  }

  /** A note that only a SHT_NOTE header leads to. */
  ElfBuilder sectionNote(String owner, int noteType, byte[] data) {
    put(sectionNotes, owner, noteType, data);
    return this;
  }

  /** The notes without which Xen refuses a PV guest. */
  ElfBuilder pvNotes() {
    return note("Xen", XenNotes.LOADER, text("generic")).note("Xen", XenNotes.XEN_VERSION, text("xen-3.0"));
  }

  private static void put(ByteBuffer notes, String owner, int type, byte[] data) {
    byte[] name = text(owner);
    notes.putInt(name.length).putInt(data.length).putInt(type).put(name);
    notes.position(notes.position() + 3 & ~3);
    notes.put(data);
    notes.position(notes.position() + 3 & ~3);
  }

  byte[] build() {
    if (sectionNotes.position() > 0) {
      parts.add(new Part(".notes", Section.NOTE, Section.ALLOC, 0, used(sectionNotes), 0, 0));
    }
    int headers = loads.size() + (notes.position() > 0 ? 1 : 0);
    ByteBuffer out = buffer(16 << 20);
    int headerSize = wide ? 64 : 52;
    int segmentSize = wide ? 56 : 32;
    out.position(headerSize + headers * segmentSize);
    List<Integer> offsets = new ArrayList<>();
    for (Load load : loads) {
      offsets.add(append(out, load.bytes));
    }
    int notesAt = append(out, used(notes));
    List<Integer> partOffsets = new ArrayList<>();
    StringBuilder names = new StringBuilder("\0");
    List<Integer> nameOffsets = new ArrayList<>();
    for (Part part : parts) {
      partOffsets.add(append(out, part.bytes));
      nameOffsets.add(names.length());
      names.append(part.name).append('\0');
    }
    nameOffsets.add(names.length());
    names.append(".shstrtab\0");
    byte[] nameBytes = names.toString().getBytes(StandardCharsets.ISO_8859_1);
    int namesAt = append(out, nameBytes);
    int sectionsAt = append(out, new byte[0]);
    out.position(sectionsAt + (wide ? 64 : 40));
    for (int i = 0; i < parts.size(); i++) {
      Part part = parts.get(i);
      sectionHeader(out, nameOffsets.get(i), part, partOffsets.get(i));
    }
    sectionHeader(out, nameOffsets.getLast(), new Part("", 3, 0, 0, nameBytes, 0, 0), namesAt);
    int end = out.position();
    out.position(0);
    out.put(new byte[] {0x7f, 'E', 'L', 'F', (byte) (wide ? 2 : 1), 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    out.putShort((short) type).putShort((short) machine).putInt(1);
    word(out, entry);
    word(out, headerSize);
    word(out, sectionsAt);
    out.putInt(0).putShort((short) headerSize).putShort((short) segmentSize).putShort((short) headers);
    out.putShort((short) (wide ? 64 : 40)).putShort((short) (parts.size() + 2)).putShort((short) (parts.size() + 1));
    for (int i = 0; i < loads.size(); i++) {
      Load load = loads.get(i);
      segmentHeader(out, 1, load.flags, offsets.get(i), load.va, load.pa, load.bytes.length, load.memorySize);
    }
    if (notes.position() > 0) {
      segmentHeader(out, 4, 4, notesAt, 0, 0, notes.position(), notes.position());
    }
    out.position(end);
    return used(out);
  }

  private static int append(ByteBuffer out, byte[] bytes) {
    out.position(out.position() + 15 & ~15);
    int at = out.position();
    out.put(bytes);
    return at;
  }

  private void word(ByteBuffer out, long value) {
    if (wide) {
      out.putLong(value);
    } else {
      out.putInt((int) value);
    }
  }

  private void segmentHeader(ByteBuffer out, int kind, int flags, long offset, long va, long pa, long fileSize, long memorySize) {
    out.putInt(kind);
    if (wide) {
      out.putInt(flags);
    }
    word(out, offset);
    word(out, va);
    word(out, pa);
    word(out, fileSize);
    word(out, memorySize);
    if (!wide) {
      out.putInt(flags);
    }
    word(out, 0x1000);
  }

  private void sectionHeader(ByteBuffer out, int name, Part part, int offset) {
    out.putInt(name).putInt(part.type);
    word(out, part.flags);
    word(out, part.va);
    word(out, offset);
    word(out, part.bytes.length);
    out.putInt(part.link).putInt(0);
    word(out, 1);
    word(out, part.entrySize);
  }
}
