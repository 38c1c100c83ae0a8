package org.xenolith.insight;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;

/** Gathers what was refused to a guest: the same rule broken in the same function is kept once. */
public final class Tally implements Observer {
  /** A guest may break rules without end, at ever new places. */
  private static final int MOST_PLACES = 1000;

  private record Place(String rule, String function) {}

  private static final class Refused {
    final Breach first;
    final long count;
    long times;

    Refused(Breach first, long count) {
      this.first = first;
      this.count = count;
    }
  }

  private final Names names;
  private final Map<Place, Refused> refused = new LinkedHashMap<>();

  /** @param names for the guest's addresses */
  public Tally(Names names) {
    this.names = names;
  }

  @Override
  public void breach(Vcpu vcpu, Breach breach) {
    Place place = new Place(breach.rule().id(), names.describe(vcpu.cpu.rip));
    Refused known = refused.get(place);
    if (known == null && refused.size() < MOST_PLACES) {
      known = new Refused(breach, vcpu.cpu.clock.now);
      refused.put(place, known);
    }
    if (known != null) {
      known.times++;
    }
  }

  /** What was refused, each place once, in the order of the first time. */
  public List<RunReport.Refusal> refusals() {
    List<RunReport.Refusal> list = new ArrayList<>();
    refused.forEach((place, what) ->
        list.add(new RunReport.Refusal(place.rule(), what.first.message(), what.first.errno(), what.count, place.function(), what.times)));
    return list;
  }
}
