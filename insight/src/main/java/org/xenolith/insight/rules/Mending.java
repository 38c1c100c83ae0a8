package org.xenolith.insight.rules;

import org.xenolith.xen.rules.Rule;

/** What usually mends a kernel that breaks a rule. */
public final class Mending {
  private Mending() {}

  /** Advice in a sentence or two; empty for rules that a guest cannot break. */
  public static String of(Rule rule) {
    return switch (rule) {
      case ONE_USE -> "Find who still uses the frame, its history tells: unmap every writable mapping, aliases in the direct map and in "
          + "vmalloc space among them, before the frame becomes a table; unpin it before it becomes anything else.";
      case COUNT_LIMIT -> "Something maps one frame without end.";
      case WHOLE_TABLE -> "Clear a page before it becomes a table: all 512 slots count, used or not.";
      case WRITABLE_IS_EXCLUSIVE -> "Map the frame read-only while it is a table, through pv_ops (alloc_pte and its like make it so), or "
          + "release and unpin the table first.";
      case ENTRY_FLAGS -> "Take the protection through pgprot helpers that mask by __supported_pte_mask and, in PV, leave caching bits "
          + "away; if it came from memory nobody wrote, clear the page.";
      case SMALL_PAGES -> "Ask cpu_feature_enabled(X86_FEATURE_PSE), which PV guests lack, before large pages are used.";
      case OWN_FRAMES -> "Turn pseudo-physical into machine frames: the entry was made past make_pte and its like, or the p2m has no "
          + "frame there.";
      case NO_IO_MEMORY -> "Do not map fixed physical addresses in a domU: ask for the device first; or the entry was made from a "
          + "pseudo-physical address without the p2m.";
      case XEN_HEAP_CACHING -> "";
      case NEXT_LEVEL -> "Tell Xen of the lower table first (alloc_pte, alloc_pmd, alloc_pud of pv_ops), and be sure that no writable "
          + "mapping of it is left.";
      case LINEAR_TABLES -> "Linux uses no linear page tables: most often the wrong frame was written to the entry.";
      case XEN_SLOTS -> "Leave L4 slots 256 to 271 alone, as GUARD_HOLE_BASE_ADDR says, also when whole page directories are copied.";
      case READ_ONLY_M2P -> "Change the table by mmu_update, MMU_MACHPHYS_UPDATE.";
      case REWRITTEN_FLAGS -> "Take _PAGE_GLOBAL out of __supported_pte_mask for kernel entries, and do not read meaning into G or US of "
          + "an entry read back.";
      case GRANTS_UNMAPPED -> "Unmap by GNTTABOP_unmap_grant_ref, before the address is given to anybody else.";
      case L1TF_SAFE -> "Make absent entries with the helpers that invert the address (pte_mknotpresent, protnone_mask), or write 0.";
      case ENTRY_UPDATES -> "The pointer must be a machine address, with the table's own frame: virt_to_machine, not virt_to_phys.";
      case VA_UPDATES -> "Make the L1 table of the address first; for addresses that may have none use mmu_update.";
      case TABLE_STORES -> "Set entries through pv_ops: a hook is not used, not set yet, or takes the table for one that is not pinned.";
      case EXTENDED_OPS -> "Look at the operation's arguments: machine frames of the domain, masks that are mapped.";
      case PINNED_ONCE -> "Pin when a table comes into use and unpin when it goes; moving a table to another slot does neither.";
      case DESCRIPTORS -> "Give Xen the machine frames of pages that are mapped read-only everywhere and hold no system descriptors: "
          + "no TSS, no LDT descriptor.";
      case WRITE_PROTECTION_ON -> "Use a second, writable mapping instead of clearing CR0.WP.";
      case NATIVE_INSTRUCTION -> "Use the hook of pv_ops for it; if there is one, it was used before xen_start_kernel set it.";
      case XEN_ADDRESSES -> "Skip the hole at GUARD_HOLE_BASE_ADDR when addresses or page tables are walked.";
      case PORT_PERMISSION -> "Use the hooks for iopl and the I/O bitmap, which tell Xen.";
      case USER_ROOT -> "Set the user root with the kernel's, as xen_write_cr3 does.";
      case HANDLERS -> "Register trap table, callbacks and stack before the first thing that may fault; the fault itself is told above.";
      case MEMORY_CALLS -> "Ask for no more than the domain's maximum, in extents that it owns.";
      case FLUSH_ON_CHANGE, HARMLESS_CHANGES, DEVICES_WRITE_WRITABLE, NOT_TRANSLATED, ROOT_COPIES, PREEMPTION, RACING_UPDATES, PAE_ONLY ->
          "";
    };
  }
}
