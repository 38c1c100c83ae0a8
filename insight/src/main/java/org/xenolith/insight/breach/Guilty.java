package org.xenolith.insight.breach;

import java.util.List;
import java.util.Set;

/**
 * Which function of a stack a person wants to read about: the innermost that is neither Linux's glue for Xen nor one of the thin functions
 * that lead to it, nor a mere walker of page tables; where all of it is glue (the start of a PV kernel), the innermost that is not part of
 * the way to the hypercall.
 */
final class Guilty {
  /**
   * The hooks of pv_ops, of all versions, by which the kernel reaches the glue (Linux: struct pv_cpu_ops and pv_mmu_ops,
   * arch/x86/include/asm/paravirt_types.h). Inline functions of these names call them; where the compiler did not inline one, its caller
   * is the one to read about.
   */
  private static final Set<String> HOOKS =
      Set.of(
          "load_gdt", "load_idt", "set_ldt", "load_tls", "load_TLS", "load_tr_desc", "load_TR_desc", "store_tr", "load_gs_index",
          "load_sp0", "write_ldt_entry", "write_gdt_entry", "write_idt_entry", "alloc_ldt", "free_ldt", "get_debugreg", "set_debugreg",
          "read_cr0", "write_cr0", "read_cr2", "write_cr2",
          "read_cr3", "write_cr3", "read_cr4", "write_cr4", "clts", "cpuid", "read_msr", "write_msr",
          "read_msr_safe", "write_msr_safe", "read_pmc", "start_context_switch", "end_context_switch", "invalidate_io_bitmap",
          "update_io_bitmap", "iret", "io_delay", "wbinvd", "activate_mm", "dup_mmap", "enter_mmap", "exit_mmap", "pgd_alloc", "pgd_free",
          "alloc_pte", "alloc_pmd", "alloc_pud", "alloc_p4d", "release_pte", "release_pmd", "release_pud", "release_p4d", "set_pte",
          "set_pte_at", "set_pmd", "set_pmd_at", "set_pud", "set_pud_at", "set_p4d", "set_pgd", "set_fixmap", "pte_clear", "pmd_clear",
          "pud_clear", "p4d_clear", "pgd_clear", "ptep_modify_prot_start", "ptep_modify_prot_commit", "flush_tlb_user", "flush_tlb_kernel",
          "flush_tlb_one_user", "flush_tlb_multi", "flush_tlb_others", "tlb_remove_table", "enter_lazy_mmu", "leave_lazy_mmu",
          "enter_lazy_mmu_mode", "leave_lazy_mmu_mode", "flush_lazy_mmu_mode", "notify_page_enc_status_changed");

  /**
   * Functions that only go through page tables for another, or clear what they took for garbage there (Linux: mm/pagewalk.c,
   * mm/pgtable-generic.c). What is done at an entry is in functions that they call.
   */
  private static final Set<String> WALKERS =
      Set.of(
          "pgd_clear_bad", "p4d_clear_bad", "pud_clear_bad", "pmd_clear_bad", "walk_pte_range", "walk_pmd_range", "walk_pud_range",
          "walk_p4d_range", "walk_pgd_range", "__walk_page_range", "walk_page_range", "walk_page_range_novma", "apply_to_page_range",
          "__apply_to_page_range", "walk_page_range_debug", "walk_kernel_page_table_range", "walk_kernel_page_table_range_lockless");

  private static final String STUB = "__raw_callee_save_";

  /** What such an inline function or its native twin may have in front of the hook's name. */
  private static final List<String> PREFIXES = List.of("__native_", "native_", "paravirt_", "arch_", "pv_", "__");

  private Guilty() {}

  static StackFrame of(List<StackFrame> stack) {
    StackFrame glue = null;
    for (StackFrame frame : stack) {
      String function = bare(frame.function());
      if (function.isEmpty() || isWay(function) || !frame.certain() && glue != null) {
        continue;
      }
      if (!isGlue(function) && !isHook(function) && !WALKERS.contains(function)) {
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

  /** Without the compiler's mark, ".constprop.0", and that of the stub which saves registers around a hook. */
  private static String bare(String function) {
    int mark = function.indexOf('.');
    String name = mark > 0 ? function.substring(0, mark) : function;
    return name.startsWith(STUB) ? name.substring(STUB.length()) : name;
  }

  private static boolean isHook(String function) {
    String name = function;
    for (String prefix : PREFIXES) {
      if (name.startsWith(prefix)) {
        name = name.substring(prefix.length());
        break;
      }
    }
    return HOOKS.contains(name);
  }

  /** Linux's stubs of hypercalls and its batches (arch/x86/xen/multicalls.c). */
  private static boolean isWay(String function) {
    return function.startsWith("hypercall_page") || function.startsWith("xen_hypercall_") || function.startsWith("xen_mc_")
        || function.startsWith("__xen_mc_") || function.startsWith("xen_extend_mm") || function.startsWith("xen_single_call")
        || function.contains("pin_pagetable_pfn") || function.startsWith("xen_do_pin");
  }
}
