package org.xenolith.app.report;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.xenolith.app.CommandFailure;
import org.xenolith.insight.RunReport;

/** A file that a report is to be written to, its form told by its ending. It is there whole or not at all: written aside and renamed. */
public final class ReportFile {
  private final Path file;
  private final boolean html;

  /**
   * @throws CommandFailure if the ending is neither {@code .json} nor {@code .html}, or the file cannot be written: before a run, not after
   */
  public ReportFile(Path file) {
    this.file = file.toAbsolutePath();
    String name = file.toString();
    html = name.endsWith(".html");
    if (!html && !name.endsWith(".json")) {
      throw CommandFailure.unusable("--report " + file + ": the ending tells no form", "end it in .json or .html");
    }
    Path folder = this.file.getParent();
    if (!Files.isDirectory(folder) || !Files.isWritable(folder) || Files.isDirectory(file)) {
      throw CommandFailure.unusable("--report " + file + ": cannot be written there", "name a file in a folder that exists and is yours");
    }
  }

  public void write(RunReport report) {
    String text = html ? HtmlReport.of(report) : JsonReport.of(report) + "\n";
    Path aside = file.resolveSibling("." + file.getFileName() + "." + ProcessHandle.current().pid() + ".part");
    try {
      Files.writeString(aside, text, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw CommandFailure.unusable("--report " + file + ": " + e.getMessage(), "is the disk full?");
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
