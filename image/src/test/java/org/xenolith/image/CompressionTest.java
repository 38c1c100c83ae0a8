package org.xenolith.image;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.tukaani.xz.FilterOptions;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.LZMAOutputStream;
import org.tukaani.xz.X86Options;
import org.tukaani.xz.XZ;
import org.tukaani.xz.XZOutputStream;

class CompressionTest {
  static final byte[] CONTENT = Samples.mixed(200_000);

  /** {@link #CONTENT} compressed as Linux's build does it, without the size it appends. */
  static byte[] packed(Compression compression) throws IOException {
    return switch (compression) {
      case GZIP -> pack(GZIPOutputStream::new);
      case BZIP2 -> pack(out -> new BZip2CompressorOutputStream(out, 9));
      case XZ -> pack(out -> new XZOutputStream(out, new FilterOptions[] {new X86Options(), new LZMA2Options(6)}, XZ.CHECK_CRC32));
      case LZMA -> pack(out -> new LZMAOutputStream(out, new LZMA2Options(6), -1));
      case LZO -> resource("mixed.lzo");
      case LZ4 -> resource("mixed.lz4");
      case ZSTD -> resource("mixed.zst");
      case NONE -> CONTENT;
    };
  }

  private interface Packer {
    OutputStream around(OutputStream out) throws IOException;
  }

  private static byte[] pack(Packer packer) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out = packer.around(bytes)) {
      out.write(CONTENT);
    }
    return bytes.toByteArray();
  }

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = CompressionTest.class.getResourceAsStream(name)) {
      return in.readAllBytes();
    }
  }

  private static byte[] unpack(Compression compression, byte[] stream, long expected) {
    Bytes bytes = new Bytes(MemorySegment.ofArray(stream));
    return compression.decompress(bytes, 0, stream.length, expected).toArray(JAVA_BYTE);
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
  void streamIsToldByItsFirstBytesAndUnpacked(Compression compression) throws IOException {
    byte[] stream = packed(compression);
    assertThat(Compression.of(new Bytes(MemorySegment.ofArray(stream)), 0)).isEqualTo(compression);
    assertThat(unpack(compression, stream, CONTENT.length)).isEqualTo(CONTENT);
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
  void wrongSizeHintDoesNotMatter(Compression compression) throws IOException {
    byte[] stream = packed(compression);
    assertThat(unpack(compression, stream, 0)).isEqualTo(CONTENT);
    assertThat(unpack(compression, stream, 1)).isEqualTo(CONTENT);
    assertThat(unpack(compression, stream, 0xffff_ffffL)).isEqualTo(CONTENT);
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = {"NONE", "GZIP"})
  void sizeBehindTheStreamIsNotTakenForAPartOfIt(Compression compression) throws IOException {
    byte[] stream = Samples.sized(packed(compression), CONTENT.length);
    assertThat(unpack(compression, stream, CONTENT.length)).isEqualTo(CONTENT);
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
  void truncatedStreamIsRefused(Compression compression) throws IOException {
    byte[] stream = packed(compression);
    for (int length = 4; length < stream.length - 8; length += 1 + length / 3) {
      byte[] cut = Arrays.copyOf(stream, length);
      assertThatThrownBy(() -> unpack(compression, cut, CONTENT.length))
          .isInstanceOf(ImageException.class)
          .hasMessageContaining(compression.label());
    }
  }

  @Test
  void streamThatGrowsBeyondAnyKernelIsRefused() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(bytes)) {
      byte[] zeros = new byte[1 << 20];
      for (int i = 0; i < 64; i++) {
        out.write(zeros);
      }
    }
    byte[] bomb = bytes.toByteArray();
    assertThatThrownBy(() -> unpack(Compression.GZIP, bomb, 0))
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("decompresses to more than");
  }

  @ParameterizedTest
  @CsvSource({
    "ZSTD, zstd -q -1", "ZSTD, zstd -q -9", "ZSTD, zstd -q -16", "ZSTD, zstd -q --no-check -3", "LZ4, lz4 -q -l -1", "LZ4, lz4 -q -l -9",
    "LZO, lzop -q -1", "LZO, lzop -q -6", "LZO, lzop -q -9", "LZMA, lzma -q -9", "BZIP2, bzip2 -1"
  })
  void whatTheSystemsToolMakesIsUnpacked(Compression compression, String command, @TempDir Path folder) throws Exception {
    String[] words = (command + " -c").split(" ");
    assumeTrue(Arrays.stream(System.getenv("PATH").split(":")).anyMatch(p -> Files.isExecutable(Path.of(p, words[0]))), words[0]);
    for (int size : new int[] {1, 100, 131_073, 500_000}) {
      byte[] content = Samples.mixed(size);
      Path plain = Files.write(folder.resolve("plain"), content);
      Path packed = folder.resolve("packed");
      Process tool = new ProcessBuilder(words).redirectInput(plain.toFile()).redirectOutput(packed.toFile()).start();
      assertThat(tool.waitFor()).isZero();
      assertThat(unpack(compression, Files.readAllBytes(packed), 0)).isEqualTo(content);
    }
  }
}
