package org.xenolith.translator;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** A place outside the straight way, to be emitted behind it. */
final class Stub {
  final List<Integer> jumps = new ArrayList<>();
  Step step;
  int index;

  /** What {@link TraceTranslator} knows of the flags there, under the same names. */
  boolean saved, again, host, noCarry, zero;

  Step setter;

  /** Where the guest's registers are, see {@link Homes}. */
  int[] homes;
  int resume;
  boolean resumeLoadsFlags;

  /** For an instruction: that behind it the SSE registers are known to be in the host. */
  boolean sse;

  /** For an instruction that may lack a TLB entry: where its address is computed, or -1; whether SSE registers are in the host there. */
  int retry = -1;

  boolean retrySse;
  int access, size;

  /** Whether it is that of a window, see {@link Windows}. */
  boolean window;

  /** Whether that address is a number. */
  boolean constant;

  /** For an exit: where to; and whether the jump may be patched itself, since nothing is to be done. */
  boolean exit;

  long target;
  int refund;

  /** For an exit: that the trace would go on with the second round of a loop. */
  boolean betweenRounds;

  /** For a detour: what emits it, where it leads back to, and the place where machine code is left instead. */
  Consumer<Stub> detour;

  int back;
  Stub miss;

  /** For a detour: another place where machine code is left, for another reason; or null. */
  Stub otherMiss;
}
