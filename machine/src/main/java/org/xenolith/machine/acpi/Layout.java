package org.xenolith.machine.acpi;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** What system description tables have in common: little-endian fields, the header of 36 bytes, the checksum (section 5.2.6). */
final class Layout {
  /** Bytes of a table's header. */
  static final int HEADER = 36;

  private static final String OEM = "XENLTH", OEM_TABLE = "XENOLITH", CREATOR = "XENO";

  private Layout() {}

  static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  /** A whole table. */
  static byte[] table(String signature, int revision, byte[] body) {
    ByteBuffer table = buffer(HEADER + body.length);
    table.put(ascii(signature)).putInt(table.capacity()).put((byte) revision).put((byte) 0);
    table.put(ascii(OEM)).put(ascii(OEM_TABLE)).putInt(1).put(ascii(CREATOR)).putInt(1);
    table.put(body);
    byte[] bytes = table.array();
    bytes[9] = checksum(bytes, 0, bytes.length);
    return bytes;
  }

  /** The root pointer of revision 2 (section 5.2.5.3). */
  static byte[] rootPointer(long xsdt) {
    ByteBuffer pointer = buffer(36);
    pointer.put(ascii("RSD PTR ")).put((byte) 0).put(ascii(OEM)).put((byte) 2).putInt(0).putInt(36).putLong(xsdt);
    byte[] bytes = pointer.array();
    bytes[8] = checksum(bytes, 0, 20);
    bytes[32] = checksum(bytes, 0, 36);
    return bytes;
  }

  /** What makes the sum of all bytes 0. */
  private static byte checksum(byte[] bytes, int from, int to) {
    int sum = 0;
    for (int n = from; n < to; n++) {
      sum += bytes[n];
    }
    return (byte) -sum;
  }
}
