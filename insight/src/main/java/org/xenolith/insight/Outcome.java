package org.xenolith.insight;

/** How a run ended. */
public enum Outcome {
  /** The guest powered off. */
  POWEROFF("poweroff", "powered off"),

  /** The guest asked for a reboot, which ends the run. */
  REBOOT("reboot", "asked for a reboot"),

  /** The guest crashed, or was crashed by the hypervisor. */
  CRASH("crash", "crashed"),

  /** The guest broke a rule, and the run was to end at that. */
  RULE_BROKEN("rule-broken", "broke a rule"),

  /** The guest did something that this version does not implement. */
  UNIMPLEMENTED("unimplemented", "met something unimplemented"),

  /** A limit was reached, or the user ended the run. */
  LIMIT("limit", "was stopped");

  private final String key;
  private final String phrase;

  Outcome(String key, String phrase) {
    this.key = key;
    this.phrase = phrase;
  }

  /** The word for it in reports that programs read. */
  public String key() {
    return key;
  }

  /** What the guest did, as the end of a sentence that begins with "the guest". */
  public String phrase() {
    return phrase;
  }
}
