package org.xenolith.insight.breach;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.xen.Breach;
import org.xenolith.xen.FrameEvent;
import org.xenolith.xen.FrameEvent.Kind;
import org.xenolith.xen.mm.FrameTable;

/** What became of a frame from the start of a run to a moment. */
final class FrameHistory {
  /** A frame's life can be long: so many events are kept from its beginning and from its end. */
  private static final int MOST_FIRST = 40, MOST_LAST = 120;

  /**
   * Something that happened.
   *
   * @param count the clock's count
   * @param what in words
   * @param by the guest's function, or who else did it
   * @param slot the entry, or null
   * @param times how often, told here instead of one by one
   * @param lastCount the clock's count at the last of these times
   */
  record Event(long count, Kind kind, String what, String by, Breach.Slot slot, long times, long lastCount) {
    private Event again(long at) {
      return new Event(count, kind, what, by, slot, times + 1, at);
    }

    @Override
    public String toString() {
      String often = times == 1 ? "" : ", %,d times until count %,d".formatted(times, lastCount);
      return "count %,d: %s%s".formatted(count, what, often);
    }

    Map<String, Object> toMap() {
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("count", count);
      map.put("what", what);
      map.put("by", by);
      map.put("times", times);
      map.put("last_count", lastCount);
      return map;
    }
  }

  private final List<String> start = new ArrayList<>();
  private final List<Event> first = new ArrayList<>();
  private final List<Event> last = new ArrayList<>();
  private long left;

  /** What the frame was when the run began. */
  void start(String line) {
    start.add(line);
  }

  void add(long count, FrameEvent event, String by) {
    Event e = new Event(count, event.kind(), words(event), by, event.slot(), 1, count);
    boolean root = event.kind() == Kind.ROOT || event.kind() == Kind.NO_ROOT;
    if (root && (again(first, e) || again(last, e))) {
      return;
    }
    if (first.size() < MOST_FIRST) {
      first.add(e);
      return;
    }
    last.add(e);
    if (last.size() > MOST_LAST) {
      last.removeFirst();
      left++;
    }
  }

  /** A table becomes a root and is one no more each time that the guest switches to it: from the same place that is one event. */
  private static boolean again(List<Event> events, Event e) {
    for (int n = 0; n < events.size(); n++) {
      Event known = events.get(n);
      if (known.kind == e.kind && known.by.equals(e.by)) {
        events.set(n, known.again(e.count));
        return true;
      }
    }
    return false;
  }

  /** The same as it is now, whatever is added later. */
  FrameHistory copy() {
    FrameHistory part = new FrameHistory();
    part.start.addAll(start);
    part.first.addAll(first);
    part.last.addAll(last);
    part.left = left;
    return part;
  }

  private static String words(FrameEvent event) {
    String type = FrameTable.typeName(event.type());
    String as = event.type() >= FrameTable.L1 && event.type() <= FrameTable.L4 ? "an " + type + " table" : type;
    return switch (event.kind()) {
      case GIVEN -> "becomes the domain's";
      case FREED -> "is given back to Xen";
      case USED -> "comes into use: " + as;
      case UNUSED -> "is in use as " + as + " no more";
      case PINNED -> "is pinned as " + as;
      case UNPINNED -> "is unpinned";
      case MAPPED -> "is named by " + slot(event.slot());
      case UNMAPPED -> "is named no more by " + slot(event.slot());
      case ROOT -> "becomes a vcpu's root";
      case NO_ROOT -> "is a vcpu's root no more";
    };
  }

  private static String slot(Breach.Slot s) {
    boolean writable = (s.entry() & 2) != 0;
    String rights = s.level() > 1 ? "" : writable ? ", writable" : ", read-only";
    return "slot 0x%x of L%d table mfn 0x%x%s".formatted(s.slot(), s.level(), s.tableMfn(), rights);
  }

  List<String> start() {
    return start;
  }

  /** Events in order; where some are left out, {@link #leftOut} lie between the first {@link #MOST_FIRST} and the rest. */
  List<Event> events() {
    List<Event> all = new ArrayList<>(first);
    all.addAll(last);
    return all;
  }

  long leftOut() {
    return left;
  }

  int leftOutAfter() {
    return first.size();
  }

  /** When and by whom an entry that names the frame came to be; null if before the run, or not recorded. */
  Event since(Breach.Slot slot) {
    Event found = null;
    for (Event e : events()) {
      if (e.kind() == Kind.MAPPED && e.slot().tableMfn() == slot.tableMfn() && e.slot().slot() == slot.slot()) {
        found = e;
      }
    }
    return found;
  }
}
