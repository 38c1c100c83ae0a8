package org.xenolith.app;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.app.console.ConsoleOutput;
import org.xenolith.app.console.ConsoleTail;
import org.xenolith.app.console.GuestSession;
import org.xenolith.app.report.CheckReport;
import org.xenolith.insight.Outcome;
import org.xenolith.insight.RunReport;
import org.xenolith.insight.breach.BreachWatch;
import org.xenolith.insight.breach.CodeNames;
import org.xenolith.insight.breach.Explained;
import org.xenolith.insight.breach.FollowedSlots;

/**
 * One seed's run under watch, and what was found: if a rule was broken, or the guest crashed, the run is repeated for the explanations.
 *
 * @param report of the run
 * @param console the guest's last lines
 * @param breaches explained, in the order in which they came
 */
record CheckRun(RunReport report, CheckVerdict verdict, List<String> console, List<Explained> breaches) {
  /**
   * Boots the kernel of a plan once.
   *
   * @param keepGoing whether the run goes on after a broken rule
   * @throws CommandFailure if the guest cannot be built
   */
  static CheckRun of(BootPlan plan, boolean keepGoing, Progress progress) {
    CodeNames names = new CodeNames(plan.image());
    BreachWatch watch = new BreachWatch(names);
    ConsoleTail tail = new ConsoleTail();
    RunReport report;
    progress.begin("booting with seed " + plan.options().seed);
    try (GuestSession session = new GuestSession(new ConsoleOutput(tail), null, null, progress)) {
      report = BootRun.watched(plan, session, watch, !keepGoing);
    }
    List<Explained> breaches = new ArrayList<>();
    if (watch.any()) {
      progress.begin("repeating the run, to tell how it came to that");
      breaches.addAll(Explained.of(watch, names, observer -> BootRun.again(plan, observer)));
      progress.end();
    } else if (report.outcome() == Outcome.CRASH) {
      progress.begin("repeating the run, to see whether the kernel followed Xen's part of its page tables");
      FollowedSlots.of(watch, names, observer -> BootRun.again(plan, observer)).ifPresent(breaches::add);
      progress.end();
    }
    return new CheckRun(report, CheckVerdict.of(report.outcome(), !breaches.isEmpty()), tail.lines(), breaches);
  }

  /** For the report. */
  CheckReport.Part part() {
    return new CheckReport.Part(report, verdict.phrase, console, breaches);
  }
}
