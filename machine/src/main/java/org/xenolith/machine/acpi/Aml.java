package org.xenolith.machine.acpi;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;

/** Encodes ACPI machine language (chapter 20) and resource templates (section 6.4): as much as describes devices. */
public final class Aml {
  private static final int ZERO = 0x00, ONE = 0x01, NAME = 0x08, BYTE = 0x0a, WORD = 0x0b, DWORD = 0x0c, STRING = 0x0d, SCOPE = 0x10,
      BUFFER = 0x11, PACKAGE = 0x12, DUAL_NAME = 0x2e, ROOT = 0x5c, EXTENDED = 0x5b, DEVICE = 0x82;

  private Aml() {}

  /** A whole DSDT of these terms. */
  public static byte[] dsdt(byte[]... terms) {
    return Layout.table("DSDT", 2, join(terms));
  }

  // ---- Terms ----

  /** {@code Scope (path) {...}}. */
  public static byte[] scope(String path, byte[]... terms) {
    return join(bytes(SCOPE), withLength(join(path(path), join(terms))));
  }

  /** {@code Device (path) {...}}. */
  public static byte[] device(String path, byte[]... terms) {
    return join(bytes(EXTENDED, DEVICE), withLength(join(path(path), join(terms))));
  }

  /** {@code Name (path, object)}. */
  public static byte[] name(String path, byte[] object) {
    return join(bytes(NAME), path(path), object);
  }

  // ---- Objects ----

  /** An integer of at most 32 bits. */
  public static byte[] integer(long value) {
    if (value == 0 || value == 1) {
      return bytes(value == 0 ? ZERO : ONE);
    }
    if (value <= 0xff) {
      return bytes(BYTE, (int) value);
    }
    return value <= 0xffff
        ? join(bytes(WORD), Layout.buffer(2).putShort((short) value).array())
        : join(bytes(DWORD), Layout.buffer(4).putInt((int) value).array());
  }

  public static byte[] string(String text) {
    return join(bytes(STRING), Layout.ascii(text), bytes(0));
  }

  /** {@code Package () {...}}. */
  public static byte[] pack(byte[]... objects) {
    return join(bytes(PACKAGE), withLength(join(bytes(objects.length), join(objects))));
  }

  /** {@code EisaId ("PNP0A03")}: three letters of 5 bits, four hexadecimal digits, big-endian (section 19.6.36). */
  public static byte[] eisaId(String id) {
    int letters = (id.charAt(0) - '@') << 10 | (id.charAt(1) - '@') << 5 | id.charAt(2) - '@';
    int value = letters << 16 | Integer.parseInt(id.substring(3), 16);
    return integer(Integer.reverseBytes(value) & 0xffff_ffffL);
  }

  /** {@code ResourceTemplate () {...}}: a buffer of descriptors and their end. */
  public static byte[] resources(byte[]... descriptors) {
    byte[] content = join(join(descriptors), bytes(0x79, 0));
    return join(bytes(BUFFER), withLength(join(integer(content.length), content)));
  }

  // ---- Resource descriptors ----

  /** {@code IO (Decode16, first, first, 1, count)}. */
  public static byte[] ports(int first, int count) {
    return Layout.buffer(8).put((byte) 0x47).put((byte) 1).putShort((short) first).putShort((short) first).put((byte) 1).put((byte) count)
        .array();
  }

  /** {@code IRQNoFlags () {irq}}: edge-triggered, active high. */
  public static byte[] interrupt(int irq) {
    return Layout.buffer(3).put((byte) 0x22).putShort((short) (1 << irq)).array();
  }

  /** {@code WordBusNumber}: the bus numbers that a bridge hands out. */
  public static byte[] busNumbers(int first, int last) {
    return window16(2, 0, first, last);
  }

  /** {@code WordIO}: ports that a bridge hands out. */
  public static byte[] portWindow(int first, int last) {
    return window16(1, 3, first, last);
  }

  /** {@code DWordMemory}: addresses that a bridge hands out, not cached, writable. */
  public static byte[] memoryWindow(long first, long last) {
    ByteBuffer window = Layout.buffer(26).put((byte) 0x87).putShort((short) 23);
    window.put((byte) 0).put(PRODUCER).put((byte) 1);
    return window.putInt(0).putInt((int) first).putInt((int) last).putInt(0).putInt((int) (last - first + 1)).array();
  }

  /** General flags of a window: handed out by the bridge, both ends fixed. */
  private static final byte PRODUCER = 0xc;

  private static byte[] window16(int type, int typeFlags, int first, int last) {
    ByteBuffer window = Layout.buffer(16).put((byte) 0x88).putShort((short) 13);
    window.put((byte) type).put(PRODUCER).put((byte) typeFlags);
    return window.putShort((short) 0).putShort((short) first).putShort((short) last).putShort((short) 0)
        .putShort((short) (last - first + 1)).array();
  }

  // ---- Encoding ----

  /** A path of one or two names of up to four characters, from the root or not. */
  private static byte[] path(String path) {
    boolean root = path.startsWith("\\");
    String[] names = (root ? path.substring(1) : path).split("\\.");
    if (names.length > 2) {
      throw new IllegalArgumentException(path);
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    if (root) {
      bytes.write(ROOT);
    }
    if (names.length == 2) {
      bytes.write(DUAL_NAME);
    }
    for (String name : names) {
      bytes.writeBytes(Layout.ascii((name + "____").substring(0, 4)));
    }
    return bytes.toByteArray();
  }

  /** Puts the package length in front, which counts itself (section 20.2.4). */
  private static byte[] withLength(byte[] content) {
    if (content.length + 1 < 0x40) {
      return join(bytes(content.length + 1), content);
    }
    int extra = content.length + 2 < 0x1000 ? 1 : 2;
    int length = content.length + 1 + extra;
    byte[] head = new byte[1 + extra];
    head[0] = (byte) (extra << 6 | length & 0xf);
    for (int n = 0; n < extra; n++) {
      head[n + 1] = (byte) (length >>> 4 + 8 * n);
    }
    return join(head, content);
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int n = 0; n < values.length; n++) {
      bytes[n] = (byte) values[n];
    }
    return bytes;
  }

  private static byte[] join(byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }
}
