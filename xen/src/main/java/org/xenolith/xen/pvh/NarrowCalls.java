package org.xenolith.xen.pvh;

/**
 * Hypercalls from 32-bit code, whose structures have members of 32 bits where 64-bit code has 64 (Xen's compat layer). Translation is not
 * there; this says which calls need none, because their structures are the same for both or they have none.
 */
final class NarrowCalls {
  private static final int SET_TIMER_OP = 15, XEN_VERSION = 17, CONSOLE_IO = 18, VM_ASSIST = 21, VCPU_OP = 24, SCHED_OP = 29;
  private static final int EVENT_CHANNEL_OP = 32, HVM_OP = 34;

  private NarrowCalls() {}

  static boolean sameAsWide(long number, long[] args) {
    int operation = (int) args[0];
    return switch ((int) number) {
      case CONSOLE_IO, VM_ASSIST, EVENT_CHANNEL_OP, HVM_OP -> true;
      // platform_parameters is an address; all else is text and words.
      case XEN_VERSION -> operation != 5;
      // A poll has a pointer inside.
      case SCHED_OP -> operation != 3;
      // initialise, up, down, is_up, timers, register_vcpu_info, send_nmi; run states and times are aligned otherwise.
      case VCPU_OP -> operation <= 3 || operation >= 6 && operation <= 11;
      // The time comes in two words.
      case SET_TIMER_OP -> false;
      // Unknown to Xen, whoever calls.
      default -> number < 0 || number >= 64;
    };
  }
}
