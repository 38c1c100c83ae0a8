package org.xenolith.image;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * An x86 ELF executable, 32 or 64 bits wide, as a loader sees it. A 32-bit container may well hold 64-bit code: Xen's 64-bit test guests
 * for hardware containers are such. Source: System V ABI, "Object Files" and "Program Loading"; x86-64 psABI.
 */
public final class Elf {
  /** The e_machine of i386 and of x86-64. */
  public static final int MACHINE_I386 = 3;

  public static final int MACHINE_X86_64 = 62;

  private static final int PT_LOAD = 1;
  private static final int PT_NOTE = 4;
  private static final int MAX_NOTES = 65_536;
  private static final int MAX_NOTE_BYTES = 16 << 20;
  private static final int MAX_NAME = 256;

  private final Bytes bytes;
  private final boolean wide;
  private final int machine;
  private final long entry;
  private final List<Segment> segments = new ArrayList<>();
  private final List<Section> sections = new ArrayList<>();
  private final List<Note> notes = new ArrayList<>();
  private final Set<Long> noteOffsets = new HashSet<>();
  private long noteBytes;

  private Elf(Bytes bytes) {
    this.bytes = bytes;
    int width = bytes.u8("ELF header", 4);
    if (width != 1 && width != 2) {
      throw ImageException.corrupt("ELF class %d at 0x4".formatted(width));
    }
    wide = width == 2;
    if (bytes.u8("ELF header", 5) != 1) {
      throw new ImageException("not for x86: a big-endian ELF file", "take a kernel built for x86-64");
    }
    int type = bytes.u16("ELF header", 16);
    machine = bytes.u16("ELF header", 18);
    if (machine != MACHINE_I386 && machine != MACHINE_X86_64) {
      throw new ImageException("not for x86: an ELF file for machine %d".formatted(machine), "take a kernel built for x86-64");
    }
    if (type != 2 && type != 3) {
      throw new ImageException(
          "not a kernel: an ELF file of type %d (%s)".formatted(type, type == 1 ? "relocatable, as modules are" : "not executable"),
          "give a bzImage or a vmlinux");
    }
    entry = word("ELF header", 24);
    readSegments();
    readSections();
    for (Section section : sections) {
      if (section.type() == Section.NOTE) {
        readNotes(section.offset(), section.size(), 4, false);
      }
    }
  }

  static boolean begins(Bytes bytes) {
    return bytes.contains(0, 4) && bytes.u32("magic", 0) == 0x464c457fL;
  }

  /**
   * Reads an ELF file's headers; the bytes themselves stay where they are.
   *
   * @throws ImageException if it is not an x86 executable, or any header leads outside {@code data}
   */
  public static Elf parse(MemorySegment data) {
    Bytes bytes = new Bytes(data);
    if (!begins(bytes)) {
      throw new ImageException("not an ELF file: no ELF magic at 0x0", "give a bzImage or a vmlinux");
    }
    return new Elf(bytes);
  }

  /** Whether the container is ELF64. What the code is, {@link #machine} says. */
  public boolean wide() {
    return wide;
  }

  /** {@link #MACHINE_X86_64} or {@link #MACHINE_I386}. */
  public int machine() {
    return machine;
  }

  /** The entry point of the ELF header; for Linux a physical address. */
  public long entry() {
    return entry;
  }

  /** The LOAD segments in the order of the program headers; at least one. */
  public List<Segment> segments() {
    return List.copyOf(segments);
  }

  /** All sections in their order without the null section; empty if they were stripped. */
  public List<Section> sections() {
    return List.copyOf(sections);
  }

  public Optional<Section> section(String name) {
    return sections.stream().filter(s -> s.name().equals(name)).findFirst();
  }

  /** The section that a symbol or a link refers to by number; empty for special numbers. */
  Optional<Section> section(int index) {
    return index > 0 && index <= sections.size() ? Optional.of(sections.get(index - 1)) : Optional.empty();
  }

  /** All notes, those of segments first. */
  public List<Note> notes() {
    return List.copyOf(notes);
  }

  /** Size of the ELF file in bytes (with what may follow it). */
  public long size() {
    return bytes.size();
  }

  /** The GNU build id in hexadecimal. */
  public Optional<String> buildId() {
    return notes.stream().filter(n -> n.owner().equals("GNU") && n.type() == 3).map(Note::hex).findFirst();
  }

  /** The segment that has {@code va} in memory. */
  public Optional<Segment> segmentAt(long va) {
    return segments.stream().filter(s -> s.holdsVa(va)).findFirst();
  }

  private long word(String what, long offset) {
    return wide ? bytes.u64(what, offset) : bytes.u32(what, offset);
  }

