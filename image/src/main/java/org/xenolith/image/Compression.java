package org.xenolith.image;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.tukaani.xz.LZMAInputStream;
import org.tukaani.xz.SingleXZInputStream;

/** The ways Linux compresses its payload (Linux: {@code lib/decompress.c}, {@code scripts/Makefile.lib}), told by their first bytes. */
public enum Compression {
  NONE,
  GZIP(0x1f, 0x8b),
  BZIP2('B', 'Z', 'h'),
  XZ(0xfd, '7', 'z', 'X', 'Z', 0),
  LZMA(0x5d, 0, 0),
  LZO(0x89, 'L', 'Z', 'O', 0),
  LZ4(0x02, 0x21, 0x4c, 0x18),
  ZSTD(0x28, 0xb5, 0x2f, 0xfd);

  /** The largest image taken, in bytes: Linux maps at most 1 GiB for itself on x86-64 (KERNEL_IMAGE_SIZE). */
  private static final int MAX_IMAGE = 1 << 30;

  /** How much larger than its stream an image may be, beyond the first 16 MiB: real kernels shrink to a tenth. */
  private static final int MAX_RATIO = 100;

  private static final int MAX_STREAM = 512 << 20;

  /** The largest dictionary that an xz or lzma stream may ask for, in KiB: twice the largest that xz itself offers in its presets. */
  private static final int MAX_DICTIONARY_KIB = 128 << 10;

  private final int[] magic;

  Compression(int... magic) {
    this.magic = magic;
  }

  /** What the bytes at {@code offset} begin; {@link #NONE} if nothing that is known here. */
  static Compression of(Bytes bytes, long offset) {
    for (Compression compression : values()) {
      if (compression != NONE && compression.begins(bytes, offset)) {
        return compression;
      }
    }
    return NONE;
  }

  private boolean begins(Bytes bytes, long offset) {
    if (!bytes.contains(offset, magic.length)) {
      return false;
    }
    for (int i = 0; i < magic.length; i++) {
      if (bytes.u8("magic", offset + i) != magic[i]) {
        return false;
      }
    }
    return true;
  }

  /** The name that Linux's configuration and the tools use, such as {@code xz}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Decompresses one stream. What follows the stream's end is not looked at.
   *
   * @param offset where the stream is in {@code bytes}
   * @param length its size in bytes; more may follow the stream's end
   * @param expected size of the output where it is known, else 0: a hint, not believed
   * @throws ImageException if the stream is corrupt or truncated, or its output larger than any kernel or than the heap
   */
  MemorySegment decompress(Bytes bytes, long offset, long length, long expected) {
    if (length > MAX_STREAM) {
      throw new ImageException("%d MiB of %s data".formatted(length >> 20, label()), "no kernel is that large; get the file again");
    }
    try {
      int limit = (int) Math.min(MAX_IMAGE, (16 << 20) + length * MAX_RATIO);
      Output output = new Output((int) Math.min(expected, limit), limit);
      decompress(bytes.copy("the payload", offset, (int) length), output);
      return MemorySegment.ofArray(output.bytes).asSlice(0, output.size);
    } catch (EOFException e) {
      throw new ImageException("truncated: the %s stream ends early".formatted(label()), "get the file again", e);
    } catch (IOException | RuntimeException e) {
      if (e instanceof ImageException known) {
        throw new ImageException(label() + " stream: " + known.problem(), known.advice(), known);
      }
      // The decoders index arrays with what they read; Java's own checks are what bounds them.
      throw new ImageException("corrupt: %s stream (%s)".formatted(label(), oneLine(e)), "get the file again", e);
    } catch (OutOfMemoryError e) {
      throw new ImageException(
          "the %s stream needs more heap than the %d MiB there are".formatted(label(), Runtime.getRuntime().maxMemory() >> 20),
          "give the JVM more with -Xmx",
          e);
    }
  }

  private void decompress(byte[] input, Output output) throws IOException {
    switch (this) {
      case GZIP -> drain(new GZIPInputStream(new ByteArrayInputStream(input), 1 << 16), output);
      case BZIP2 -> drain(new BZip2CompressorInputStream(new ByteArrayInputStream(input), false), output);
      case XZ -> drain(new SingleXZInputStream(new ByteArrayInputStream(input), MAX_DICTIONARY_KIB + 1024), output);
      case LZMA -> drain(new LZMAInputStream(new ByteArrayInputStream(input), MAX_DICTIONARY_KIB + 1024), output);
      case LZO -> LzoDecoder.decode(input, output);
      case LZ4 -> Lz4Decoder.decode(input, output);
      case ZSTD -> new ZstdDecoder(input, output).decode();
      case NONE -> throw new IllegalStateException("nothing to decompress");
    }
  }

  private static void drain(InputStream in, Output output) throws IOException {
    try (in) {
      output.drain(in);
    }
  }

  private static String oneLine(Exception e) {
    String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    return message.lines().findFirst().orElse("");
  }
}
