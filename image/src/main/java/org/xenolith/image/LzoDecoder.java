package org.xenolith.image;

import java.util.zip.Adler32;

/**
 * LZO1X in the framing of lzop, as Linux's build makes it: a header, then blocks behind their two sizes and checksums, then a zero.
 * Formats: Linux {@code Documentation/staging/lzo.rst} for the stream, {@code lib/decompress_unlzo.c} for the framing. Numbers in the
 * framing are big-endian.
 */
final class LzoDecoder {
  /** The largest block lzop makes. */
  private static final int MAX_BLOCK = 64 << 20;

  private static final int FLAG_ADLER32_PLAIN = 0x1;
  private static final int FLAG_ADLER32_COMPRESSED = 0x2;
  private static final int FLAG_EXTRA_FIELD = 0x40;
  private static final int FLAG_CRC32_PLAIN = 0x100;
  private static final int FLAG_CRC32_COMPRESSED = 0x200;
  private static final int FLAG_FILTER = 0x800;

  private final byte[] in;
  private final Output out;
  private int at;

  private LzoDecoder(byte[] in, Output out) {
    this.in = in;
    this.out = out;
  }

  static void decode(byte[] in, Output out) {
    new LzoDecoder(in, out).decode();
  }

  private void decode() {
    int flags = header();
    while (true) {
      int plainSize = i32();
      if (plainSize == 0) {
        return;
      }
      int packedSize = i32();
      if (plainSize < 0 || plainSize > MAX_BLOCK || packedSize <= 0 || packedSize > plainSize) {
        throw ImageException.corrupt("a block of %d bytes out of %d at 0x%x".formatted(plainSize, packedSize, at));
      }
      boolean checked = (flags & FLAG_ADLER32_PLAIN) != 0;
      int sum = checked ? i32() : 0;
      at += (flags & FLAG_CRC32_PLAIN) != 0 ? 4 : 0;
      if (packedSize < plainSize) {
        at += (flags & FLAG_ADLER32_COMPRESSED) != 0 ? 4 : 0;
        at += (flags & FLAG_CRC32_COMPRESSED) != 0 ? 4 : 0;
      }
      int start = out.size;
      if (packedSize == plainSize) {
        out.put(in, at, plainSize);
      } else {
        block(at, packedSize, plainSize);
      }
      at += packedSize;
      if (checked) {
        Adler32 adler = new Adler32();
        adler.update(out.bytes, start, plainSize);
        if ((int) adler.getValue() != sum) {
          throw ImageException.corrupt("the block that ends at 0x%x fails its checksum".formatted(at));
        }
      }
    }
  }

  /** Skips the header; returns its flags. */
  private int header() {
    at = 9; // magic
    int version = u16();
    boolean newer = version >= 0x940;
    at += newer ? 4 : 2; // versions of the library
    at += newer ? 2 : 1; // method and level
    int flags = i32();
    at += (flags & FLAG_FILTER) != 0 ? 4 : 0;
    at += newer ? 12 : 8; // mode and times
    at += 1 + (in[at] & 0xff); // name
    at += 4; // checksum
    if ((flags & FLAG_EXTRA_FIELD) != 0) {
      int length = i32();
      if (length < 0 || length > in.length - at) {
        throw ImageException.truncated("an extra field", at, length & 0xffff_ffffL, in.length);
      }
      at += length + 4;
    }
    return flags;
  }

  private void block(int start, int packedSize, int plainSize) {
    int end = start + packedSize;
    if (end > in.length) {
      throw ImageException.truncated("a block", start, packedSize, in.length);
    }
    int limit = out.size + plainSize;
    int p = start;
    // How many literals the last instruction copied, 4 meaning 4 or more: it decides what an instruction below 16 means.
    int literals = 0;
    int first = in[p] & 0xff;
    if (first > 17) {
      p++;
      out.put(in, p, first - 17);
      p += first - 17;
      literals = Math.min(first - 17, 4);
    }
    while (p < end) {
      int op = in[p++] & 0xff;
      int length;
      int distance;
      int tail = op & 3;
      if (op < 16 && literals == 0) {
        int count = op;
        if (count == 0) {
          int zeros = zeros(p, end);
          p += zeros;
          count = 15 + 255 * zeros + (in[p++] & 0xff);
        }
        count += 3;
        out.put(in, p, count);
        p += count;
        literals = 4;
        continue;
      } else if (op < 16 && literals < 4) {
        length = 2;
        distance = 1 + (op >> 2) + ((in[p++] & 0xff) << 2);
      } else if (op < 16) {
        length = 3;
        distance = 0x801 + (op >> 2) + ((in[p++] & 0xff) << 2);
      } else if (op >= 64) {
        length = (op >> 5) + 1;
        distance = 1 + (op >> 2 & 7) + ((in[p++] & 0xff) << 3);
      } else {
        int mask = op >= 32 ? 31 : 7;
        length = op & mask;
        if (length == 0) {
          int zeros = zeros(p, end);
          p += zeros;
          length = mask + 255 * zeros + (in[p++] & 0xff);
        }
        length += 2;
        int word = Bytes.u16(in, p);
        p += 2;
        tail = word & 3;
        distance = word >> 2;
        if (op >= 32) {
          distance += 1;
        } else {
          distance += (op & 8) << 11;
          if (distance == 0) {
            if (p != end || out.size != limit) {
              throw ImageException.corrupt("the block at 0x%x ends at the wrong place".formatted(start));
            }
            return;
          }
          distance += 0x4000;
        }
      }
      out.repeat(distance, length);
      out.put(in, p, tail);
      p += tail;
      literals = tail;
      if (out.size > limit) {
        throw ImageException.corrupt("the block at 0x%x holds more than it says".formatted(start));
      }
    }
    throw ImageException.truncated("an end mark", p, 3, end);
  }

  private int zeros(int from, int end) {
    int p = from;
    while (p < end && in[p] == 0) {
      p++;
    }
    if (p - from > MAX_BLOCK / 255) {
      throw ImageException.corrupt("a length of more than 64 MiB at 0x%x".formatted(from));
    }
    return p - from;
  }

  private int u16() {
    at += 2;
    return (in[at - 2] & 0xff) << 8 | in[at - 1] & 0xff;
  }

  private int i32() {
    return u16() << 16 | u16();
  }
}
