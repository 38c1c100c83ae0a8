package org.xenolith.insight.breach;

import java.util.List;

/**
 * Which function of a stack a person wants to read about: the innermost that is not Linux's glue for Xen, or where all of it is glue (the
 * start of a PV kernel), the innermost that is not part of the way to the hypercall.
 */
final class Guilty {
  private Guilty() {}

  static StackFrame of(List<StackFrame> stack) {
    StackFrame glue = null;
    for (StackFrame frame : stack) {
      String function = frame.function();
      if (function.isEmpty() || isWay(function) || !frame.certain() && glue != null) {
        continue;
      }
      if (!isGlue(function)) {
        return frame;
      }
      glue = glue == null ? frame : glue;
    }
    return glue != null ? glue : stack.getFirst();
  }

  /** Functions of arch/x86/xen, which stand in for the processor's instructions. */
  private static boolean isGlue(String function) {
    return function.startsWith("xen_") || function.startsWith("__xen_") || function.equals("startup_xen");
  }

  /** Linux's stubs of hypercalls and its batches (arch/x86/xen/multicalls.c). */
  private static boolean isWay(String function) {
    return function.startsWith("hypercall_page") || function.startsWith("xen_hypercall_") || function.startsWith("xen_mc_")
        || function.startsWith("__xen_mc_") || function.startsWith("xen_extend_mm") || function.startsWith("xen_single_call")
        || function.startsWith("pin_pagetable_pfn") || function.startsWith("xen_do_pin");
  }
}
