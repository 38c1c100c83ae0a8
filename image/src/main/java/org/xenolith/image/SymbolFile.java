package org.xenolith.image;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * An ELF file that holds no code, only an image's symbols at their addresses and how to unwind its stacks, for debuggers: what a stock
 * kernel's own ELF file no longer has, its kallsyms and its ORC tables still tell. Source: System V ABI, "Sections" and "Symbol Table".
 */
public final class SymbolFile {
  private static final int HEADER = 64, SECTION_HEADER = 64, SYMBOL = 24;
  private static final int SHT_PROGBITS = 1, SHT_STRTAB = 3;
  private static final long WRITE = 1, EXECUTE = 4;
  private static final int STT_OBJECT = 1, STT_FUNC = 2, STB_GLOBAL = 1;
  private static final int SHN_ABS = 0xfff1;

  /** Sections that symbols may be in, before those that are the file's own. */
  private static final int MOST_SECTIONS = 1000;

  private record Range(String name, long va, long size, long flags) {
    boolean holds(long address) {
      return Long.compareUnsigned(address - va, size) < 0;
    }
  }

  /** A string table in the making. */
  private static final class Strings {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    Strings() {
      bytes.write(0);
    }

    int add(String text) {
      int at = bytes.size();
      bytes.writeBytes(text.getBytes(StandardCharsets.ISO_8859_1));
      bytes.write(0);
      return at;
    }
  }

  private SymbolFile() {}

  /**
   * The file's bytes.
   *
   * @throws ImageException if the image names no addresses
   */
  public static byte[] of(KernelImage image) {
    Symbols symbols = image.symbols();
    if (symbols.size() == 0) {
      throw new ImageException(image.path() + ": no symbols in it", "take one built with CONFIG_KALLSYMS=y, or one with a symbol table");
    }
    List<Range> ranges = ranges(image.elf());
    Strings names = new Strings();
    byte[] table = table(symbols, ranges, names);
    byte[] callFrames = image.orc().map(CallFrames::of).orElse(new byte[0]);
    return file(ranges, table, names.bytes.toByteArray(), callFrames);
  }

  /** What is loaded: sections, or segments where there are none. */
  private static List<Range> ranges(Elf elf) {
    List<Range> ranges = new ArrayList<>();
    for (Section section : elf.sections()) {
      if (section.loaded() && section.size() > 0 && ranges.size() < MOST_SECTIONS) {
        ranges.add(new Range(section.name(), section.va(), section.size(), section.flags() & (WRITE | EXECUTE)));
      }
    }
    if (ranges.isEmpty()) {
      for (Segment segment : elf.segments()) {
        boolean code = (segment.flags() & Segment.EXECUTE) != 0;
        boolean writable = (segment.flags() & Segment.WRITE) != 0;
        ranges.add(new Range(code ? ".text" : ".data", segment.va(), segment.memorySize(), (code ? EXECUTE : 0) | (writable ? WRITE : 0)));
      }
    }
    return ranges;
  }

  private static byte[] table(Symbols symbols, List<Range> ranges, Strings names) {
    ByteBuffer table = little((symbols.size() + 1) * SYMBOL);
    table.position(SYMBOL);
    int last = 0;
    // The table wants local symbols first.
    for (boolean global : new boolean[] {false, true}) {
      for (int n = 0; n < symbols.size(); n++) {
        char type = symbols.type(n);
        if (Character.isUpperCase(type) == global) {
          last = section(ranges, symbols.address(n), last);
          boolean function = Character.toLowerCase(type) == 't' || Character.toLowerCase(type) == 'w';
          table.putInt(names.add(symbols.name(n))).put((byte) ((global ? STB_GLOBAL << 4 : 0) | (function ? STT_FUNC : STT_OBJECT)));
          table.put((byte) 0).putShort((short) (last < 0 ? SHN_ABS : last + 1));
          table.putLong(symbols.address(n)).putLong(symbols.length(n));
        }
      }
    }
    return table.array();
  }

  /** The number of the range with an address, or -1; {@code guess} is looked at first. */
  private static int section(List<Range> ranges, long va, int guess) {
    if (guess >= 0 && ranges.get(guess).holds(va)) {
      return guess;
    }
    for (int n = 0; n < ranges.size(); n++) {
      if (ranges.get(n).holds(va)) {
        return n;
      }
    }
    return -1;
  }

  private static byte[] file(List<Range> ranges, byte[] table, byte[] strings, byte[] callFrames) {
    Strings sectionNames = new Strings();
    int sections = ranges.size() + 5;
    int strtab = ranges.size() + 2;
    List<Integer> nameOffsets = new ArrayList<>();
    ranges.forEach(range -> nameOffsets.add(sectionNames.add(range.name())));
    int symtabName = sectionNames.add(".symtab");
    int strtabName = sectionNames.add(".strtab");
    int shstrtabName = sectionNames.add(".shstrtab");
    int framesName = sectionNames.add(".debug_frame");
    byte[] shstrtab = sectionNames.bytes.toByteArray();
    int stringsAt = HEADER + table.length;
    int namesAt = stringsAt + strings.length;
    int framesAt = namesAt + shstrtab.length + 7 & ~7;
    int headersAt = framesAt + callFrames.length + 7 & ~7;
    ByteBuffer file = little(headersAt + sections * SECTION_HEADER);
    file.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
    // Executable, x86-64; no entry, no program headers.
    file.putShort((short) 2).putShort((short) Elf.MACHINE_X86_64).putInt(1).putLong(0).putLong(0).putLong(headersAt).putInt(0);
    file.putShort((short) HEADER).putShort((short) 0).putShort((short) 0);
    file.putShort((short) SECTION_HEADER).putShort((short) sections).putShort((short) (strtab + 1));
    file.put(table).put(strings).put(shstrtab).position(framesAt);
    file.put(callFrames).position(headersAt + SECTION_HEADER);
    for (int n = 0; n < ranges.size(); n++) {
      Range range = ranges.get(n);
      header(file, nameOffsets.get(n), Section.NOBITS, range.flags() | Section.ALLOC, range.va(), HEADER, range.size(), 0, 0, 0);
    }
    header(file, symtabName, Section.SYMTAB, 0, 0, HEADER, table.length, strtab, firstGlobal(table), SYMBOL);
    header(file, strtabName, SHT_STRTAB, 0, 0, stringsAt, strings.length, 0, 0, 0);
    header(file, shstrtabName, SHT_STRTAB, 0, 0, namesAt, shstrtab.length, 0, 0, 0);
    header(file, framesName, SHT_PROGBITS, 0, 0, framesAt, callFrames.length, 0, 0, 0);
    return file.array();
  }

  private static int firstGlobal(byte[] table) {
    int n = 1;
    while (n * SYMBOL < table.length && table[n * SYMBOL + 4] >> 4 != STB_GLOBAL) {
      n++;
    }
    return n;
  }

  private static void header(
      ByteBuffer file, int name, int type, long flags, long va, long offset, long size, int link, int info, long entrySize) {
    file.putInt(name).putInt(type).putLong(flags).putLong(va).putLong(offset).putLong(size).putInt(link).putInt(info);
    file.putLong(type == Section.SYMTAB ? 8 : 1).putLong(entrySize);
  }

  private static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
