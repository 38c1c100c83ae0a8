package org.xenolith.app.report;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.xenolith.app.CommandFailure;

/** A file that an option asks for. It is there whole or not at all: written aside and renamed. */
public final class WholeFile {
  private final String option;
  private final Path given;
  private final Path file;

  /**
   * @param option as the user wrote it, for messages
   * @throws CommandFailure if the file cannot be written: before a run, not after
   */
  public WholeFile(String option, Path file) {
    this.option = option;
    this.given = file;
    this.file = file.toAbsolutePath();
    Path folder = this.file.getParent();
    if (!Files.isDirectory(folder) || !Files.isWritable(folder) || Files.isDirectory(file)) {
      throw CommandFailure.unusable(option + " " + file + ": cannot be written there", "name a file in a folder that exists and is yours");
    }
  }

  public void write(String text) {
    write(text.getBytes(StandardCharsets.UTF_8));
  }

  public void write(byte[] bytes) {
    Path aside = file.resolveSibling("." + file.getFileName() + "." + ProcessHandle.current().pid() + ".part");
    try {
      Files.write(aside, bytes, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw CommandFailure.unusable(option + " " + given + ": " + e.getMessage(), "is the disk full?");
    } finally {
      deleteIfLeft(aside);
    }
  }

  private static void deleteIfLeft(Path aside) {
    try {
      Files.deleteIfExists(aside);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot delete " + aside, e);
    }
  }
}
