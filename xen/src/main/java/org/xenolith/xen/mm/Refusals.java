package org.xenolith.xen.mm;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;
import org.xenolith.xen.rules.XenLine;

/**
 * Why the operation at hand is refused. The innermost check states rule and reason; those around it add where they were and what Xen would
 * print there; the hypercall reports it once its result is certain, since some refusals are only steps on the way to another answer
 * (linear page tables).
 */
final class Refusals {
  private static final int REQUEST_WORDS = 3;

  /** Of the mistakes in one operation that Xen lets pass, so many are told. */
  private static final int MOST_TOLERATED = 8;

  private final Hypervisor xen;
  private final StringBuilder message = new StringBuilder();
  private final List<XenLine> lines = new ArrayList<>();
  private final List<Breach.Slot> slots = new ArrayList<>();
  private final List<Long> words = new ArrayList<>();
  private final List<Breach> tolerated = new ArrayList<>();
  private Rule rule;
  private Rule within;
  private long mfn;
  private int request = -1;
  private int requests;
  private long requestVa;
  private long va;
  private long value;

  Refusals(Hypervisor xen) {
    this.xen = xen;
  }

  /** States the reason, unless there is one already, and gives back the result. */
  int refuse(Rule refusedBy, int errno, long frame, String why) {
    if (rule == null) {
      rule = refusedBy;
      mfn = frame;
      message.append(why);
    }
    return -errno;
  }

  /** States a reason that explains more than the one before; what Xen has printed until now stays. */
  int refuseInstead(Rule refusedBy, int errno, long frame, String why) {
    rule = null;
    message.setLength(0);
    return refuse(refusedBy, errno, frame, why);
  }

  /** Names the rule that the reason stands for in this place: what is wanted of the frame is more than its type. */
  void onBehalfOf(Rule special) {
    if (rule == Rule.ONE_USE) {
      rule = special;
    }
  }

  /** Adds where it happened. */
  void at(String where) {
    if (rule != null) {
      message.append(", ").append(where);
    }
  }

  /** Adds the entry that was refused, or that led to the one refused. */
  void slot(int level, long tableMfn, int slot, long entry) {
    if (rule != null) {
      slots.add(new Breach.Slot(level, tableMfn, slot, entry));
    }
  }

  /** It was an entry of a frame that was to become a table. */
  void inWholeTable() {
    if (rule != null) {
      within = Rule.WHOLE_TABLE;
    }
  }

  /** Adds which request of a list it was. */
  void request(int n, int count, long requestAt, long... requestWords) {
    if (rule != null) {
      request = n;
      requests = count;
      requestVa = requestAt;
      words.clear();
      for (int k = 0; k < requestWords.length && k < REQUEST_WORDS; k++) {
        words.add(requestWords[k]);
      }
    }
  }

  /** Adds the guest's address that it was about, and the value for it. */
  void address(long guestVa, long wanted) {
    if (rule != null) {
      va = guestVa;
      value = wanted;
    }
  }

  /** What a debug build of Xen prints here. */
  void debugLine(String text) {
    if (rule != null) {
      lines.add(new XenLine(text, XenLine.Build.DEBUG));
    }
  }

  /** What every build of Xen prints here. */
  void line(String text) {
    if (rule != null) {
      lines.add(new XenLine(text, XenLine.Build.EVERY));
    }
  }

  /** The operation found another way. */
  void forget() {
    rule = null;
    within = null;
    message.setLength(0);
    lines.clear();
    slots.clear();
    words.clear();
    request = -1;
    va = 0;
    value = 0;
  }

  /** The reason in words, for those who have no observer: rule and sentence. */
  String text() {
    return rule == null ? "no reason" : rule.id() + ": " + message;
  }

  /** Tells the observer of a refusal that the guest sees as a fault. */
  void reportFault(Vcpu vcpu) {
    tellTolerated(vcpu);
    if (rule != null) {
      tell(vcpu, Breach.Effect.FAULT, 0);
      forget();
    }
  }

  /** Whether more mistakes that Xen takes are noted than are told. */
  boolean toleratedEnough() {
    return tolerated.size() >= MOST_TOLERATED;
  }

  /** Notes a mistake that Xen takes; it is told with the operation's end. */
  void tolerate(Rule broken, long frame, String why, XenLine line, Breach.Slot slot) {
    if (!toleratedEnough()) {
      Breach.Effect effect = Breach.Effect.TOLERATED;
      tolerated.add(new Breach(broken, null, effect, why, frame, 0, List.of(line), slot == null ? List.of() : List.of(slot), null));
    }
  }

  /** Notes that a grant's entry was overwritten: Xen takes it, and has the guest take a #GP. */
  void implicitUnmap(long frame, String why, String text) {
    if (!toleratedEnough()) {
      XenLine line = new XenLine(text, XenLine.Build.DEBUG);
      Breach.Effect effect = Breach.Effect.FAULT;
      tolerated.add(new Breach(Rule.GRANTS_UNMAPPED, null, effect, why, frame, 0, List.of(line), List.of(), null));
    }
  }

  /** Nobody is to be told of what was noted: there is no guest yet. */
  void forgetAll() {
    forget();
    tolerated.clear();
  }

  /** Tells the observer, if anything was refused with result {@code rc}, and starts anew. */
  long report(Vcpu vcpu, long rc) {
    tellTolerated(vcpu);
    if (rule != null) {
      if (rc < 0) {
        tell(vcpu, Breach.Effect.REFUSED, (int) rc);
      }
      forget();
    }
    return rc;
  }

  private void tellTolerated(Vcpu vcpu) {
    if (!tolerated.isEmpty()) {
      Breach.Operation operation = xen.hypercalls.operation(-1, 0, 0, List.of(), va, value);
      tolerated.forEach(b -> xen.observer.breach(vcpu,
          new Breach(b.rule(), b.within(), b.effect(), b.message(), b.mfn(), 0, b.lines(), b.slots(), operation)));
      for (Breach b : tolerated) {
        vcpu.protectionFault |= b.effect() == Breach.Effect.FAULT;
      }
      tolerated.clear();
    }
  }

  private void tell(Vcpu vcpu, Breach.Effect effect, int errno) {
    Breach.Operation operation = xen.hypercalls.operation(request, requests, requestVa, List.copyOf(words), va, value);
    xen.observer.breach(
        vcpu, new Breach(rule, within, effect, message.toString(), mfn, errno, List.copyOf(lines), List.copyOf(slots), operation));
  }
}
