package org.xenolith.machine;

/**
 * How a run ended.
 *
 * @param kind the sort of end
 * @param reason one line for people; for a crash what Xen or the guest had against it
 */
public record RunOutcome(Kind kind, String reason) {
  /** The sorts of end. */
  public enum Kind {
    POWEROFF,
    REBOOT,
    /** The guest suspended itself, which nobody resumes. */
    SUSPEND,
    /** The guest crashed, was crashed by Xen, or its watchdog fired. */
    CRASH,
    /** Something that a real machine has and this one does not was met. */
    UNIMPLEMENTED,
    /** The limit on instructions was reached. */
    LIMIT,
    /** Every vcpu waits and nothing will ever wake one. */
    DEADLOCK,
    /** The user ended it. */
    STOPPED
  }
}
