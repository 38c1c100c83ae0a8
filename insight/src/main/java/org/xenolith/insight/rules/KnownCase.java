package org.xenolith.insight.rules;

import static org.xenolith.xen.rules.Rule.HANDLERS;
import static org.xenolith.xen.rules.Rule.L1TF_SAFE;
import static org.xenolith.xen.rules.Rule.NATIVE_INSTRUCTION;
import static org.xenolith.xen.rules.Rule.NO_IO_MEMORY;
import static org.xenolith.xen.rules.Rule.ONE_USE;
import static org.xenolith.xen.rules.Rule.PINNED_ONCE;
import static org.xenolith.xen.rules.Rule.PORT_PERMISSION;
import static org.xenolith.xen.rules.Rule.REWRITTEN_FLAGS;
import static org.xenolith.xen.rules.Rule.SMALL_PAGES;
import static org.xenolith.xen.rules.Rule.TABLE_STORES;
import static org.xenolith.xen.rules.Rule.WHOLE_TABLE;
import static org.xenolith.xen.rules.Rule.WRITABLE_IS_EXCLUSIVE;
import static org.xenolith.xen.rules.Rule.XEN_ADDRESSES;
import static org.xenolith.xen.rules.Rule.XEN_SLOTS;

import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.xenolith.xen.rules.Rule;

/** Changes of Linux that broke Xen PV guests, each with the rule that was broken. Commits are those of Linux. */
public enum KnownCase {
  PAGETABLE_RESERVE("Early page tables reserved too wide", "2011",
      "4b239f458c22 reserved more pages for early page tables than were used; pages in the reserve that held no table stayed read-only, "
          + "and tables were mapped writable. 279b706bf800 gave Xen a hook of its own.",
      Set.of(ONE_USE, WRITABLE_IS_EXCLUSIVE), "init_memory_mapping", "init_range_memory_mapping", "alloc_low_pages"),

  LAZY_VMALLOC("vm_unmap_ram left writable aliases", "2.6.37-rc4, December 2010",
      "Lazily unmapped pages of vmalloc space were still mapped writable when they were used again as page tables.",
      Set.of(ONE_USE, WRITABLE_IS_EXCLUSIVE), "vm_unmap_ram", "vmap_", "vm_map_ram"),

  NUMA_BITS("_PAGE_GLOBAL stood for _PAGE_PROTNONE", "3.17 and 3.18, November 2014",
      "Xen sets G in entries of user pages, and NUMA balancing took the bit for its own.",
      Set.of(REWRITTEN_FLAGS), "change_prot_numa", "do_numa_page"),

  DEFERRED_PAGES("The pinned mark lost with struct page", "4.15, February 2018",
      "Deferred initialisation of struct page (f7f99100d8d9) cleared the mark of pinned tables, so that the kernel stored to L3 tables "
          + "itself: a page fault in xen_set_pud.",
      Set.of(TABLE_STORES), "xen_set_pud", "xen_set_pmd", "xen_set_p4d", "native_set_pud", "native_set_pmd"),

  GLOBAL_KERNEL("G in entries of the kernel", "4.18-rc, mended by 0ce0bba4e5e0",
      "Page-table isolation set G in kernel entries again, where PV guests must not have it.",
      Set.of(REWRITTEN_FLAGS)),

  LDT_HOLE("The hole for Xen computed from the direct map", "4.20-rc; 4.19.5 and 4.14.84, mended by 16877a5570e0",
      "The LDT remap moved the direct map (d52888aa2753), and the kernel took Xen's L4 slots for its own: a fault in "
          + "ptdump_walk_pgd_level_core.",
      Set.of(XEN_SLOTS, XEN_ADDRESSES), "ptdump", "map_ldt_struct", "note_page"),

  PTDUMP_WALK("Xen's hole walked by ptdump", "5.7-rc, February 2020",
      "ptdump over walk_page_range (2ae27137b2db) forgot Xen's slots.",
      Set.of(XEN_SLOTS, XEN_ADDRESSES), "ptdump", "walk_page_range"),

  NO_IO_BITMAP("ioperm without a bitmap for Xen", "5.5, mended February 2020",
      "The rework of iopl and ioperm (111e7b15cf10) wrote the TSS's bitmap, which Xen does not look at.",
      Set.of(PORT_PERMISSION)),

