package org.xenolith.insight.breach;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.cpu.Fault;
import org.xenolith.insight.RunReport;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/** Gathers broken rules: the same rule broken from the same functions is kept once, with how often. */
public final class BreachWatch implements Observer {
  /** A guest may break rules without end, at ever new places. */
  private static final int MOST_PLACES = 1000;

  /** Of so many places everything is noted that can be seen; of the others what, where and how often. */
  private static final int MOST_INCIDENTS = 32;

  /** So many of the last faults are remembered. */
  private static final int MOST_FAULTS = 8;

  /** Functions of the stack that tell places apart. */
  private static final int DEPTH = 8;

  private record Place(String rule, List<String> functions) {}

  private static final class Seen {
    final Incident incident;
    long times;

    Seen(Incident incident) {
      this.incident = incident;
    }
  }

  private final Unwinder unwinder;
  private final NativePorts ports;
  private final Map<Place, Seen> seen = new LinkedHashMap<>();
  private final long[] faults = new long[MOST_FAULTS];
  private long faultsSeen;
  private Runnable onFirst;

  public BreachWatch(CodeNames names) {
    this.unwinder = new Unwinder(names);
    this.ports = new NativePorts(names);
  }

  /** What to do at each new place: end the run, for instance. */
  public void onNew(Runnable action) {
    onFirst = action;
  }

  @Override
  public boolean opensPort(Vcpu vcpu, int port) {
    return ports.open(vcpu, port);
  }

  @Override
  public void breach(Vcpu vcpu, Breach breach) {
    List<StackFrame> stack = unwinder.unwind(vcpu.cpu);
    List<String> functions = stack.stream().limit(DEPTH).map(f -> f.function().isEmpty() ? f.place() : f.function()).toList();
    Place place = new Place(breach.rule().id(), functions);
    Seen known = seen.get(place);
    if (known == null && seen.size() < MOST_PLACES) {
      known = new Seen(look(vcpu, breach, stack));
      seen.put(place, known);
      if (onFirst != null) {
        onFirst.run();
      }
    }
    if (known != null) {
      known.times++;
    }
  }

  @Override
  public void fault(Vcpu vcpu, int vector, int errorCode, long address) {
    if (mayBeTheKernels(vector, errorCode)) {
      faults[(int) (faultsSeen++ % MOST_FAULTS)] = vcpu.cpu.clock.now;
    }
  }

  /** Whether a fault may have been the kernel's own: those that a wild address causes. */
  static boolean mayBeTheKernels(int vector, int errorCode) {
    return vector == Fault.GP || vector == Fault.PF && (errorCode & Fault.PF_USER) == 0;
  }

  /** The clock's counts at the last faults that may have been the kernel's, ascending. */
  long[] lastFaults() {
    int n = (int) Math.min(faultsSeen, MOST_FAULTS);
    return Arrays.stream(faults, 0, n).sorted().toArray();
  }

  private Incident look(Vcpu vcpu, Breach breach, List<StackFrame> stack) {
    Hypervisor xen = vcpu.domain.xen;
    long count = vcpu.cpu.clock.now;
    boolean whole = seen.size() < MOST_INCIDENTS && xen.frames.valid(breach.mfn());
    if (seen.size() >= MOST_INCIDENTS || !whole && breach.slots().isEmpty()) {
      return new Incident(breach, vcpu.id, count, stack, List.of(), "", List.of(), openedAt(vcpu, breach));
    }
    TableMap tables = new TableMap(vcpu);
    List<Long> vas = new ArrayList<>();
    breach.slots().forEach(s -> vas.add(tables.va(s.level(), s.tableMfn(), s.slot())));
    String frame = whole ? xen.frames.describe(breach.mfn()) : "";
    List<FrameUse> uses = whole ? FrameUse.of(xen, tables, breach.mfn()) : List.of();
    return new Incident(breach, vcpu.id, count, stack, vas, frame, uses, 0);
  }

  private long openedAt(Vcpu vcpu, Breach breach) {
    return breach.rule() == Rule.PORT_PERMISSION && !vcpu.kernelMode ? ports.bitmapOffset(vcpu) : 0;
  }

  /** What was seen, each place once, in the order of the first time. */
  List<Incident> incidents() {
    return seen.values().stream().map(s -> s.incident).toList();
  }

  /** How often each of {@link #incidents} came. */
  List<Long> times() {
    return seen.values().stream().map(s -> s.times).toList();
  }

  /** Whether any rule was broken. */
  public boolean any() {
    return !seen.isEmpty();
  }

  /** The first in a line, or "". */
  public String first() {
    if (seen.isEmpty()) {
      return "";
    }
    Incident i = seen.values().iterator().next().incident;
    return "%s in %s: %s".formatted(i.breach().rule().id(), Guilty.of(i.stack()).place(), i.breach().message());
  }

  /** In short, for the summary of a run. */
  public List<RunReport.Refusal> refusals() {
    List<RunReport.Refusal> list = new ArrayList<>();
    seen.values().forEach(s -> {
      Breach b = s.incident.breach();
      String function = Guilty.of(s.incident.stack()).place();
      list.add(new RunReport.Refusal(b.rule().id(), b.message(), b.errno(), s.incident.count(), function, s.times));
    });
    return list;
  }
}
