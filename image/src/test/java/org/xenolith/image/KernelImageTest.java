package org.xenolith.image;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.image.ImageSummary.SectionSummary;

class KernelImageTest {
  private static final byte[] GUEST = Samples.guest().build();

  static byte[] gzip(byte[] content) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(bytes)) {
      out.write(content);
    }
    return bytes.toByteArray();
  }

  @Test
  void bzImageGivesItsKernel(@TempDir Path folder) throws IOException {
    Path file = Files.write(folder.resolve("vmlinuz"), Samples.bzImage(gzip(GUEST)));
    KernelImage image = KernelImage.read(file);
    assertThat(image.format()).isEqualTo(KernelImage.Format.BZIMAGE);
    assertThat(image.compression()).isEqualTo(Compression.GZIP);
    assertThat(image.release()).contains("6.1.0-head");
    assertThat(image.banner()).contains("Linux version 6.1.0-test (somebody@somewhere) #1 SMP");
    assertThat(image.buildId()).contains("deadbeef");
    assertThat(image.pvhEntry()).isEqualTo(0x1000850);
    assertThat(image.elf().segments().getFirst().data().toArray(JAVA_BYTE)).hasSize(20_000);
    assertThat(image.is32Bit()).isFalse();
  }

  @Test
  void payloadThatIsNotCompressedIsTaken() {
    KernelImage image = Samples.read(Samples.bzImage(GUEST));
    assertThat(image.compression()).isEqualTo(Compression.NONE);
    assertThat(image.elf().segments()).hasSize(2);
  }

  @Test
  void elfFileIsTakenPlainAndCompressed() throws IOException {
    assertThat(Samples.read(GUEST).release()).contains("6.1.0-test");
    KernelImage packed = Samples.read(gzip(GUEST));
    assertThat(packed.format()).isEqualTo(KernelImage.Format.ELF);
    assertThat(packed.compression()).isEqualTo(Compression.GZIP);
    assertThat(packed.pvLayout()).isEqualTo(Samples.read(GUEST).pvLayout());
  }

  @Test
  void relocationsBehindTheKernelDoNotMatter() throws IOException {
    byte[] relocated = Arrays.copyOf(GUEST, GUEST.length + 4_000);
    assertThat(Samples.read(Samples.bzImage(gzip(relocated))).elf().segments()).hasSize(2);
  }

  @Test
  void kernelFor32BitsIsRecognised() {
    ElfBuilder builder = new ElfBuilder(false).load(0x100000, 0x100000, 7, new byte[16], 16);
    builder.machine = Elf.MACHINE_I386;
    KernelImage image = Samples.read(builder.build());
    assertThat(image.is32Bit()).isTrue();
    assertThatThrownBy(image::require64Bit).isInstanceOf(ImageException.class).hasMessageContaining("32-bit kernel");
    byte[] head = Samples.bzImage(GUEST);
    head[0x236] = 0;
    assertThat(Samples.read(head).is32Bit()).isTrue();
    Samples.read(GUEST).require64Bit();
  }

  @Test
  void summaryHoldsWhatAnInspectionPrints() throws IOException {
    ImageSummary summary = Samples.read(Samples.bzImage(gzip(GUEST))).summary();
    assertThat(summary.format()).isEqualTo("bzimage");
    assertThat(summary.compression()).isEqualTo("gzip");
    assertThat(summary.machine()).isEqualTo("x86-64");
    assertThat(summary.elfSize()).isEqualTo(GUEST.length);
    assertThat(summary.segments()).hasSize(2).first().satisfies(s -> assertThat(s.va()).isEqualTo("0xffffffff81000000"));
    assertThat(summary.sections()).containsExactly(new SectionSummary(".BTF", "0xffffffff81000100", 100));
    assertThat(summary.xenNotes())
        .containsEntry("SUPPORTED_FEATURES", "0x8801 [writable_page_tables, dom0, linux_rsdp_unrestricted]")
        .containsEntry("VIRT_BASE", "0xffffffff80000000")
        .containsEntry("LOADER", "generic");
    assertThat(summary.pv()).isEmpty();
    assertThat(summary.pvh()).isEmpty();
    assertThat(summary.symbolSource()).isEqualTo("none");
  }

  @Test
  void summaryOfAGuestThatIsNoneSaysWhy() {
    ImageSummary summary = Samples.read(new ElfBuilder(true).load(0, 0, 7, new byte[16], 16).build()).summary();
    assertThat(summary.pv()).contains("no Xen notes");
    assertThat(summary.pvh()).isEqualTo("no note PHYS32_ENTRY");
  }

  @Test
  void whatIsNoKernelIsNamed(@TempDir Path folder) throws IOException {
    refused(folder, "a directory");
    refused(folder.resolve("absent"), "no such file");
    refused(Files.createFile(folder.resolve("nothing")), "empty");
    refused(write(folder, "Hello, this is a text."), "neither a bzImage nor an ELF file");
    refused(write(folder, "!<arch>\ndebian-binary"), "Debian package");
    refused(write(folder, "070701" + "0".repeat(100)), "cpio archive");
    refused(write(folder, "MZ" + "\0".repeat(100)), "EFI or DOS program");
    refused(write(folder, "MZ" + "\0".repeat(0x36) + "ARM\u0064"), "arm64");
  }

  @Test
  void unifiedKernelImageIsNamed(@TempDir Path folder) throws IOException {
    var out = ElfBuilder.buffer(0x200).putShort((short) 0x5a4d).putInt(0x3c, 0x40).putInt(0x40, 0x4550);
    out.putShort(0x46, (short) 2).putShort(0x54, (short) 0x10);
    out.put(0x68, ".osrel\0\0".getBytes()).put(0x90, ".linux\0\0".getBytes());
    refused(Files.write(folder.resolve("uki.efi"), out.array()), "unified kernel image");
  }

  @Test
  void brokenPayloadIsNamed(@TempDir Path folder) throws IOException {
    byte[] whole = Samples.bzImage(gzip(GUEST));
    refused(Files.write(folder.resolve("cut"), Arrays.copyOf(whole, whole.length - 100)), "truncated: the payload");
    byte[] unknown = whole.clone();
    unknown[2048 + 0x100] = 'Q';
    refused(Files.write(folder.resolve("unknown"), unknown), "unknown compression");
    byte[] flipped = whole.clone();
    flipped[2048 + 0x100 + 3_000] ^= 0x55;
    refused(Files.write(folder.resolve("flipped"), flipped), "gzip stream");
    byte[] old = whole.clone();
    old[0x206] = 5;
    old[0x207] = 2;
    refused(Files.write(folder.resolve("old"), old), "boot protocol 2.05");
    byte[] sized = Samples.bzImage(Samples.sized(CompressionTest.packed(Compression.ZSTD), 12_345));
    refused(Files.write(folder.resolve("sized"), sized), "is to hold 12345 bytes and holds 200000");
  }

  private static Path write(Path folder, String text) throws IOException {
    return Files.writeString(folder.resolve("file"), text);
  }

  /** One line that names the file, says what is wrong and then how to mend it. */
  private static void refused(Path file, String reason) {
    assertThatThrownBy(() -> KernelImage.read(file))
        .isInstanceOf(ImageException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContaining(reason)
        .hasMessageContaining("; ")
        .message()
        .doesNotContain("\n");
  }
}
