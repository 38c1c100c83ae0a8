package org.xenolith.cpu.silicon;

import java.util.HexFormat;

/** The image of FXSAVE64 (AMD64 APM volume 2, section 11.4.4), as far as two processors must agree on it. */
final class FxState {
  private static final int LAST_INSTRUCTION = 6;
  private static final int LAST_INSTRUCTION_END = 24;
  static final int MXCSR = 24;
  static final int MXCSR_MASK = 28;
  private static final int USED = 416;

  private FxState() {}

  /** The image without the last x87 instruction's pointers, the mask of MXCSR and the bytes that belong to nobody. */
  static byte[] comparable(byte[] image) {
    byte[] kept = new byte[USED];
    System.arraycopy(image, 0, kept, 0, USED);
    for (int at = LAST_INSTRUCTION; at < LAST_INSTRUCTION_END; at++) {
      kept[at] = 0;
    }
    for (int at = MXCSR_MASK; at < MXCSR_MASK + 4; at++) {
      kept[at] = 0;
    }
    for (int n = 0; n < 8; n++) {
      for (int at = 10; at < 16; at++) {
        kept[32 + 16 * n + at] = 0;
      }
    }
    return kept;
  }

  static String describe(byte[] image) {
    HexFormat hex = HexFormat.of();
    StringBuilder text = new StringBuilder();
    text.append("fcw=").append(hex.formatHex(image, 0, 2)).append(" fsw=").append(hex.formatHex(image, 2, 4)).append(" ftw=")
        .append(hex.formatHex(image, 4, 5)).append(" mxcsr=").append(hex.formatHex(image, 24, 28)).append(" (little-endian)");
    for (int n = 0; n < 8; n++) {
      text.append(n % 4 == 0 ? "\n    " : "  ").append("st").append(n).append('=').append(hex.formatHex(image, 32 + 16 * n, 42 + 16 * n));
    }
    for (int n = 0; n < 16; n++) {
      text.append(n % 2 == 0 ? "\n    " : "  ").append("xmm").append(n).append('=')
          .append(hex.formatHex(image, 160 + 16 * n, 176 + 16 * n));
    }
    return text.toString();
  }
}
