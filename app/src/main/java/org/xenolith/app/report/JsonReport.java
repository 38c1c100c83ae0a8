package org.xenolith.app.report;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.xenolith.insight.RunReport;

/** A report as JSON on one line. */
public final class JsonReport {
  private JsonReport() {}

  public static String of(RunReport report) {
    try {
      return JSON.std.asString(report.toMap());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
