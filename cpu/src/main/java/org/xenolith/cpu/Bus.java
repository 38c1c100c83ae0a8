package org.xenolith.cpu;

/** Machine addresses that are not RAM. The machine implements it. */
public interface Bus {
  /** Reads {@code size} (1, 2, 4 or 8) bytes at {@code pa}, zero-extended. Nobody there: all ones. */
  long read(long pa, int size);

  /** Writes {@code size} (1, 2, 4 or 8) bytes at {@code pa}. Nobody there: ignored. */
  void write(long pa, int size, long value);

  /** A bus with nothing on it. */
  Bus EMPTY =
      new Bus() {
        @Override
        public long read(long pa, int size) {
          return -1L >>> (64 - 8 * size);
        }

        @Override
        public void write(long pa, int size, long value) {}
      };
}
