package org.xenolith.image;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Finds the symbol table that Linux carries in its own read-only data for its crash messages (Linux: {@code scripts/kallsyms.c} writes it,
 * {@code kernel/kallsyms.c} reads it). Nothing leads to it in a stripped image, so it is told by its make-up:
 *
 * <ul>
 *   <li>token_index: 256 ascending 16-bit offsets from 0, right after token_table, 256 strings that end at exactly these offsets;
 *   <li>markers, before token_table: the offset of every 256th name, each 4 bytes (8 before 4.20);
 *   <li>names, before the markers: a length (1 byte, or 2 if its top bit is set) and as many token numbers each; num_syms is before them;
 *   <li>addresses, before num_syms until 6.3, after token_index from 6.4 on, in one of these forms: 8 bytes each; 4 bytes each relative to
 *       relative_base, which follows them; the same with per-CPU symbols absolute (until 6.14): then non-negative ones are absolute and a
 *       negative one means base - 1 - it; 4 bytes each relative to their own place (7.0 and later), without a base.
 * </ul>
 *
 * Each part starts at a multiple of 8 bytes, in the last form of 4.
 */
final class Kallsyms implements Symbols.Names {
  private static final int MAX_REGION = 64 << 20;
  private static final int MAX_SYMBOLS = 4 << 20;
  private static final int TOKENS = 256;
  private static final int PER_MARKER = 256;

  /** Bounds the search in an image made to mislead it: a real one takes a few million steps. */
  private static final int MAX_STEPS = 200_000_000;

  /** The region searched, at first; then only its names. */
  private byte[] data;

  /** Where the region is in memory. */
  private final long va;

  private int tokenIndex;
  private int tokenTable;
  private int numSymsAt;
  private int namesAt;
  private int[] nameOffsets;
  private byte[][] tokens;
  private int steps = MAX_STEPS;

  private Kallsyms(byte[] data, long va) {
    this.data = data;
    this.va = va;
  }

  /** The image's own symbols, if it is a 64-bit kernel that carries them. */
  static Optional<Symbols> find(Elf elf) {
    if (!elf.wide()) {
      return Optional.empty();
    }
    Optional<Section> rodata = elf.section(".rodata");
    Optional<Symbols> found = rodata.flatMap(section -> find(section.data(), section.va(), elf.segments()));
    for (int i = 0; found.isEmpty() && i < elf.segments().size(); i++) {
      Segment segment = elf.segments().get(i);
      found = find(segment.data(), segment.va(), elf.segments());
    }
    return found;
  }

  private static Optional<Symbols> find(MemorySegment region, long va, List<Segment> segments) {
    if (region.byteSize() > MAX_REGION || region.byteSize() < TOKENS * 4) {
      return Optional.empty();
    }
    Kallsyms kallsyms = new Kallsyms(region.toArray(JAVA_BYTE), va);
    long[] addresses = kallsyms.search();
    if (addresses == null) {
      return Optional.empty();
    }
    kallsyms.keepNamesOnly();
    return Optional.of(new Symbols(Symbols.Source.KALLSYMS, addresses, kallsyms, segments));
  }

  /** The symbols' addresses; null if there are none. */
  private long[] search() {
    for (int at = 0; at <= data.length - 2 * TOKENS && steps >= 0; at += 4) {
      if (data[at] == 0 && data[at + 1] == 0 && data[at + 2] != 0 && isTokenIndex(at) && (findNames(4) || findNames(8))) {
        long[] addresses = findAddresses();
        if (addresses != null) {
          return addresses;
        }
      }
    }
    return null;
  }

