package org.xenolith.image;

import java.util.HexFormat;

/**
 * An ELF note.
 *
 * @param owner who defines its types, such as {@code Xen} or {@code GNU}
 * @param type number, by owner
 * @param data its descriptor; not to be written to
 * @param fromSegment whether a program header leads to it; else only a section header does
 */
public record Note(String owner, int type, byte[] data, boolean fromSegment) {
  /** Its number as Xen's {@code elf_note_numeric} reads it: 1, 2, 4 or 8 little-endian bytes; a descriptor of any other size is 0. */
  public long number() {
    return switch (data.length) {
      case 1 -> data[0] & 0xff;
      case 2 -> Bytes.u16(data, 0);
      case 4 -> Bytes.u32(data, 0);
      case 8 -> Bytes.i64(data, 0);
      default -> 0;
    };
  }

  /** Its text, up to a NUL or to its end. */
  public String text() {
    return Bytes.text(data, 0, data.length);
  }

  /** Its bytes in hexadecimal. */
  public String hex() {
    return HexFormat.of().formatHex(data);
  }

  @Override
  public String toString() {
    return owner + " " + type + " " + hex();
  }
}
