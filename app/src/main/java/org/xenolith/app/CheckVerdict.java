package org.xenolith.app;

import org.xenolith.insight.Outcome;

/** What {@code xenolith check} says of a kernel. */
enum CheckVerdict {
  /** It ran to its end and broke no rule. */
  KEEPS("keeps Xen's rules", ExitStatus.OK, 0),

  BREAKS("breaks Xen's rules", ExitStatus.RULE_BROKEN, 1),

  CRASHES("crashes, though it broke no rule before", ExitStatus.GUEST_CRASHED, 1),

  /** It could not be judged: something it needs is not implemented. */
  UNIMPLEMENTED("could not be judged: it needs what this version does not implement", ExitStatus.UNIMPLEMENTED, CheckVerdict.SKIP),

  /** It could not be judged: it did not come to an end. */
  UNFINISHED("could not be judged: it did not come to its end", ExitStatus.LIMIT, CheckVerdict.SKIP);

  /** What {@code git bisect run} takes for "this commit cannot be tested". */
  static final int SKIP = 125;

  final String phrase;
  final int status;
  final int bisectStatus;

  CheckVerdict(String phrase, int status, int bisectStatus) {
    this.phrase = phrase;
    this.status = status;
    this.bisectStatus = bisectStatus;
  }

  static CheckVerdict of(Outcome outcome, boolean broken) {
    if (broken) {
      return BREAKS;
    }
    return switch (outcome) {
      case POWEROFF, REBOOT -> KEEPS;
      case CRASH -> CRASHES;
      case UNIMPLEMENTED -> UNIMPLEMENTED;
      case RULE_BROKEN -> BREAKS;
      case LIMIT -> UNFINISHED;
    };
  }
}
