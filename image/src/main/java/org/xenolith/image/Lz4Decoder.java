package org.xenolith.image;

/**
 * LZ4 in its legacy framing, which is what {@code lz4 -l} makes and Linux's build uses: a magic number, then blocks of at most 8 MiB, each
 * behind its compressed size (lz4: {@code doc/lz4_Frame_format.md} and {@code lz4_Block_format.md}). It has no checksum and no end mark.
 */
final class Lz4Decoder {
  private static final int MAGIC = 0x184c2102;
  private static final int MAX_BLOCK = 8 << 20;

  private Lz4Decoder() {}

  static void decode(byte[] in, Output out) {
    int at = 4;
    while (in.length - at >= 4) {
      int size = Bytes.i32(in, at);
      if (size == MAGIC) {
        at += 4;
        continue;
      }
      // Linux's build appends the size of the whole output; a block of that size has no room after it.
      if (in.length - at == 4 && size == out.size) {
        return;
      }
      at += 4;
      if (size <= 0 || size > in.length - at) {
        throw ImageException.truncated("a block", at, size & 0xffff_ffffL, in.length);
      }
      int before = out.size;
      block(in, at, at + size, out);
      if (out.size - before > MAX_BLOCK) {
        throw ImageException.corrupt("the block at 0x%x holds more than 8 MiB".formatted(at));
      }
      at += size;
    }
    if (at != in.length || out.size == 0) {
      throw ImageException.truncated("a block's size", at, 4, in.length);
    }
  }

  private static void block(byte[] in, int start, int end, Output out) {
    int at = start;
    while (at < end) {
      int token = in[at++] & 0xff;
      int literals = token >>> 4;
      if (literals == 15) {
        int more;
        do {
          more = in[at++] & 0xff;
          literals += more;
        } while (more == 255);
      }
      if (literals > end - at) {
        throw ImageException.truncated("literals", at, literals, end);
      }
      out.put(in, at, literals);
      at += literals;
      if (at == end) {
        return; // the last sequence has no match
      }
      int distance = Bytes.u16(in, at);
      at += 2;
      int length = (token & 15) + 4;
      if (length == 19) {
        int more;
        do {
          more = in[at++] & 0xff;
          length += more;
        } while (more == 255);
      }
      out.repeat(distance, length);
    }
  }
}
