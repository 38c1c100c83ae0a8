package org.xenolith.app.report;

import java.util.List;
import org.xenolith.insight.RunReport;
import org.xenolith.insight.breach.Explained;

/** What {@code xenolith check} found as one HTML page to attach to a mail: it needs nothing from elsewhere and no script. */
final class CheckPage {
  private static final String HEAD =
      """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width">
      <title>%s</title>
      <style>
      :root { color-scheme: light dark; --line: #d5d5da; --soft: #f4f4f6; --dim: #5b5b66;
        --bad: #a1260d; --good: #1a6b35; --mark: #3557b0; }
      @media (prefers-color-scheme: dark) {
        :root { --line: #3c3c44; --soft: #222228; --dim: #a6a6b2; --bad: #ff9d85; --good: #7fd69a; --mark: #9db8ff; }
      }
      body { font: 16px/1.55 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
      h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .3rem; overflow-wrap: anywhere; }
      h2 { font-size: 1.25rem; line-height: 1.35; margin: 2.5rem 0 .5rem; overflow-wrap: anywhere; }
      h3 { font-size: .95rem; margin: 1.4rem 0 .3rem; color: var(--mark); }
      p { margin: .3rem 0; overflow-wrap: anywhere; }
      .verdict { font-size: 1.1rem; font-weight: 600; }
      .bad { color: var(--bad); } .good { color: var(--good); } .dim { color: var(--dim); }
      article { border-top: 2px solid var(--line); padding-bottom: 1rem; }
      .scroll { margin: 1rem 0 2rem; }
      ul { list-style: none; margin: 0; padding: .6rem .8rem; background: var(--soft); border-radius: .4rem;
        font: .84rem/1.55 ui-monospace, "DejaVu Sans Mono", monospace; }
      li { overflow-wrap: anywhere; padding-left: 1.2em; text-indent: -1.2em; }
      li.in { margin-left: 1.2em; color: var(--dim); }
      .prose li { font: 1rem/1.55 system-ui, sans-serif; padding-left: 0; text-indent: 0; }
      .prose { background: none; padding: 0; }
      pre { margin: 0; padding: .6rem .8rem; background: var(--soft); border-radius: .4rem; overflow-x: auto; font-size: .8rem; }
      .scroll { overflow-x: auto; }
      table { border-collapse: collapse; width: 100%%; font-size: .92rem; }
      th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); }
      td { overflow-wrap: anywhere; } .n { text-align: right; white-space: nowrap; }
      th:last-child, td:last-child { padding-right: 0; }
      @media (max-width: 32rem) { table { font-size: .8rem; } th, td { padding-right: .5rem; } }
      </style>
      </head>
      <body>
      """;

  private final StringBuilder page = new StringBuilder();

  private CheckPage() {}

  static String of(CheckReport report) {
    CheckPage html = new CheckPage();
    html.write(report);
    return html.page.toString();
  }

  private void write(CheckReport report) {
    RunReport run = report.decided();
    page.append(HEAD.formatted(escaped("xenolith check: " + report.kernel())));
    page.append("<h1>%s</h1>\n".formatted(escaped(report.kernel())));
    boolean good = report.runs().stream().allMatch(p -> p.breaches().isEmpty()) && run.postMortem().isEmpty();
    page.append("<p class=\"verdict %s\">The kernel %s.</p>\n".formatted(good ? "good" : "bad", escaped(report.verdict())));
    String buildId = run.kernel().buildId().isEmpty() ? "" : ", build id " + run.kernel().buildId();
    page.append("<p class=\"dim\">%s%s; command line <code>%s</code>; %d MiB, %d vcpu%s; xenolith %s</p>\n".formatted(
        escaped(run.kernel().path()), escaped(buildId), escaped(run.guest().commandLine()), run.guest().memoryBytes() >> 20,
        run.guest().vcpus(), run.guest().vcpus() == 1 ? "" : "s", escaped(run.version())));
    runs(report.runs());
    for (CheckReport.Part part : report.runs()) {
      part.breaches().forEach(this::breach);
    }
    CheckReport.Part last = report.runs().getLast();
    if (last.consoleMatters() && !last.console().isEmpty()) {
      page.append("<article><h2>The end of the guest's console</h2>\n<pre>%s</pre></article>\n"
          .formatted(escaped(String.join("\n", last.console()))));
    }
    if (last.breaches().isEmpty() && !last.run().postMortem().isEmpty()) {
      page.append("<article><h2>What the processors were doing</h2>\n<pre>%s</pre></article>\n"
          .formatted(escaped(String.join("\n", last.run().postMortem()))));
    }
    page.append("</body>\n</html>\n");
  }

  private void runs(List<CheckReport.Part> runs) {
    page.append("<div class=\"scroll\"><table>\n<tr><th>seed</th><th>the kernel</th><th class=\"n\">broken</th>");
    page.append("<th class=\"n\">instructions</th><th class=\"n\">seconds</th></tr>\n");
    for (CheckReport.Part part : runs) {
      page.append("<tr><td>%d</td><td>%s</td><td class=\"n\">%d</td><td class=\"n\">%,d</td><td class=\"n\">%.1f</td></tr>\n".formatted(
          part.run().guest().seed(), escaped(part.verdict()), part.breaches().size(), part.run().instructions(),
          part.run().wallMs() / 1e3));
    }
    page.append("</table></div>\n");
  }

  private void breach(Explained e) {
    page.append("<article>\n<h2>%s</h2>\n".formatted(escaped(e.headline())));
    for (Explained.Part part : e.parts()) {
      page.append("<h3>%s</h3>\n<ul%s>\n".formatted(escaped(part.title()), part.prose() ? " class=\"prose\"" : ""));
      for (String line : part.lines()) {
        boolean in = line.startsWith("  ");
        page.append("<li%s>%s</li>\n".formatted(in ? " class=\"in\"" : "", escaped(line.strip())));
      }
      page.append("</ul>\n");
    }
    page.append("</article>\n");
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
  }
}