  private void readSegments() {
    long table = word("ELF header", wide ? 32 : 28);
    int size = bytes.u16("ELF header", wide ? 54 : 42);
    int count = bytes.u16("ELF header", wide ? 56 : 44);
    if (count != 0 && size < (wide ? 56 : 32)) {
      throw ImageException.corrupt("program headers of %d bytes".formatted(size));
    }
    bytes.check("program headers", table, (long) size * count);
    for (int i = 0; i < count; i++) {
      long at = table + (long) i * size;
      String what = "program header " + i;
      int type = (int) bytes.u32(what, at);
      if (type != PT_LOAD && type != PT_NOTE) {
        continue;
      }
      int flags = (int) bytes.u32(what, at + (wide ? 4 : 24));
      long offset = word(what, at + (wide ? 8 : 4));
      long va = word(what, at + (wide ? 16 : 8));
      long pa = word(what, at + (wide ? 24 : 12));
      long fileSize = word(what, at + (wide ? 32 : 16));
      long memorySize = word(what, at + (wide ? 40 : 20));
      long align = word(what, at + (wide ? 48 : 28));
      MemorySegment data = bytes.slice("segment " + i, offset, fileSize);
      if (type == PT_NOTE) {
        // Some versions of binutils left the offset 0: such a segment is none.
        if (offset != 0) {
          readNotes(offset, fileSize, align, true);
        }
        continue;
      }
      if (memorySize == 0 && fileSize == 0) {
        continue;
      }
      if (memorySize < fileSize || wraps(va, memorySize) || wraps(pa, memorySize)) {
        throw ImageException.corrupt(
            "segment %d has 0x%x bytes in the file, 0x%x in memory at 0x%x".formatted(i, fileSize, memorySize, va));
      }
      segments.add(new Segment(va, pa, offset, fileSize, memorySize, align, flags & 7, data));
    }
    if (segments.isEmpty()) {
      throw new ImageException("not a kernel: an ELF file with nothing to load", "give a bzImage or a vmlinux");
    }
  }

  /** Whether a range leaves the address space; it may end with it, where the sum is 0. */
  private static boolean wraps(long address, long size) {
    return Long.compareUnsigned(address + size - 1, address) < 0;
  }

  private void readSections() {
    long table = word("ELF header", wide ? 40 : 32);
    int size = bytes.u16("ELF header", wide ? 58 : 46);
    int count = bytes.u16("ELF header", wide ? 60 : 48);
    int names = bytes.u16("ELF header", wide ? 62 : 50);
    if (table == 0 || count == 0) {
      return;
    }
    if (size < (wide ? 64 : 40)) {
      throw ImageException.corrupt("section headers of %d bytes".formatted(size));
    }
    bytes.check("section headers", table, (long) size * count);
    long namesOffset = 0;
    long namesSize = 0;
    if (names < count) {
      long at = table + (long) names * size;
      namesOffset = word("section names", at + (wide ? 24 : 16));
      namesSize = word("section names", at + (wide ? 32 : 20));
      bytes.check("section names", namesOffset, namesSize);
    }
    for (int i = 1; i < count; i++) {
      long at = table + (long) i * size;
      String what = "section header " + i;
      long nameAt = bytes.u32(what, at);
      String name = nameAt < namesSize ? bytes.text(what, namesOffset + nameAt, (int) Math.min(MAX_NAME, namesSize - nameAt)) : "";
      int type = (int) bytes.u32(what, at + 4);
      long flags = word(what, at + 8);
      long va = word(what, at + (wide ? 16 : 12));
      long offset = word(what, at + (wide ? 24 : 16));
      long length = word(what, at + (wide ? 32 : 20));
      int link = (int) bytes.u32(what, at + (wide ? 40 : 24));
      long entrySize = word(what, at + (wide ? 56 : 36));
      MemorySegment data =
          type == Section.NOBITS || type == 0 ? MemorySegment.NULL : bytes.slice("section " + i + " " + name, offset, length);
      sections.add(new Section(name, type, flags, va, offset, length, link, entrySize, data));
    }
  }

  private void readNotes(long start, long size, long align, boolean fromSegment) {
    long padding = align == 8 ? 7 : 3;
    long end = start + size;
    long at = start;
    while (end - at >= 12) {
      long nameSize = bytes.u32("note", at);
      long dataSize = bytes.u32("note", at + 4);
      int type = (int) bytes.u32("note", at + 8);
      long dataAt = at + (12 + nameSize + padding & ~padding);
      if (dataAt > end || dataSize > end - dataAt) {
        throw ImageException.corrupt("the note at 0x%x is larger than what holds it".formatted(at));
      }
      // Sections mostly lead to the same notes as segments: each is taken once.
      if (noteOffsets.add(at)) {
        noteBytes += dataSize;
        if (notes.size() >= MAX_NOTES || noteBytes > MAX_NOTE_BYTES) {
          throw ImageException.corrupt("more notes than %d or than %d MiB".formatted(MAX_NOTES, MAX_NOTE_BYTES >> 20));
        }
        String owner = bytes.text("note", at + 12, (int) Math.min(nameSize, MAX_NAME));
        notes.add(new Note(owner, type, bytes.copy("note", dataAt, (int) dataSize), fromSegment));
      }
      at = dataAt + (dataSize + padding & ~padding);
    }
  }
}
