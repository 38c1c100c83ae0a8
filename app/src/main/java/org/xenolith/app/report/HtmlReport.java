package org.xenolith.app.report;

import java.util.List;
import java.util.Map;
import org.xenolith.insight.RunReport;

/** A report as one HTML page that needs nothing else: no script, no style sheet, no picture from elsewhere. */
public final class HtmlReport {
  private static final String HEAD =
      """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width">
      <title>%s</title>
      <style>
      :root { color-scheme: light dark; }
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
      table { border-collapse: collapse; }
      th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8886; }
      td { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
      td.count { text-align: right; }
      </style>
      </head>
      <body>
      """;

  private final StringBuilder page = new StringBuilder();

  private HtmlReport() {}

  public static String of(RunReport report) {
    HtmlReport html = new HtmlReport();
    html.write(report);
    return html.page.toString();
  }

  private void write(RunReport report) {
    Map<String, Object> all = report.toMap();
    String title = "Xenolith: " + (report.kernel().release().isEmpty() ? report.kernel().path() : report.kernel().release());
    page.append(HEAD.formatted(escaped(title)));
    page.append("<h1>%s</h1>\n".formatted(escaped(title)));
    String reason = report.reason().isEmpty() ? "" : ": " + report.reason();
    page.append("<p>The guest %s%s.</p>\n".formatted(report.outcome().phrase(), escaped(reason)));
    page.append("<h2>The run</h2>\n<table>\n");
    all.forEach((key, value) -> {
      if (!(value instanceof Map) && !(value instanceof List)) {
        row(key, value);
      }
    });
    row("kernel path", report.kernel().path());
    row("kernel build id", report.kernel().buildId());
    page.append("</table>\n");
    refusals(report.breaches());
    if (!report.postMortem().isEmpty()) {
      page.append("<h2>The end</h2>\n<pre>%s</pre>\n".formatted(escaped(String.join("\n", report.postMortem()))));
    }
    processors(report.processors());
    counts("Hypercalls", report.hypercalls());
    counts("Exits", report.exits());
    counts("Faults", report.faults());
    counts("TLB", report.tlb());
    page.append("</body>\n</html>\n");
  }

  private void row(String name, Object value) {
    String text = value instanceof Long number ? "%,d".formatted(number) : String.valueOf(value);
    page.append("<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n".formatted(escaped(name.replace('_', ' ')), escaped(text)));
  }

  private void refusals(List<RunReport.Refusal> breaches) {
    page.append("<h2>What was refused</h2>\n");
    if (breaches.isEmpty()) {
      page.append("<p>Nothing.</p>\n");
      return;
    }
    page.append("<table>\n<tr><th>rule</th><th>function</th><th>what</th><th>answer</th><th>at count</th><th>times</th></tr>\n");
    for (RunReport.Refusal breach : breaches) {
      page.append("<tr><td>%s</td><td>%s</td><td>%s</td><td>%d</td><td class=\"count\">%,d</td><td class=\"count\">%,d</td></tr>\n"
          .formatted(escaped(breach.rule()), escaped(breach.function()), escaped(breach.message()), breach.errno(),
              breach.instructions(), breach.times()));
    }
    page.append("</table>\n");
  }

  private void processors(List<RunReport.Processor> processors) {
    page.append("<h2>Processors</h2>\n<table>\n<tr><th></th><th>instructions</th><th>in user mode</th></tr>\n");
    for (int n = 0; n < processors.size(); n++) {
      page.append("<tr><th scope=\"row\">%d</th><td class=\"count\">%,d</td><td class=\"count\">%,d</td></tr>\n"
          .formatted(n, processors.get(n).instructions(), processors.get(n).userInstructions()));
    }
    page.append("</table>\n");
  }

  private void counts(String title, Map<String, Long> counts) {
    page.append("<h2>%s</h2>\n".formatted(title));
    if (counts.isEmpty()) {
      page.append("<p>None.</p>\n");
      return;
    }
    page.append("<table>\n");
    counts.forEach((name, count) ->
        page.append("<tr><th scope=\"row\">%s</th><td class=\"count\">%,d</td></tr>\n".formatted(escaped(name), count)));
    page.append("</table>\n");
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
  }
}
