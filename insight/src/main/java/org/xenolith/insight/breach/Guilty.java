package org.xenolith.insight.breach;

import java.util.List;

/** Which function of a stack a person wants to read about: the innermost that is not part of the way to Xen. */
final class Guilty {
  private Guilty() {}

  static StackFrame of(List<StackFrame> stack) {
    for (StackFrame frame : stack) {
      if (!frame.function().isEmpty() && !isWay(frame.function())) {
        return frame;
      }
    }
    return stack.getFirst();
  }

  /** Linux's stubs of hypercalls and its batches (arch/x86/xen/multicalls.c). */
  private static boolean isWay(String function) {
    return function.startsWith("hypercall_page") || function.startsWith("xen_hypercall_") || function.startsWith("xen_mc_")
        || function.startsWith("__xen_mc_") || function.startsWith("xen_extend_mm") || function.startsWith("xen_single_call");
  }
}
