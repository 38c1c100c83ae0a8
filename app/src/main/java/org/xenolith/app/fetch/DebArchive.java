package org.xenolith.app.fetch;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.tukaani.xz.XZInputStream;

/** A Debian binary package (deb(5)): an ar archive whose member {@code data.tar.*} holds the files to install. */
final class DebArchive {
  private final Path file;

  DebArchive(Path file) {
    this.file = file;
  }

  /**
   * Writes the first regular file whose path satisfies {@code wanted} to {@code target}.
   *
   * @param wanted asked about paths such as {@code boot/vmlinuz-6.1.0-1-amd64}, without a leading {@code ./}
   * @return the path of the file that was written, or empty if the package holds none
   * @throws IOException when the file is not a whole package, or cannot be read or written
   */
  Optional<String> extract(Predicate<String> wanted, Path target) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
        ArArchiveInputStream ar = new ArArchiveInputStream(in)) {
      for (ArArchiveEntry member = ar.getNextEntry(); member != null; member = ar.getNextEntry()) {
        if (member.getName().startsWith("data.tar")) {
          return extractFromTar(decompressed(ar, member.getName()), wanted, target);
        }
      }
    }
    throw new IOException(file + " has no member data.tar: it is not a Debian package");
  }

  private Optional<String> extractFromTar(InputStream data, Predicate<String> wanted, Path target) throws IOException {
    TarArchiveInputStream tar = new TarArchiveInputStream(data);
    for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
      String path = entry.getName().startsWith("./") ? entry.getName().substring(2) : entry.getName();
      if (entry.isFile() && wanted.test(path)) {
        try (OutputStream out = Files.newOutputStream(target)) {
          tar.transferTo(out);
        }
        return Optional.of(path);
      }
    }
    return Optional.empty();
  }

  private InputStream decompressed(InputStream member, String name) throws IOException {
    return switch (name) {
      case "data.tar" -> member;
      case "data.tar.gz" -> new GZIPInputStream(member);
      case "data.tar.xz" -> new XZInputStream(member);
      default -> throw new IOException(file + " is compressed in a way that is not supported: " + name);
    };
  }
}
