package org.xenolith.app.report;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.insight.RunReport;
import org.xenolith.insight.breach.Explained;

/**
 * What {@code xenolith check} found.
 *
 * @param verdict of the whole, the end of a sentence that begins with "the kernel"
 * @param runs one for each seed that was tried; the last one decided
 */
public record CheckReport(String verdict, List<Part> runs) {
  private static final int WIDTH = 110;

  /**
   * One run.
   *
   * @param verdict of this run
   * @param console the guest's last lines
   * @param breaches explained
   */
  public record Part(RunReport run, String verdict, List<String> console, List<Explained> breaches) {
    /** Whether the end of the console tells a person something that the breaches do not. */
    boolean consoleMatters() {
      return !breaches.isEmpty() || !run.postMortem().isEmpty() || run.outcome() == org.xenolith.insight.Outcome.LIMIT;
    }
  }

  RunReport decided() {
    return runs.getLast().run();
  }

  /** The kernel's release, or its path. */
  String kernel() {
    RunReport.Kernel kernel = decided().kernel();
    return kernel.release().isEmpty() ? kernel.path() : kernel.release();
  }

  /** For a terminal. */
  public String text(boolean bold) {
    StringBuilder text = new StringBuilder();
    for (Part part : runs) {
      for (Explained e : part.breaches()) {
        heading(text, bold, e.headline());
        for (Explained.Part p : e.parts()) {
          heading(text, bold, "  " + p.title());
          p.lines().forEach(line -> wrapped(text, "    ", line));
        }
        text.append('\n');
      }
    }
    Part last = runs.getLast();
    if (last.consoleMatters() && !last.console().isEmpty()) {
      heading(text, bold, "The end of the guest's console");
      last.console().forEach(line -> text.append("    ").append(line).append('\n'));
      text.append('\n');
    }
    if (last.breaches().isEmpty() && !last.run().postMortem().isEmpty()) {
      heading(text, bold, "What the processors were doing");
      last.run().postMortem().forEach(line -> text.append("    ").append(line).append('\n'));
      text.append('\n');
    }
    for (Part part : runs) {
      RunReport run = part.run();
      text.append("seed %d: %s%s; %,d instructions in %.1f s\n".formatted(
          run.guest().seed(), part.verdict(), run.reason().isEmpty() || part.verdict().equals(verdict) && part.breaches().isEmpty()
              ? "" : " (" + shortened(run.reason()) + ")",
          run.instructions(), run.wallMs() / 1e3));
    }
    heading(text, bold, "%s %s".formatted(kernel(), verdict));
    return text.toString();
  }

  private static String shortened(String reason) {
    return reason.length() > WIDTH ? reason.substring(0, WIDTH) + " ..." : reason;
  }

  private static void heading(StringBuilder text, boolean bold, String line) {
    text.append(bold ? "\033[1m" + line + "\033[0m" : line).append('\n');
  }

  private static void wrapped(StringBuilder text, String indent, String line) {
    String lead = indent + line.substring(0, line.length() - line.stripLeading().length());
    StringBuilder row = new StringBuilder(lead);
    for (String word : line.strip().split(" ")) {
      if (row.length() + word.length() > WIDTH && row.length() > lead.length() + 2) {
        text.append(row.toString().stripTrailing()).append('\n');
        row = new StringBuilder(lead + "  ");
      }
      row.append(word).append(' ');
    }
    text.append(row.toString().stripTrailing()).append('\n');
  }

  /** For programs, on one line: the keys of a run's report, those of the run that decided, and more. */
  public String json() {
    Map<String, Object> map = new LinkedHashMap<>(decided().toMap());
    map.put("verdict", verdict);
    map.put("breaches", runs.stream().flatMap(p -> p.breaches().stream()).map(Explained::toMap).toList());
    map.put("console", runs.getLast().console());
    map.put("runs", runs.stream().map(CheckReport::runMap).toList());
    try {
      return JSON.std.asString(map);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, Object> runMap(Part part) {
    Map<String, Object> map = new LinkedHashMap<>();
    RunReport run = part.run();
    map.put("seed", run.guest().seed());
    map.put("verdict", part.verdict());
    map.put("outcome", run.outcome().key());
    map.put("reason", run.reason());
    map.put("instructions", run.instructions());
    map.put("wall_ms", run.wallMs());
    map.put("digest", run.digest());
    map.put("breaches", part.breaches().size());
    return map;
  }
}