  MOVED_PMD("An L1 table pinned twice by mremap", "5.14, mended by 36c9b5929b70",
      "move_normal_pmd (0881ace292b6) populated a new slot with a table that was pinned already.",
      Set.of(PINNED_ONCE), "move_page_tables", "move_normal_pmd", "move_pgt_entry"),

  DIRTY_BRK("A .brk that was not cleared", "5.19-rc, mended by 38fa5479b413",
      "Memory of .brk was taken for page tables uncleared, and old contents in unused slots made the whole table bad. What is in that "
          + "memory differs from boot to boot.",
      Set.of(WHOLE_TABLE)),

  BRK_OUTSIDE("A .brk that no program header covers", "5.19-rc, mended with 38fa5479b413",
      ".brk was marked NOLOAD, so the loader did not know of it and put its own pages there; the kernel took start_info and page tables "
          + "for free memory and cleared them.",
      Set.of(WHOLE_TABLE, L1TF_SAFE, TABLE_STORES, WRITABLE_IS_EXCLUSIVE, HANDLERS), "extend_brk", "clear_bss"),

  EXECMEM_ROX("Text poked through a mapping of a table's frame", "6.13-rc2 to rc6, mended by 59f59108475e",
      "The cache of large executable pages for modules counts on large pages, which PV has not; text_poke then mapped the wrong frames.",
      Set.of(WRITABLE_IS_EXCLUSIVE, SMALL_PAGES, ONE_USE), "text_poke", "execmem", "module_alloc"),

  KASAN_EARLY("A table pinned and freed as init memory", "KASAN for PV, a thread without merge",
      "early_top_pgt was pinned and lay in memory that was freed after the start: it was mapped writable as a table.",
      Set.of(WRITABLE_IS_EXCLUSIVE), "free_init_pages", "free_kernel_image_pages", "free_initmem", "kasan"),

  L1TF_ENTRIES("Absent entries with an address", "Qubes issues 7935 and 8593",
      "An absent entry kept the address of its frame: with pv-l1tf Xen ends the domain or has it run on shadow page tables.",
      Set.of(L1TF_SAFE)),

  FOREIGN_MMIO("A driver maps memory of a device that the guest has not", "pmc_core, UCSI: Qubes issues 6052 and 7560",
      "A driver maps registers at a fixed address; Xen refuses, and the driver uses the empty mapping.",
      Set.of(NO_IO_MEMORY), "ioremap", "memremap", "acpi_os_map"),

  EARLY_PV_OPS("A hook used before it was set", "4.18-rc, 7.0 merge window and others",
      "Code moved earlier runs before pv_ops or struct page are set up for Xen, and uses what is native.",
      Set.of(NATIVE_INSTRUCTION), "start_kernel", "xen_start_kernel", "early_");

  private final String title;
  private final String time;
  private final String story;
  private final Set<Rule> rules;
  private final List<String> functions;

  KnownCase(String title, String time, String story, Set<Rule> rules, String... functions) {
    this.title = title;
    this.time = time;
    this.story = story;
    this.rules = rules;
    this.functions = List.of(functions);
  }

  public String title() {
    return title;
  }

  /** In which versions, and what mended it. */
  public String time() {
    return time;
  }

  /** What happened, in a sentence or two. */
  public String story() {
    return story;
  }

  /** The rules that the case may break. */
  public Set<Rule> rules() {
    return rules;
  }

  /**
   * The case that a broken rule resembles: one of the rule's with the most of its functions in the stack. A case that names functions
   * needs one of them to be there.
   *
   * @param stack names of functions
   */
  public static Optional<KnownCase> resembling(Rule rule, Collection<String> stack) {
    KnownCase best = null;
    long most = -1;
    for (KnownCase c : values()) {
      long found = c.functions.stream().filter(part -> stack.stream().anyMatch(name -> name.contains(part))).count();
      if (c.rules.contains(rule) && (found > 0 || c.functions.isEmpty()) && found > most) {
        best = c;
        most = found;
      }
    }
    return Optional.ofNullable(best);
  }
}
