package org.xenolith.app.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

class DebArchiveTest {
  @TempDir Path temp;

  @Test
  void extractsTheWantedFileOnly() throws IOException {
    Path target = temp.resolve("kernel");
    Path deb = Files.write(temp.resolve("a.deb"), deb("data.tar.xz"));
    assertThat(new DebArchive(deb).extract(path -> path.startsWith("boot/vmlinuz-"), target)).hasValue("boot/vmlinuz-6");
    assertThat(target).hasContent("a kernel");
  }

  @Test
  void saysWhenThePackageHoldsNoSuchFile() throws IOException {
    Path deb = Files.write(temp.resolve("a.deb"), deb("data.tar.xz"));
    assertThat(new DebArchive(deb).extract(path -> path.equals("boot"), temp.resolve("x"))).isEmpty();
    assertThat(temp.resolve("x")).doesNotExist();
  }

  @Test
  void refusesATruncatedPackage() throws IOException {
    byte[] whole = deb("data.tar.xz");
    Path deb = Files.write(temp.resolve("a.deb"), Arrays.copyOf(whole, whole.length - 40));
    assertThatThrownBy(() -> new DebArchive(deb).extract(path -> path.equals("zzz"), temp.resolve("x"))).isInstanceOf(IOException.class);
  }

  @Test
  void refusesWhatIsNoPackage() throws IOException {
    Path deb = Files.writeString(temp.resolve("a.deb"), "hello");
    assertThatThrownBy(() -> new DebArchive(deb).extract(path -> true, temp.resolve("x"))).isInstanceOf(IOException.class);
  }

  @Test
  void namesACompressionThatItDoesNotKnow() throws IOException {
    Path deb = Files.write(temp.resolve("a.deb"), deb("data.tar.zst"));
    assertThatThrownBy(() -> new DebArchive(deb).extract(path -> true, temp.resolve("x")))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("data.tar.zst");
  }

  private static byte[] deb(String dataName) throws IOException {
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    try (TarArchiveOutputStream tar = new TarArchiveOutputStream(new XZOutputStream(data, new LZMA2Options(0)))) {
      tar.putArchiveEntry(new TarArchiveEntry("./boot/"));
      tar.closeArchiveEntry();
      file(tar, "./boot/config-6", "a configuration");
      file(tar, "./boot/vmlinuz-6", "a kernel");
    }
    ByteArrayOutputStream deb = new ByteArrayOutputStream();
    try (ArArchiveOutputStream ar = new ArArchiveOutputStream(deb)) {
      member(ar, "debian-binary", "2.0\n".getBytes(StandardCharsets.US_ASCII));
      member(ar, "control.tar.xz", new byte[] {1, 2, 3});
      member(ar, dataName, data.toByteArray());
    }
    return deb.toByteArray();
  }

  private static void file(TarArchiveOutputStream tar, String name, String text) throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name);
    entry.setSize(text.length());
    tar.putArchiveEntry(entry);
    tar.write(text.getBytes(StandardCharsets.US_ASCII));
    tar.closeArchiveEntry();
  }

  private static void member(ArArchiveOutputStream ar, String name, byte[] content) throws IOException {
    ar.putArchiveEntry(new ArArchiveEntry(name, content.length));
    write(ar, content);
    ar.closeArchiveEntry();
  }

  private static void write(OutputStream out, byte[] content) throws IOException {
    out.write(content);
  }
}
