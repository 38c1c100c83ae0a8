package org.xenolith.image;

import java.util.Arrays;

/** The literals of a Zstandard block: plain, one byte repeated, or Huffman-coded (RFC 8878, 3.1.1.3.1 and 4.2). */
final class ZstdLiterals {
  private static final int RAW = 0;
  private static final int REPEATED = 1;
  private static final int TREELESS = 3;
  private static final int MAX_BITS = 11;
  private static final int MAX_WEIGHTS = 255;

  /** The literals of the block read last, {@link #size} bytes of it. */
  final byte[] bytes = new byte[ZstdDecoder.MAX_BLOCK];

  int size;
  private final short[] codes = new short[1 << MAX_BITS];
  private int codeBits;

  /** Before a frame: no code is known. */
  void reset() {
    codeBits = 0;
  }

  /** Reads the section that begins at {@code start}; returns where it ends. */
  int read(byte[] in, int start, int end) {
    int type = in[start] & 3;
    int format = in[start] >> 2 & 3;
    long word = Bytes.u32(in, start) | (long) (in[start + 4] & 0xff) << 32;
    return type == RAW || type == REPEATED ? readPlain(in, start, end, type, format, word) : readCoded(in, start, end, type, format, word);
  }

  private int readPlain(byte[] in, int start, int end, int type, int format, long word) {
    int header = format == 3 ? 3 : format == 1 ? 2 : 1;
    size = (int) (header == 1 ? word >> 3 & 0x1f : header == 2 ? word >> 4 & 0xfff : word >> 4 & 0xfffff);
    int at = start + header;
    int taken = type == RAW ? size : 1;
    check(taken <= end - at && size <= bytes.length, start);
    if (type == RAW) {
      System.arraycopy(in, at, bytes, 0, size);
    } else {
      Arrays.fill(bytes, 0, size, in[at]);
    }
    return at + taken;
  }

  private int readCoded(byte[] in, int start, int end, int type, int format, long word) {
    int width = format < 2 ? 10 : format == 2 ? 14 : 18;
    int at = start + (format < 2 ? 3 : format == 2 ? 4 : 5);
    size = (int) (word >> 4 & (1 << width) - 1);
    int packed = (int) (word >> 4 + width & (1 << width) - 1);
    check(size <= bytes.length && packed <= end - at, start);
    int sectionEnd = at + packed;
    if (type != TREELESS) {
      at = readCode(in, at, sectionEnd);
    }
    check(codeBits > 0, start);
    if (format == 0) {
      readStream(in, at, sectionEnd, 0, size);
      return sectionEnd;
    }
    check(sectionEnd - at >= 6, start);
    int part = (size + 3) / 4;
    check(size >= 3 * part, start);
    int streamAt = at + 6;
    for (int i = 0; i < 4; i++) {
      int streamEnd = i < 3 ? streamAt + Bytes.u16(in, at + 2 * i) : sectionEnd;
      check(streamEnd <= sectionEnd, start);
      readStream(in, streamAt, streamEnd, i * part, i < 3 ? (i + 1) * part : size);
      streamAt = streamEnd;
    }
    return sectionEnd;
  }

  private void readStream(byte[] in, int start, int end, int from, int to) {
    BackwardBits stream = new BackwardBits(in, start, end - start);
    short[] table = codes;
    int width = codeBits;
    for (int i = from; i < to; i++) {
      int code = table[stream.peek(width)];
      bytes[i] = (byte) code;
      stream.skip(code >> 8);
    }
    check(stream.left() == 0, start);
  }

  /** Reads a code's description: the weights of the symbols but the last, whose weight follows from the others. */
  private int readCode(byte[] in, int start, int end) {
    check(start < end, start);
    int header = in[start] & 0xff;
    int at = start + 1;
    int[] weights = new int[MAX_WEIGHTS + 1];
    int count;
    int codeEnd;
    if (header < 128) {
      codeEnd = at + header;
      check(codeEnd <= end, start);
      count = readWeights(in, at, codeEnd, weights);
    } else {
      count = header - 127;
      codeEnd = at + (count + 1) / 2;
      check(codeEnd <= end, start);
      for (int i = 0; i < count; i++) {
        weights[i] = in[at + i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
      }
    }
    int sum = 0;
    for (int i = 0; i < count; i++) {
      check(weights[i] <= MAX_BITS, start);
      sum += 1 << weights[i] >> 1;
    }
    check(sum > 0 && sum < 1 << MAX_BITS, start);
    int width = 32 - Integer.numberOfLeadingZeros(sum);
    int rest = (1 << width) - sum;
    check(Integer.bitCount(rest) == 1, start);
    weights[count] = Integer.numberOfTrailingZeros(rest) + 1;
    int cell = 0;
    for (int weight = 1; weight <= width; weight++) {
      for (int symbol = 0; symbol <= count; symbol++) {
        if (weights[symbol] == weight) {
          int cells = 1 << weight - 1;
          Arrays.fill(codes, cell, cell + cells, (short) (symbol | width + 1 - weight << 8));
          cell += cells;
        }
      }
    }
    codeBits = width;
    return codeEnd;
  }

  /** Weights coded with two alternating states of one table; returns how many there are. */
  private int readWeights(byte[] in, int start, int end, int[] weights) {
    FseTable.Read read = FseTable.read(in, start, end, 6, MAX_BITS);
    FseTable table = read.table();
    BackwardBits stream = new BackwardBits(in, read.end(), end - read.end());
    int state = stream.read(table.log);
    int other = stream.read(table.log);
    int count = 0;
    while (true) {
      check(count < MAX_WEIGHTS - 1, start);
      weights[count++] = table.symbol(state);
      int next = table.next(state, stream);
      if (stream.left() < 0) {
        weights[count++] = table.symbol(other);
        return count;
      }
      state = other;
      other = next;
    }
  }

  private static void check(boolean right, int at) {
    if (!right) {
      throw ImageException.corrupt("the literals at 0x%x".formatted(at));
    }
  }
}
