package org.xenolith.insight.breach;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import org.xenolith.insight.rules.KnownCase;
import org.xenolith.insight.rules.Mending;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Observer;
import org.xenolith.xen.pv.PvMachine;
import org.xenolith.xen.rules.Rule;
import org.xenolith.xen.rules.XenLine;

/** A broken rule with all that can be said of it, as headed lists of lines: how they look is for who shows them. */
public final class Explained {
  /** Broken rules that are explained whole, in one repetition of the run. */
  private static final int MOST = 16;

  /**
   * A part of an explanation.
   *
   * @param title its heading
   * @param lines its lines, with two blanks in front for each step in
   * @param prose whether they are sentences, not figures
   */
  public record Part(String title, List<String> lines, boolean prose) {
    Part(String title, List<String> lines) {
      this(title, lines, false);
    }
  }

  private final Incident incident;
  private final long times;
  private final List<StackFrame> queued;
  private final FrameHistory history;

  private Explained(Incident incident, long times, List<StackFrame> queued, FrameHistory history) {
    this.incident = incident;
    this.times = times;
    this.queued = queued;
    this.history = history;
  }

  /**
   * Explains what a run broke, the first 16 places, by repeating it.
   *
   * @param machines makes the very same machine again
   */
  public static List<Explained> of(BreachWatch watch, CodeNames names, Function<Observer, PvMachine> machines) {
    List<Incident> incidents = watch.incidents().stream().limit(MOST).toList();
    List<Explained> all = new ArrayList<>();
    if (incidents.isEmpty()) {
      return all;
    }
    Replay replay = Replay.of(names, incidents, machines);
    for (int n = 0; n < incidents.size(); n++) {
      all.add(new Explained(incidents.get(n), watch.times().get(n), replay.queued(n), replay.history(n)));
    }
    return all;
  }

  /** Explains what came once, by what was seen of it. */
  static Explained alone(Incident incident) {
    return new Explained(incident, 1, List.of(), new FrameHistory());
  }

  public Rule rule() {
    return incident.breach().rule();
  }

  public Breach breach() {
    return incident.breach();
  }

  /** How often it happened at this place. */
  public long times() {
    return times;
  }

  /** The clock's count at the first time. */
  public long count() {
    return incident.count();
  }

  /** The function that a person wants to look at: where the call was queued, or issued, or the port opened. */
  public String guilty() {
    return Guilty.of(queued.isEmpty() ? incident.stack() : queued).place();
  }

  /** The known case that it resembles. */
  public Optional<KnownCase> knownCase() {
    List<String> functions = Stream.concat(queued.stream(), incident.stack().stream()).map(StackFrame::function).toList();
    Optional<KnownCase> own = KnownCase.resembling(rule(), functions);
    return own.or(() -> Optional.ofNullable(breach().within()).flatMap(within -> KnownCase.resembling(within, functions)));
  }

  /** In a line: rule and function. */
  public String headline() {
    return "%s, %s: in %s".formatted(rule().id(), lowered(rule().title()), guilty());
  }

  private static String lowered(String title) {
    return title.length() > 1 && (Character.isUpperCase(title.charAt(1)) || Character.isDigit(title.charAt(1)))
        ? title
        : Character.toLowerCase(title.charAt(0)) + title.substring(1);
  }

  /** What followed for the guest. */
  public String effect() {
    return switch (breach().effect()) {
      case REFUSED -> "Xen answered " + Decoding.error(breach().errno());
      case FAULT -> "the guest took a fault";
      case CRASH -> "Xen ended the domain";
      case TOLERATED -> "nothing on this Xen; elsewhere or later it is worse";
    };
  }

  /** Everything, in the order in which a person reads it. */
  public List<Part> parts() {
    List<Part> parts = new ArrayList<>();
    parts.add(new Part("The rule", ruleLines(), true));
    parts.add(new Part("What happened", happened()));
    parts.add(new Part("What a real Xen prints", printed()));
    if (!queued.isEmpty()) {
      String title = incident.openedAt() == 0 ? "Where it was queued" : "Where the kernel opened it";
      parts.add(new Part(title, queued.stream().map(StackFrame::toString).toList()));
    }
    parts.add(new Part(queued.isEmpty() || incident.openedAt() != 0 ? "Where it was issued" : "Where the list was issued",
        incident.stack().stream().map(StackFrame::toString).toList()));
    if (!incident.frame().isEmpty()) {
      parts.add(new Part("The frame then", frameLines()));
      parts.add(new Part("The frame's history", historyLines()));
    }
    parts.add(new Part("What usually mends it", List.of(Mending.of(rule())), true));
    knownCase().ifPresent(c -> parts.add(new Part("A known case like it", List.of(c.title() + " (" + c.time() + ")", c.story()), true)));
    return parts;
  }

  private List<String> ruleLines() {
    List<String> lines = new ArrayList<>();
    lines.add(rule().sentence());
    if (breach().within() != null) {
      Rule within = breach().within();
      lines.add("Here within %s, %s: %s".formatted(within.id(), lowered(within.title()), within.sentence()));
    }
    lines.add("Xen: " + rule().where());
    lines.add("docs/rules/" + rule().page() + ".md");
    return lines;
  }

