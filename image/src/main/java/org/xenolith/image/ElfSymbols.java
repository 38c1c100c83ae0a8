package org.xenolith.image;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Optional;

/** The symbols of an ELF file's own symbol table. Source: System V ABI, "Symbol Table". */
final class ElfSymbols implements Symbols.Names {
  private static final int MAX_TABLE = 64 << 20;
  private static final int MAX_STRINGS = 128 << 20;
  private static final int FUNCTION = 2;
  private static final int OBJECT = 1;
  private static final int GLOBAL = 1;

  private final byte[] table;
  private final byte[] strings;
  private final int entrySize;
  private final boolean wide;
  private final Elf elf;
  private int[] entries;

  private ElfSymbols(Elf elf, byte[] table, byte[] strings) {
    this.elf = elf;
    this.wide = elf.wide();
    this.entrySize = wide ? 24 : 16;
    this.table = table;
    this.strings = strings;
  }

  static Optional<Symbols> find(Elf elf) {
    Optional<Section> table = elf.sections().stream().filter(s -> s.type() == Section.SYMTAB).findFirst();
    Optional<Section> strings = table.flatMap(s -> elf.section(s.link()));
    if (strings.isEmpty()) {
      return Optional.empty();
    }
    if (table.get().data().byteSize() > MAX_TABLE || strings.get().data().byteSize() > MAX_STRINGS) {
      throw ImageException.corrupt("a symbol table of %d bytes".formatted(table.get().size()));
    }
    ElfSymbols symbols = new ElfSymbols(elf, table.get().data().toArray(JAVA_BYTE), strings.get().data().toArray(JAVA_BYTE));
    return symbols.sort();
  }

  private Optional<Symbols> sort() {
    int count = table.length / entrySize;
    Integer[] order = new Integer[count];
    int kept = 0;
    for (int i = 0; i < count; i++) {
      if (names(i)) {
        order[kept++] = i * entrySize;
      }
    }
    if (kept == 0) {
      return Optional.empty();
    }
    // Of several names for an address a function's says most, then a datum's; a global one more than a local one.
    Arrays.sort(
        order,
        0,
        kept,
        Comparator.<Integer>comparingLong(at -> value(at) + Long.MIN_VALUE)
            .thenComparingInt(at -> kind(at) == FUNCTION ? 0 : kind(at) == OBJECT ? 1 : 2)
            .thenComparingInt(at -> binding(at) == GLOBAL ? 0 : 1));
    entries = new int[kept];
    long[] addresses = new long[kept];
    for (int i = 0; i < kept; i++) {
      entries[i] = order[i];
      addresses[i] = value(order[i]);
    }
    return Optional.of(new Symbols(Symbols.Source.SYMTAB, addresses, this, elf.segments()));
  }

  /** Whether the symbol names an address of the image: defined in a loaded section, no file or section name, not empty. */
  private boolean names(int index) {
    int at = index * entrySize;
    int name = Bytes.i32(table, at);
    boolean named = name > 0 && name < strings.length && strings[name] != 0;
    return named && kind(at) <= FUNCTION && section(at).filter(Section::loaded).isPresent();
  }

  private long value(int at) {
    return wide ? Bytes.i64(table, at + 8) : Bytes.u32(table, at + 4);
  }

  private int kind(int at) {
    return table[at + (wide ? 4 : 12)] & 15;
  }

  private int binding(int at) {
    return table[at + (wide ? 4 : 12)] >> 4 & 15;
  }

  private Optional<Section> section(int at) {
    return elf.section(Bytes.u16(table, at + (wide ? 6 : 14)));
  }

  @Override
  public int spell(int index, byte[] buffer) {
    int start = Bytes.i32(table, entries[index]);
    int length = 0;
    while (length < buffer.length && start + length < strings.length && strings[start + length] != 0) {
      buffer[length] = strings[start + length];
      length++;
    }
    return length;
  }

  @Override
  public char type(int index) {
    int at = entries[index];
    Section section = section(at).orElseThrow();
    char letter = section.type() == Section.NOBITS ? 'b' : (section.flags() & 4) != 0 ? 't' : (section.flags() & 1) != 0 ? 'd' : 'r';
    return binding(at) == GLOBAL ? Character.toUpperCase(letter) : letter;
  }
}
