package org.xenolith.app.report;

import java.nio.file.Path;
import org.xenolith.app.CommandFailure;
import org.xenolith.insight.RunReport;

/** A file that a report is to be written to, its form told by its ending. */
public final class ReportFile {
  private final WholeFile file;
  private final boolean html;

  /**
   * @throws CommandFailure if the ending is neither {@code .json} nor {@code .html}, or the file cannot be written: before a run, not after
   */
  public ReportFile(Path file) {
    String name = file.toString();
    html = name.endsWith(".html");
    if (!html && !name.endsWith(".json")) {
      throw CommandFailure.unusable("--report " + file + ": the ending tells no form", "end it in .json or .html");
    }
    this.file = new WholeFile("--report", file);
  }

  public void write(RunReport report) {
    file.write(html ? HtmlReport.of(report) : JsonReport.of(report) + "\n");
  }

  public void write(CheckReport report) {
    file.write(html ? CheckPage.of(report) : report.json() + "\n");
  }
}
