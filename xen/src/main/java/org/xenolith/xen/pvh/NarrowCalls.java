package org.xenolith.xen.pvh;

/**
 * Hypercalls from 32-bit code, whose structures have members of 32 bits where 64-bit code has 64 (Xen's compat layer). Translation is not
 * there; this says which calls need none, because their structures are the same for both or they have none.
 */
final class NarrowCalls {
  private static final int MEMORY_OP = 12, MULTICALL = 13, SET_TIMER_OP = 15, XEN_VERSION = 17, GRANT_TABLE_OP = 20, VCPU_OP = 24;
  private static final int SCHED_OP = 29;

  private NarrowCalls() {}

  static boolean sameAsWide(long number, long[] args) {
    int operation = (int) args[0];
    return switch ((int) number) {
      case MULTICALL, GRANT_TABLE_OP -> false;
      // The time comes in two words.
      case SET_TIMER_OP -> false;
      // maximum_ram_page, current_reservation, maximum_reservation, maximum_gpfn: at most a domain's number.
      case MEMORY_OP -> operation >= 2 && operation <= 4 || operation == 14;
      // platform_parameters is an address; all else is text and words.
      case XEN_VERSION -> operation != 5;
      // A poll has a pointer inside.
      case SCHED_OP -> operation != 3;
      // initialise, up, down, is_up, timers, register_vcpu_info, send_nmi; run states and times are aligned otherwise.
      case VCPU_OP -> operation <= 3 || operation >= 6 && operation <= 11;
      // What is refused looks at no more than a version.
      default -> true;
    };
  }
}
