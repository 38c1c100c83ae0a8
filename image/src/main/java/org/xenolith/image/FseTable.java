package org.xenolith.image;

/** A decoding table of finite state entropy (RFC 8878, 4.1): a state gives a symbol, and with some more bits the next state. */
final class FseTable {
  private static final int MIN_LOG = 5;

  /** The number of bits that a state has. */
  final int log;

  private final byte[] symbols;
  private final byte[] bits;
  private final short[] bases;

  private FseTable(int log) {
    this.log = log;
    symbols = new byte[1 << log];
    bits = new byte[1 << log];
    bases = new short[1 << log];
  }

  /** A table with one state, which always means {@code symbol}. */
  static FseTable single(int symbol) {
    FseTable table = new FseTable(0);
    table.symbols[0] = (byte) symbol;
    return table;
  }

  /**
   * @param counts how many of the states each symbol has, -1 for a symbol rarer than one state
   */
  static FseTable of(int log, int... counts) {
    FseTable table = new FseTable(log);
    int size = 1 << log;
    int high = size - 1;
    int[] next = new int[counts.length];
    for (int symbol = 0; symbol < counts.length; symbol++) {
      next[symbol] = Math.abs(counts[symbol]);
      if (counts[symbol] == -1) {
        table.symbols[high--] = (byte) symbol;
      }
    }
    int step = (size >> 1) + (size >> 3) + 3;
    int at = 0;
    for (int symbol = 0; symbol < counts.length; symbol++) {
      for (int i = 0; i < counts[symbol]; i++) {
        table.symbols[at] = (byte) symbol;
        do {
          at = at + step & size - 1;
        } while (at > high);
      }
    }
    for (int state = 0; state < size; state++) {
      int order = next[table.symbols[state]]++;
      int count = log - (31 - Integer.numberOfLeadingZeros(order));
      table.bits[state] = (byte) count;
      table.bases[state] = (short) ((order << count) - size);
    }
    return table;
  }

  /** A table read from a stream, and where it ends there. */
  record Read(FseTable table, int end) {}

  /**
   * Reads a table description.
   *
   * @param end where the data that hold it end
   */
  static Read read(byte[] in, int start, int end, int maxLog, int maxSymbol) {
    long at = start * 8L;
    int log = (in[start] & 15) + MIN_LOG;
    at += 4;
    if (log > maxLog) {
      throw ImageException.corrupt("a table of 2^%d states at 0x%x".formatted(log, start));
    }
    int[] counts = new int[maxSymbol + 1];
    int remaining = 1 << log;
    int symbol = 0;
    while (remaining > 0) {
      if (symbol > maxSymbol || at >> 3 >= end) {
        throw ImageException.corrupt("the table at 0x%x".formatted(start));
      }
      // A value is at most remaining + 1 and takes as many bits as that, but the lower ones take a bit less.
      int width = 32 - Integer.numberOfLeadingZeros(remaining + 1);
      int value = bits(in, at, width);
      int shorter = (1 << width) - 1 - (remaining + 1);
      int low = value & (1 << width - 1) - 1;
      if (low < shorter) {
        value = low;
        at += width - 1;
      } else {
        value = value >= 1 << width - 1 ? value - shorter : value;
        at += width;
      }
      int count = value - 1;
      counts[symbol++] = count;
      remaining -= Math.abs(count);
      if (count == 0) {
        int repeat;
        do {
          repeat = bits(in, at, 2);
          at += 2;
          symbol += repeat;
        } while (repeat == 3 && symbol <= maxSymbol);
      }
    }
    int tableEnd = (int) (at + 7 >> 3);
    if (remaining != 0 || tableEnd > end) {
      throw ImageException.corrupt("the table at 0x%x".formatted(start));
    }
    return new Read(of(log, counts), tableEnd);
  }

  private static int bits(byte[] in, long at, int width) {
    int word = Bytes.i32(in, (int) (at >> 3));
    return word >>> (int) (at & 7) & (1 << width) - 1;
  }

  int symbol(int state) {
    return symbols[state] & 0xff;
  }

  int next(int state, BackwardBits stream) {
    return bases[state] + stream.read(bits[state]);
  }
}
