package org.xenolith.image;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The names of an image's addresses. Addresses are sorted; names stay in the form that the image has them in and are spelled out when asked
 * for. Safe for several threads.
 */
public final class Symbols {
  /** Where the names come from. */
  public enum Source {
    NONE,
    KALLSYMS,
    SYMTAB
  }

  /**
   * An address by name.
   *
   * @param name the symbol's name
   * @param offset bytes from the symbol to the address
   * @param size bytes from the symbol to the next one, or to the end of its segment
   */
  public record Place(String name, long offset, long size) {
    /** As Linux prints it: {@code name+0x12/0x80}. */
    @Override
    public String toString() {
      return "%s+0x%x/0x%x".formatted(name, offset, size);
    }
  }

  /** Names by the symbol's number. */
  interface Names {
    /** Puts the name's bytes into {@code buffer}, as many as fit, and returns how many. */
    int spell(int index, byte[] buffer);

    /** The type letter as {@code nm} prints it. */
    char type(int index);
  }

  /** Linux's KSYM_NAME_LEN, and enough for any ELF file that a person reads. */
  static final int MAX_NAME = 512;

  private final Source source;
  private final long[] addresses;
  private final Names names;
  private final List<Segment> segments;
  private int[] slots;

  /**
   * @param addresses ascending (unsigned)
   * @param segments what has names: addresses elsewhere have none
   */
  Symbols(Source source, long[] addresses, Names names, List<Segment> segments) {
    this.source = source;
    this.addresses = addresses;
    this.names = names;
    boolean high = segments.stream().anyMatch(s -> s.va() < 0);
    // A kernel's segment at 0 is the template of its per-CPU data. Nothing runs there, and a null pointer must not get a name.
    this.segments = segments.stream().filter(s -> !high || s.va() < 0).toList();
  }

  static Symbols none() {
    return new Symbols(Source.NONE, new long[0], null, List.of());
  }

  public Source source() {
    return source;
  }

  public int size() {
    return addresses.length;
  }

  /** The address of symbol {@code index} in ascending order. */
  public long address(int index) {
    return addresses[index];
  }

  public String name(int index) {
    byte[] buffer = new byte[MAX_NAME];
    return new String(buffer, 0, names.spell(index, buffer), StandardCharsets.ISO_8859_1);
  }

  /** Its type as {@code nm} prints it: {@code T} and {@code t} for code, {@code D d B b R r} for data, and so on. */
  public char type(int index) {
    return names.type(index);
  }

  /** The number of the symbol that {@code va} belongs to, the first of those at the same address; -1 if it belongs to none. */
  public int indexOf(long va) {
    Segment segment = segmentAt(va);
    if (segment == null) {
      return -1;
    }
    int low = 0;
    int high = addresses.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(addresses[middle], va) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    int index = low - 1;
    if (index < 0 || !segment.holdsVa(addresses[index])) {
      return -1;
    }
    while (index > 0 && addresses[index - 1] == addresses[index]) {
      index--;
    }
    return index;
  }

  /** The symbol that {@code va} belongs to; empty outside the image. */
  public Optional<Place> nearest(long va) {
    int index = indexOf(va);
    if (index < 0) {
      return Optional.empty();
    }
    return Optional.of(new Place(name(index), va - addresses[index], length(index)));
  }

  /** Bytes from symbol {@code index} to the next address that has a name, or to the end of its segment. */
  public long length(int index) {
    long address = addresses[index];
    Segment segment = segmentAt(address);
    long end = segment == null ? address : segment.va() + segment.memorySize();
    int next = index + 1;
    while (next < addresses.length && addresses[next] == address) {
      next++;
    }
    return next < addresses.length && (segment == null || segment.holdsVa(addresses[next])) ? addresses[next] - address : end - address;
  }

  /** The address of the symbol of that name; the lowest if several have it. */
  public OptionalLong address(String name) {
    if (addresses.length == 0) {
      return OptionalLong.empty();
    }
    byte[] wanted = name.getBytes(StandardCharsets.ISO_8859_1);
    byte[] buffer = new byte[MAX_NAME];
    int[] table = slots();
    for (int slot = hash(wanted, wanted.length) & table.length - 1; table[slot] != 0; slot = slot + 1 & table.length - 1) {
      int index = table[slot] - 1;
      int length = names.spell(index, buffer);
      if (Arrays.equals(buffer, 0, length, wanted, 0, wanted.length)) {
        return OptionalLong.of(addresses[index]);
      }
    }
    return OptionalLong.empty();
  }

  private Segment segmentAt(long va) {
    for (Segment segment : segments) {
      if (segment.holdsVa(va)) {
        return segment;
      }
    }
    return null;
  }

  /** An open hash table of symbol numbers plus one. Equal names are found in ascending order, since they were put in so. */
  private synchronized int[] slots() {
    if (slots == null) {
      int[] table = new int[Integer.highestOneBit(addresses.length) << 2];
      byte[] buffer = new byte[MAX_NAME];
      for (int i = 0; i < addresses.length; i++) {
        int slot = hash(buffer, names.spell(i, buffer)) & table.length - 1;
        while (table[slot] != 0) {
          slot = slot + 1 & table.length - 1;
        }
        table[slot] = i + 1;
      }
      slots = table;
    }
    return slots;
  }

  private static int hash(byte[] bytes, int length) {
    int hash = 0;
    for (int i = 0; i < length; i++) {
      hash = hash * 31 + bytes[i];
    }
    return hash ^ hash >>> 15;
  }
}
