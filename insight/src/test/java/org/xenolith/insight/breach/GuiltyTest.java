package org.xenolith.insight.breach;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Stacks of Linux, innermost first, and the function that a report names. */
class GuiltyTest {
  private static String of(String... functions) {
    List<StackFrame> stack = Arrays.stream(functions).map(f -> new StackFrame(1, f, f + "+0x1/0x2", true)).toList();
    return Guilty.of(stack).function();
  }

  @Test
  void glueAndItsBatchesArePassedOver() {
    assertThat(of("xen_hypercall_multicall", "xen_mc_flush", "xen_set_pte_at", "move_page_tables")).isEqualTo("move_page_tables");
    assertThat(of("hypercall_page", "__pin_pagetable_pfn", "xen_alloc_pte", "__pte_alloc_kernel")).isEqualTo("__pte_alloc_kernel");
  }

  @Test
  void thinFunctionsOfThePvLayerArePassedOver() {
    assertThat(of("xen_set_p4d", "set_p4d", "ident_p4d_init")).isEqualTo("ident_p4d_init");
    assertThat(of("native_load_gdt", "load_direct_gdt")).isEqualTo("load_direct_gdt");
    assertThat(of("xen_alloc_pmd_init", "paravirt_alloc_pmd.constprop.0", "__pmd_alloc")).isEqualTo("__pmd_alloc");
    assertThat(of("__raw_callee_save_xen_make_pte", "__native_set_fixmap", "setup_earlycon")).isEqualTo("setup_earlycon");
  }

  @Test
  void walkersOfPageTablesArePassedOver() {
    assertThat(of("xen_mc_flush", "xen_set_p4d", "p4d_clear_bad", "walk_pgd_range", "walk_page_range_novma", "ptdump_walk_pgd"))
        .isEqualTo("ptdump_walk_pgd");
    assertThat(of("xen_set_pte", "ptdump_pte_entry", "walk_pte_range")).isEqualTo("ptdump_pte_entry");
  }

  @Test
  void functionsThatOnlyLookLikeHooksAreNamed() {
    assertThat(of("xen_set_pte", "set_pte_vaddr", "kernel_init")).isEqualTo("set_pte_vaddr");
    assertThat(of("xen_pgd_pin", "__pgd_alloc_helper")).isEqualTo("__pgd_alloc_helper");
  }

  @Test
  void whereAllIsGlueTheInnermostBehindTheHypercallIsNamed() {
    assertThat(of("xen_hypercall_mmuext_op", "pin_pagetable_pfn", "xen_setup_kernel_pagetable", "xen_start_kernel", "startup_xen"))
        .isEqualTo("xen_setup_kernel_pagetable");
    assertThat(of("set_pgd")).isEqualTo("set_pgd");
  }
}
