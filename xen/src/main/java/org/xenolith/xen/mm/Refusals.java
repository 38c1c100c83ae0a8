package org.xenolith.xen.mm;

import org.xenolith.xen.Breach;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;

/**
 * Why the operation at hand is refused. The innermost check states rule and reason; those around it add where they were; the hypercall
 * reports it once its result is certain, since some refusals are only steps on the way to another answer (linear page tables).
 */
final class Refusals {
  private final Observer observer;
  private String rule;
  private final StringBuilder message = new StringBuilder();
  private long mfn;

  Refusals(Observer observer) {
    this.observer = observer;
  }

  /** States the reason, unless there is one already, and gives back the result. */
  int refuse(String refusedBy, int errno, long frame, String why) {
    if (rule == null) {
      rule = refusedBy;
      mfn = frame;
      message.append(why);
    }
    return -errno;
  }

  /** States a reason that explains more than the one before. */
  int refuseInstead(String refusedBy, int errno, long frame, String why) {
    forget();
    return refuse(refusedBy, errno, frame, why);
  }

  /** Adds where it happened. */
  void at(String where) {
    if (rule != null) {
      message.append(", ").append(where);
    }
  }

  /** The operation found another way. */
  void forget() {
    rule = null;
    message.setLength(0);
  }

  /** The reason in words, for those who have no observer: rule and sentence. */
  String text() {
    return rule == null ? "no reason" : rule + ": " + message;
  }

  /** Tells the observer of a refusal that the guest sees as a fault. */
  void reportFault(Vcpu vcpu) {
    if (rule != null) {
      observer.breach(vcpu, new Breach(rule, message.toString(), mfn, 0));
      forget();
    }
  }

  /** Tells the observer, if anything was refused with result {@code rc}, and starts anew. */
  long report(Vcpu vcpu, long rc) {
    if (rule != null) {
      if (rc < 0) {
        observer.breach(vcpu, new Breach(rule, message.toString(), mfn, (int) rc));
      }
      forget();
    }
    return rc;
  }
}
