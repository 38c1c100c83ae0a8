package org.xenolith.insight.gdb;

/**
 * Why the machine stands still, as a stop reply says it.
 *
 * @param processor whose stop it is
 * @param signal gdb's number of a signal
 * @param why the reply's pair that tells a breakpoint's or watchpoint's kind ({@code "swbreak:;"}), or empty
 */
record Stop(int processor, int signal, String why) {
  /** Of gdb's signals (gdb/signals.def) those used here. */
  static final int INTERRUPT = 2, TRAP = 5, ABORT = 6;

  static Stop trap(int processor) {
    return new Stop(processor, TRAP, "");
  }
}