  private boolean isTokenIndex(int at) {
    int previous = 0;
    for (int i = 1; i < TOKENS; i++) {
      int offset = Bytes.u16(data, at + 2 * i);
      if (offset <= previous || offset - previous > Symbols.MAX_NAME) {
        return false;
      }
      previous = offset;
    }
    // The table ends less than 8 bytes before the index, but how long its last string is, is not known.
    int nearest = at - previous - 2;
    int farthest = Math.max(0, at - previous - Symbols.MAX_NAME - 8);
    for (int table = nearest & ~3; table >= farthest; table -= 4) {
      if (isTokenTable(table, at)) {
        tokenTable = table;
        tokenIndex = at;
        return true;
      }
    }
    return false;
  }

  private boolean isTokenTable(int table, int index) {
    tokens = new byte[TOKENS][];
    steps -= 8;
    for (int i = 0; i < TOKENS; i++) {
      steps -= 8;
      int start = table + Bytes.u16(data, index + 2 * i);
      int end = start;
      while (end < index && data[end] != 0) {
        end++;
      }
      boolean right = i < TOKENS - 1 ? end + 1 == table + Bytes.u16(data, index + 2 * i + 2) : endsAt(end + 1, index);
      if (end == index || !right) {
        return false;
      }
      tokens[i] = Arrays.copyOfRange(data, start, end);
    }
    return true;
  }

  /**
   * @param width bytes of a marker
   */
  private boolean findNames(int width) {
    // The first marker is 0, the second the length of 256 names.
    for (int at = (tokenTable - width) & ~3; at >= 0 && steps >= 0; at -= 4) {
      if (marker(at, width, 0) != 0) {
        continue;
      }
      int count = 1;
      long last = 0;
      while (at + (count + 1) * width <= tokenTable) {
        long next = marker(at, width, count);
        if (next - last < 2 * PER_MARKER || next - last > (long) PER_MARKER * (Symbols.MAX_NAME + 2)) {
          break;
        }
        last = next;
        count++;
      }
      steps -= 1 + count;
      if (count > 1 && last < at && findNames(at, width, count, (int) last)) {
        return true;
      }
    }
    return false;
  }

  private boolean findNames(int markers, int width, int count, int last) {
    int nearest = (markers - last - 2) & ~3;
    int farthest = Math.max(8, markers - last - 8 - PER_MARKER * (Symbols.MAX_NAME + 2));
    for (int names = nearest; names >= farthest && steps >= 0; names -= 4) {
      steps--;
      // Their number is right before them, in 4 bytes or in 8.
      int numSyms = Bytes.i32(data, names - 4) == 0 ? names - 8 : names - 4;
      int symbols = Bytes.i32(data, numSyms);
      if (symbols > (count - 1) * PER_MARKER
          && symbols <= count * PER_MARKER
          && symbols <= MAX_SYMBOLS
          && areNames(names, symbols, markers, width)) {
        numSymsAt = numSyms;
        namesAt = names;
        return true;
      }
    }
    return false;
  }

  private boolean areNames(int names, int symbols, int markers, int width) {
    int[] offsets = new int[symbols];
    int at = names;
    for (int i = 0; i < symbols; i++) {
      if (i % PER_MARKER == 0 && at - names != marker(markers, width, i / PER_MARKER) || at + 2 > markers) {
        steps -= i;
        return false;
      }
      offsets[i] = at - names;
      int length = data[at++] & 0xff;
      if (length >= 0x80) {
        length = length & 0x7f | (data[at++] & 0xff) << 7;
      }
      if (length == 0 || length > markers - at) {
        return false;
      }
      at += length;
    }
    nameOffsets = offsets;
    return endsAt(at, markers);
  }

  private long marker(int markers, int width, int index) {
    return width == 4 ? Bytes.u32(data, markers + 4 * index) : Bytes.i64(data, markers + 8 * index);
  }

  private long[] findAddresses() {
    int count = nameOffsets.length;
    int after = tokenIndex + 2 * TOKENS;
    int relativeSize = align(4 * count);
    long[] found = relative(after, after + relativeSize);
    if (found == null) {
      found = relative(numSymsAt - 8 - relativeSize, numSymsAt - 8);
    }
    if (found == null) {
      found = placeRelative(after);
    }
    if (found == null) {
      found = absolute(after);
    }
    return found == null ? absolute(numSymsAt - 8 * count) : found;
  }

