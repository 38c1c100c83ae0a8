package org.xenolith.app;

import org.xenolith.insight.Outcome;

/** The exit statuses of the program, on which scripts rely. */
public final class ExitStatus {
  /** The guest powered off, or the command did what it was asked. */
  public static final int OK = 0;

  /** The guest crashed or panicked. */
  public static final int GUEST_CRASHED = 1;

  /** Wrong usage, or input that cannot be used. */
  public static final int USAGE = 2;

  /** The guest broke a rule of the hypervisor. */
  public static final int RULE_BROKEN = 3;

  /** Something was met or asked for that this version does not implement. */
  public static final int UNIMPLEMENTED = 4;

  /** A limit such as {@code --max-instructions} was reached. */
  public static final int LIMIT = 5;

  /** A defect of this program. */
  public static final int DEFECT = 70;

  private ExitStatus() {}

  /** The status of a run that ended so. */
  static int of(Outcome outcome) {
    return switch (outcome) {
      case POWEROFF, REBOOT -> OK;
      case CRASH -> GUEST_CRASHED;
      case RULE_BROKEN -> RULE_BROKEN;
      case UNIMPLEMENTED -> UNIMPLEMENTED;
      case LIMIT -> LIMIT;
    };
  }
}
