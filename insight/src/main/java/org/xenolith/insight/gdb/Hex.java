package org.xenolith.insight.gdb;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/** Numbers and bytes as the protocol writes them. */
final class Hex {
  private static final HexFormat FORMAT = HexFormat.of();

  private Hex() {}

  /** Bytes, each two digits. */
  static String of(byte[] bytes) {
    return FORMAT.formatHex(bytes);
  }

  /** The bytes of a text, each two digits. */
  static String of(String text) {
    return of(text.getBytes(StandardCharsets.UTF_8));
  }

  /** @throws IllegalArgumentException if they are no pairs of digits */
  static byte[] bytes(String digits) {
    return FORMAT.parseHex(digits);
  }

  /** @throws IllegalArgumentException if they are no bytes of a text in hex */
  static String text(String digits) {
    return new String(bytes(digits), StandardCharsets.UTF_8);
  }

  /** @throws NumberFormatException if it is no number of up to 64 bits */
  static long number(String digits) {
    return Long.parseUnsignedLong(digits, 16);
  }
}