  private long[] relative(int offsetsAt, int baseAt) {
    int count = nameOffsets.length;
    if (offsetsAt < 0 || baseAt > data.length - 8) {
      return null;
    }
    long base = Bytes.i64(data, baseAt);
    if (!isKernelAddress(base)) {
      return null;
    }
    int negative = 0;
    for (int i = 0; i < count; i++) {
      negative += Bytes.i32(data, offsetsAt + 4 * i) >>> 31;
    }
    boolean absolutePerCpu = negative > count / 2;
    long[] addresses = new long[count];
    for (int i = 0; i < count; i++) {
      int offset = Bytes.i32(data, offsetsAt + 4 * i);
      addresses[i] = !absolutePerCpu ? base + (offset & 0xffff_ffffL) : offset >= 0 ? offset : base - 1 - offset;
    }
    return ascending(addresses) && isKernelAddress(addresses[count - 1]) ? addresses : null;
  }

  private long[] placeRelative(int at) {
    int count = nameOffsets.length;
    if (at > data.length - 4 * count) {
      return null;
    }
    long[] addresses = new long[count];
    for (int i = 0; i < count; i++) {
      addresses[i] = va + at + 4 * i + Bytes.i32(data, at + 4 * i);
    }
    return ascending(addresses) && isKernelAddress(addresses[0]) ? addresses : null;
  }

  private long[] absolute(int at) {
    int count = nameOffsets.length;
    if (at < 0 || at > data.length - 8L * count) {
      return null;
    }
    long[] addresses = new long[count];
    for (int i = 0; i < count; i++) {
      addresses[i] = Bytes.i64(data, at + 8 * i);
    }
    return ascending(addresses) && isKernelAddress(addresses[count - 1]) ? addresses : null;
  }

  private static boolean ascending(long[] addresses) {
    for (int i = 1; i < addresses.length; i++) {
      if (Long.compareUnsigned(addresses[i - 1], addresses[i]) > 0) {
        return false;
      }
    }
    return true;
  }

  /** Whether it is canonical and in the upper half. */
  private static boolean isKernelAddress(long va) {
    return va >> 47 == -1;
  }

  private void keepNamesOnly() {
    int last = nameOffsets.length - 1;
    int end = namesAt + nameOffsets[last];
    int length = data[end] & 0xff;
    end += length >= 0x80 ? 2 + (length & 0x7f | (data[end + 1] & 0xff) << 7) : 1 + length;
    data = Arrays.copyOfRange(data, namesAt, end);
  }

  /** Whether something that ends at {@code end} is followed by what begins at {@code next}, with the padding between. */
  private static boolean endsAt(int end, int next) {
    return next - end >= 0 && next - end < 8;
  }

  private static int align(int offset) {
    return offset + 7 & ~7;
  }

  @Override
  public int spell(int index, byte[] buffer) {
    int at = nameOffsets[index];
    int length = data[at++] & 0xff;
    if (length >= 0x80) {
      length = length & 0x7f | (data[at++] & 0xff) << 7;
    }
    int size = 0;
    // The first character is the type.
    int skip = 1;
    for (int i = 0; i < length; i++) {
      byte[] token = tokens[data[at + i] & 0xff];
      for (int j = skip; j < token.length && size < buffer.length; j++) {
        buffer[size++] = token[j];
      }
      skip = Math.max(0, skip - token.length);
    }
    return size;
  }

  @Override
  public char type(int index) {
    int at = nameOffsets[index];
    at += (data[at] & 0x80) != 0 ? 2 : 1;
    byte[] token = tokens[data[at] & 0xff];
    return token.length == 0 ? '?' : (char) (token[0] & 0xff);
  }
}
