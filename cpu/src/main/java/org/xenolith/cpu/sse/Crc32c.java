package org.xenolith.cpu.sse;

/** The CRC32 instruction of SSE4.2: CRC-32C (polynomial 0x11EDC6F41, bits reflected) without inversion. Intel manual volume 2, CRC32. */
public final class Crc32c {
  private static final int REFLECTED_POLYNOMIAL = 0x82F63B78;
  private static final int[] TABLE = table();

  private Crc32c() {}

  private static int[] table() {
    int[] table = new int[256];
    for (int i = 0; i < 256; i++) {
      int crc = i;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) != 0 ? crc >>> 1 ^ REFLECTED_POLYNOMIAL : crc >>> 1;
      }
      table[i] = crc;
    }
    return table;
  }

  /** The checksum after the low {@code bytes} bytes (1, 2, 4 or 8) of the data. */
  public static int update(int crc, long data, int bytes) {
    for (int i = 0; i < bytes; i++) {
      crc = crc >>> 8 ^ TABLE[(crc ^ (int) (data >>> i * 8)) & 0xFF];
    }
    return crc;
  }
}
