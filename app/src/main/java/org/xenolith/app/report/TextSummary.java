package org.xenolith.app.report;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.xenolith.insight.RunReport;

/** A report as a few lines for a person. */
public final class TextSummary {
  private static final int MOST_NAMED = 6;
  private static final int MOST_BREACHES = 10;

  private TextSummary() {}

  public static String of(RunReport report) {
    StringBuilder text = new StringBuilder();
    text.append("the guest ").append(report.outcome().phrase());
    text.append(report.reason().isEmpty() ? "\n" : ": " + report.reason() + "\n");
    line(text, "kernel", kernel(report.kernel()));
    line(text, "work", work(report));
    line(text, "memory", "%d MiB for the guest, %d MiB for this process at most"
        .formatted(report.guest().memoryBytes() >> 20, report.peakRssBytes() >> 20));
    line(text, "hypercalls", counts(report.hypercalls()));
    line(text, "exits", counts(report.exits()));
    line(text, "faults", counts(report.faults()));
    line(text, "refused", refused(report.breaches()));
    line(text, "digest", report.digest());
    return text.toString();
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append("  %-11s %s\n".formatted(name, value));
  }

  private static String kernel(RunReport.Kernel kernel) {
    String buildId = kernel.buildId().isEmpty() ? "" : ", build id " + kernel.buildId();
    return (kernel.release().isEmpty() ? kernel.path() : kernel.release()) + buildId;
  }

  private static String work(RunReport report) {
    double seconds = Math.max(1, report.wallMs()) / 1e3;
    return "%,d instructions in %.1f s (%.1f million a second), %.3f s for the guest"
        .formatted(report.instructions(), seconds, report.instructions() / seconds / 1e6, report.virtualNs() / 1e9);
  }

  private static String counts(Map<String, Long> counts) {
    long total = counts.values().stream().mapToLong(Long::longValue).sum();
    String most =
        counts.entrySet().stream()
            .sorted(Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder()).thenComparing(Map.Entry.comparingByKey()))
            .limit(MOST_NAMED)
            .map(entry -> "%s %,d".formatted(entry.getKey(), entry.getValue()))
            .collect(Collectors.joining(", "));
    String rest = counts.size() > MOST_NAMED ? ", and %d more".formatted(counts.size() - MOST_NAMED) : "";
    return total == 0 ? "none" : "%,d: %s%s".formatted(total, most, rest);
  }

  private static String refused(List<RunReport.Refusal> breaches) {
    if (breaches.isEmpty()) {
      return "nothing";
    }
    StringBuilder text = new StringBuilder("%,d".formatted(breaches.stream().mapToLong(RunReport.Refusal::times).sum()));
    for (RunReport.Refusal breach : breaches.subList(0, Math.min(MOST_BREACHES, breaches.size()))) {
      text.append("\n    %s in %s: %s".formatted(breach.rule(), breach.function(), breach.message()));
      text.append(breach.errno() == 0 ? "" : " (answered %d)".formatted(breach.errno()));
      text.append(breach.times() == 1 ? "" : ", %,d times".formatted(breach.times()));
    }
    int more = breaches.size() - MOST_BREACHES;
    return text.append(more > 0 ? "\n    and at %d more places; --report names all".formatted(more) : "").toString();
  }
}
