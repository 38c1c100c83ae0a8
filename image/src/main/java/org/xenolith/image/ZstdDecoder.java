package org.xenolith.image;

import java.util.Arrays;

/**
 * Zstandard (RFC 8878) into one array. Linux's build asks for the largest windows there are ({@code zstd -22 --ultra}: 128 MiB); with all
 * the output in one array a window is nothing to make room for.
 */
final class ZstdDecoder {
  static final int MAX_BLOCK = 128 << 10;

  private static final int MAGIC = 0xfd2fb528;
  private static final int SKIPPABLE = 0x184d2a50;

  private static final FseTable DEFAULT_LITERALS =
      FseTable.of(
          6, 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1);
  private static final FseTable DEFAULT_OFFSETS =
      FseTable.of(5, 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1);
  private static final FseTable DEFAULT_MATCHES =
      FseTable.of(
          6, 1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
          1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1);

  private static final int MAX_LITERALS_CODE = 35;
  private static final int MAX_OFFSET_CODE = 31;
  private static final int MAX_MATCH_CODE = 52;

  /** Bits that follow a code, and the value they are added to. */
  private static final int[] LITERALS_BITS = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
  };

  private static final int[] MATCH_BITS = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8,
    9, 10, 11, 12, 13, 14, 15, 16
  };

  private static final int[] LITERALS_BASE = bases(0, LITERALS_BITS, 25, 64);
  private static final int[] MATCH_BASE = bases(3, MATCH_BITS, 43, 131);

  private final byte[] in;
  private final int size;
  private final Output out;
  private final ZstdLiterals literals = new ZstdLiterals();
  private final int[] recent = new int[3];
  private FseTable literalsTable;
  private FseTable offsetTable;
  private FseTable matchTable;
  private int at;

  ZstdDecoder(byte[] input, Output out) {
    // Bits are read 8 bytes at a time.
    this.in = Arrays.copyOf(input, input.length + 8);
    this.size = input.length;
    this.out = out;
  }

  /** Codes' base values follow from their widths, but for one jump where a width is left out. */
  private static int[] bases(int first, int[] bits, int jump, int jumpTo) {
    int[] bases = new int[bits.length];
    int base = first;
    for (int i = 0; i < bits.length; i++) {
      bases[i] = i == jump ? jumpTo : base;
      base = bases[i] + (1 << bits[i]);
    }
    return bases;
  }

  void decode() {
    do {
      int magic = i32();
      if ((magic & ~15) == SKIPPABLE) {
        int length = i32();
        need(length);
        at += length;
      } else if (magic == MAGIC) {
        frame();
      } else {
        throw ImageException.corrupt("no frame at 0x%x".formatted(at - 4));
      }
      // What follows the last frame is not ours: Linux's build appends the output's size.
    } while (size - at >= 8 && (Bytes.i32(in, at) == MAGIC || (Bytes.i32(in, at) & ~15) == SKIPPABLE));
  }

  private void frame() {
    int descriptor = u8();
    boolean single = (descriptor & 0x20) != 0;
    boolean checked = (descriptor & 4) != 0;
    if ((descriptor & 8) != 0) {
      throw ImageException.corrupt("a reserved bit in the frame header at 0x%x".formatted(at - 1));
    }
    if (!single) {
      u8(); // the window
    }
    long dictionary = number(new int[] {0, 1, 2, 4}[descriptor & 3]);
    if (dictionary != 0) {
      throw new ImageException("needs dictionary %d".formatted(dictionary), "compress it without a dictionary");
    }
    int sizeWidth = new int[] {single ? 1 : 0, 2, 4, 8}[descriptor >> 6];
    long expected = number(sizeWidth) + (sizeWidth == 2 ? 256 : 0);
    recent[0] = 1;
    recent[1] = 4;
    recent[2] = 8;
    literalsTable = null;
    offsetTable = null;
    matchTable = null;
    literals.reset();
    int start = out.size;
    boolean last;
    do {
      int header = (int) number(3);
      last = (header & 1) != 0;
      block(header >> 1 & 3, header >> 3);
    } while (!last);
    int length = out.size - start;
    if (sizeWidth > 0 && length != expected) {
      throw ImageException.corrupt("a frame of %d bytes that holds %d".formatted(expected, length));
    }
    if (checked && i32() != (int) XxHash64.of(out.bytes, start, length)) {
      throw ImageException.corrupt("the frame that ends at 0x%x fails its checksum".formatted(at));
    }
  }

  private void block(int type, int length) {
    switch (type) {
      case 0 -> {
        need(length);
        out.put(in, at, length);
        at += length;
      }
      case 1 -> {
        byte value = (byte) u8();
        out.reserve(length);
        Arrays.fill(out.bytes, out.size, out.size + length, value);
        out.size += length;
      }
      case 2 -> {
        need(length);
        if (length < 2 || length > MAX_BLOCK) {
          throw ImageException.corrupt("a block of %d bytes at 0x%x".formatted(length, at));
        }
        int end = at + length;
        out.reserve(MAX_BLOCK);
        sequences(literals.read(in, at, end), end);
        at = end;
      }
      default -> throw ImageException.corrupt("a block of reserved type at 0x%x".formatted(at));
    }
  }

  private void sequences(int start, int end) {
    int p = start;
    check(p < end, start);
    int count = in[p++] & 0xff;
    if (count == 255) {
      count = Bytes.u16(in, p) + 0x7f00;
      p += 2;
    } else if (count >= 128) {
      count = (count - 128 << 8) + (in[p++] & 0xff);
    }
    if (count == 0) {
      check(p == end, start);
      out.put(literals.bytes, 0, literals.size);
      return;
    }
    check(p < end, start);
    int modes = in[p++] & 0xff;
    check((modes & 3) == 0, start);
    FseTable.Read read = table(modes >> 6, p, end, 9, MAX_LITERALS_CODE, DEFAULT_LITERALS, literalsTable);
    literalsTable = read.table();
    read = table(modes >> 4 & 3, read.end(), end, 8, MAX_OFFSET_CODE, DEFAULT_OFFSETS, offsetTable);
    offsetTable = read.table();
    read = table(modes >> 2 & 3, read.end(), end, 9, MAX_MATCH_CODE, DEFAULT_MATCHES, matchTable);
    matchTable = read.table();
    run(count, new BackwardBits(in, read.end(), end - read.end()), start);
  }

  private FseTable.Read table(int mode, int p, int end, int maxLog, int maxSymbol, FseTable usual, FseTable previous) {
    switch (mode) {
      case 0:
        return new FseTable.Read(usual, p);
      case 1:
        check(p < end && (in[p] & 0xff) <= maxSymbol, p);
        return new FseTable.Read(FseTable.single(in[p] & 0xff), p + 1);
      case 2:
        return FseTable.read(in, p, end, maxLog, maxSymbol);
      default:
        check(previous != null, p);
        return new FseTable.Read(previous, p);
    }
  }

  private void run(int count, BackwardBits stream, int start) {
    FseTable literalCodes = literalsTable;
    FseTable offsetCodes = offsetTable;
    FseTable matchCodes = matchTable;
    int literalState = stream.read(literalCodes.log);
    int offsetState = stream.read(offsetCodes.log);
    int matchState = stream.read(matchCodes.log);
    int limit = out.size + MAX_BLOCK;
    int literalsAt = 0;
    for (int i = 0; i < count; i++) {
      int literalCode = literalCodes.symbol(literalState);
      int matchCode = matchCodes.symbol(matchState);
      int offsetCode = offsetCodes.symbol(offsetState);
      int offset = (1 << offsetCode) + stream.read(offsetCode);
      int length = MATCH_BASE[matchCode] + stream.read(MATCH_BITS[matchCode]);
      int plain = LITERALS_BASE[literalCode] + stream.read(LITERALS_BITS[literalCode]);
      if (i < count - 1) {
        literalState = literalCodes.next(literalState, stream);
        matchState = matchCodes.next(matchState, stream);
        offsetState = offsetCodes.next(offsetState, stream);
      }
      check(plain <= literals.size - literalsAt && plain + length <= limit - out.size, start);
      out.put(literals.bytes, literalsAt, plain);
      literalsAt += plain;
      out.repeat(distance(offset, plain), length);
    }
    check(stream.left() == 0 && literals.size - literalsAt <= limit - out.size, start);
    out.put(literals.bytes, literalsAt, literals.size - literalsAt);
  }

  /** What an offset value means: values 1 to 3 are the distances used last, with a shift by one after no literals. */
  private int distance(int value, int plain) {
    if (value > 3 || value < 0) {
      recent[2] = recent[1];
      recent[1] = recent[0];
      recent[0] = value - 3;
      return recent[0];
    }
    int index = plain == 0 ? value : value - 1;
    if (index == 0) {
      return recent[0];
    }
    int distance = index == 3 ? recent[0] - 1 : recent[index];
    if (index > 1) {
      recent[2] = recent[1];
    }
    recent[1] = recent[0];
    recent[0] = distance;
    return distance;
  }

  private void check(boolean right, int where) {
    if (!right) {
      throw ImageException.corrupt("the sequences at 0x%x".formatted(where));
    }
  }

  private void need(int length) {
    if (length < 0 || length > size - at) {
      throw ImageException.truncated("a block", at, length & 0xffff_ffffL, size);
    }
  }

  private int u8() {
    return (int) number(1);
  }

  private int i32() {
    return (int) number(4);
  }

  private long number(int width) {
    need(width);
    long value = 0;
    for (int i = 0; i < width; i++) {
      value |= (in[at + i] & 0xffL) << 8 * i;
    }
    at += width;
    return value;
  }
}