  private List<String> happened() {
    List<String> lines = new ArrayList<>();
    lines.add(breach().message());
    lines.addAll(Decoding.operation(breach().operation()));
    for (int n = 0; n < breach().slots().size(); n++) {
      Breach.Slot s = breach().slots().get(n);
      lines.add(Decoding.slot(s, n < incident.slotVas().size() ? incident.slotVas().get(n) : null));
      lines.add("  entry " + Decoding.entry(s.level(), s.entry()));
    }
    String often = times == 1 ? "" : ", %,d times in all".formatted(times);
    lines.add("at count %,d on vcpu %d%s; %s".formatted(count(), incident.vcpu(), often, effect()));
    return lines;
  }

  private List<String> printed() {
    List<String> lines = new ArrayList<>();
    boolean release = false;
    for (XenLine line : breach().lines()) {
      release |= line.build() == XenLine.Build.EVERY;
      String builds = line.build() == XenLine.Build.EVERY ? "   [release builds, too]" : "";
      // Some lines name the domain themselves (printk), most have it in front (gprintk).
      String domain = line.text().startsWith("d1 ") ? "" : "d1v%d ".formatted(incident.vcpu());
      lines.add("(XEN) %s%s%s".formatted(domain, line.text(), builds));
      Decoding.words(line.text()).forEach(note -> lines.add("  " + note));
    }
    if (lines.isEmpty()) {
      return List.of("Nothing, in any build.");
    }
    lines.add(release ? "A release build prints only the lines so marked." : "A release build prints nothing.");
    return lines;
  }

  private List<String> frameLines() {
    List<String> lines = new ArrayList<>();
    lines.add(incident.frame());
    for (FrameUse use : incident.uses()) {
      FrameHistory.Event since = history.since(use.slot());
      String when = ", since the start or before what is recorded";
      if (since != null) {
        when = ", since count %,d by %s".formatted(since.count(), since.by());
      }
      lines.add("named by " + Decoding.slot(use.slot(), use.va()) + when);
      lines.add("  entry " + Decoding.entry(use.slot().level(), use.slot().entry()));
    }
    return lines;
  }

  private List<String> historyLines() {
    List<String> lines = new ArrayList<>();
    history.start().forEach(line -> lines.add("at the start: " + line));
    List<FrameHistory.Event> events = history.events();
    for (int n = 0; n < events.size(); n++) {
      if (n == history.leftOutAfter() && history.leftOut() > 0) {
        lines.add("... %,d events left out".formatted(history.leftOut()));
      }
      FrameHistory.Event e = events.get(n);
      lines.add(e.toString());
      lines.add("  by " + e.by());
    }
    if (events.isEmpty()) {
      lines.add("nothing since");
    }
    return lines;
  }

  /** For programs. */
  public Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("rule", rule().id());
    map.put("name", rule().title());
    map.put("sentence", rule().sentence());
    map.put("within", breach().within() == null ? "" : breach().within().id());
    map.put("message", breach().message());
    map.put("effect", breach().effect().name().toLowerCase(java.util.Locale.ROOT));
    map.put("errno", breach().errno());
    map.put("instructions", count());
    map.put("vcpu", incident.vcpu());
    map.put("function", guilty());
    map.put("times", times);
    map.put("mfn", breach().mfn() < 0 ? "" : "0x%x".formatted(breach().mfn()));
    map.put("operation", Decoding.operation(breach().operation()));
    map.put("slots", slotMaps());
    map.put("xen_prints", breach().lines().stream().map(Explained::lineMap).toList());
    map.put("stack", incident.stack().stream().map(StackFrame::toMap).toList());
    map.put("queued_stack", queued.stream().map(StackFrame::toMap).toList());
    map.put("frame", incident.frame());
    map.put("history", history.events().stream().map(FrameHistory.Event::toMap).toList());
    map.put("mending", Mending.of(rule()));
    map.put("known_case", knownCase().map(KnownCase::title).orElse(""));
    return map;
  }

  private static Map<String, Object> lineMap(XenLine line) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("text", line.text());
    map.put("release", line.build() == XenLine.Build.EVERY);
    return map;
  }

  private List<Map<String, Object>> slotMaps() {
    List<Map<String, Object>> maps = new ArrayList<>();
    for (int n = 0; n < breach().slots().size(); n++) {
      Breach.Slot s = breach().slots().get(n);
      Long va = n < incident.slotVas().size() ? incident.slotVas().get(n) : null;
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("level", s.level());
      map.put("table_mfn", "0x%x".formatted(s.tableMfn()));
      map.put("slot", s.slot());
      map.put("entry", "0x%016x".formatted(s.entry()));
      map.put("va", va == null ? "" : "0x%016x".formatted(va));
      map.put("decoded", Decoding.entry(s.level(), s.entry()));
      maps.add(map);
    }
    return maps;
  }
}
