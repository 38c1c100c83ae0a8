package org.xenolith.xen.rules;

import static org.xenolith.xen.rules.XenLine.debug;
import static org.xenolith.xen.rules.XenLine.every;

import java.util.List;
import java.util.Locale;

/**
 * The rules that a PV guest keeps or breaks. R1 to R31 are the hypervisor's own, all but the last few about page tables; from R32 on they
 * are what kills PV kernels besides: native instructions, Xen's range of addresses, ports, roots and handlers that are missing.
 *
 * <p>Source of every constant: the named function of Xen at c447b7308b13, under xen/arch/x86 unless a folder is given.
 */
public enum Rule {
  ONE_USE(1, "A frame has one use at a time",
      "A frame is an L1, L2, L3 or L4 page table, holds descriptors, or is mapped writable, and changes from one to another only while "
          + "nothing uses it.",
      "mm.c: _get_page_type", "-EINVAL",
      debug("Bad type (saw <type word> != exp <type word>) for mfn <mfn> (pfn <pfn>)")),

  COUNT_LIMIT(2, "References are bounded",
      "A frame has no more references than its count can hold.",
      "mm.c: _get_page_type, page_get_owner_and_reference", "-EINVAL; -EBUSY for an L1 entry",
      debug("Type count overflow on mfn <mfn>")),

  WHOLE_TABLE(3, "A table is checked whole",
      "When a frame becomes a page table, every present entry of all 512 is checked, used or not; one that breaks a rule keeps the frame "
          + "from becoming a table.",
      "mm.c: validate_page, promote_l1_table to promote_l4_table", "what the entry's own rule answers",
      debug("Failure <errno> in promote_l<n>_table: slot <slot>"),
      debug("Error while validating mfn <mfn> (pfn <pfn>) for type <type word>: caf=<count word> taf=<type word>")),

  FLUSH_ON_CHANGE(4, "A change of use flushes TLBs",
      "Before a frame that was mapped writable becomes a page table or holds descriptors, every TLB that may still hold the mapping is "
          + "flushed by Xen itself.",
      "mm.c: _get_page_type", "nothing: a cost, never a refusal"),

  WRITABLE_IS_EXCLUSIVE(5, "What is a table or holds descriptors is mapped read-only",
      "An L1 entry with RW needs its frame for writing, which a frame in use as a page table or for descriptors cannot be.",
      "mm.c: get_page_from_l1e", "-EBUSY; #PF for a store that Xen was to carry out",
      debug("Bad type (saw <type word> != exp e000000000000000) for mfn <mfn> (pfn <pfn>)"),
      debug("Could not get page type PGT_writable_page"),
      debug("Error getting mfn <mfn> (pfn <pfn>) from L1 entry <entry> for l1e_owner d<n>, pg_owner d<n>")),

  ENTRY_FLAGS(6, "Entries have only the flags that a guest may set",
      "An entry may have P, RW, US, A, D, the bits for software and NX; an L1 entry also G; caching attributes only in a domain with "
          + "devices, and bit 62 of an L1 entry only in a release build, since a debug build of Xen marks grants with it.",
      "mm.c: get_page_from_l1e to l4e, mod_l1_entry to mod_l4_entry, arch_init_memory", "-EINVAL",
      debug("Bad L<n> flags <packed flags>")),

  SMALL_PAGES(7, "No large pages",
      "No entry of an L2 or L3 table is a large page: Xen counts references by frames of 4 KiB.",
      "mm.c: get_page_from_l2e, get_page_from_l3e", "-EINVAL",
      debug("Bad L<n> flags 80")),

  OWN_FRAMES(8, "A guest maps and names its own frames",
      "A frame that is mapped, pinned, copied or written must be the domain's; another domain's comes only by a grant.",
      "mm.c: get_page, get_page_from_l1e, get_pg_owner", "-EINVAL; -EBUSY for an L1 entry; -ESRCH or -EPERM where a domain is named",
      every("Error mfn <mfn>: rd=d<n> od=d<n> caf=<count word> taf=<type word>"),
      debug("pg_owner d<n> l1e_owner d<n>, but real_pg_owner d<n>")),

  NO_IO_MEMORY(9, "I/O space only where it was given",
      "What is not RAM is mapped only by a domain that was given it.",
      "mm.c: get_page_from_l1e", "-EPERM; -EINVAL for the invalid frame number",
      debug("d<n> non-privileged attempt to map MMIO space <mfn>")),

  XEN_HEAP_CACHING(10, "Xen's frames are mapped as write-back memory",
      "A frame that Xen shares with the guest is mapped without caching attributes.",
      "mm.c: get_page_from_l1e", "-EACCES; in a domain without devices R6 answers first",
      debug("Attempt to change cache attributes of Xen heap page")),

  NEXT_LEVEL(11, "An entry of a higher table names a table of the next level",
      "A present entry of an L2, L3 or L4 table names a frame that is, or can become, a table of the level below.",
      "mm.c: get_page_from_l2e, get_page_from_l3e, get_page_from_l4e", "-EINVAL, or what the lower table's own entries answer",
      debug("Bad type (saw <type word> != exp <type word>) for mfn <mfn> (pfn <pfn>)")),

  LINEAR_TABLES(12, "A table may map its own level only read-only and not in a chain",
      "An entry that names a table of its own level must be without RW, and neither table may take part in another such mapping in the "
          + "other role.",
      "mm.c: get_l2_linear_pagetable to get_l4_linear_pagetable", "-EINVAL",
      debug("Attempt to create linear p.t. with write perms")),

  XEN_SLOTS(13, "L4 slots 256 to 271 are Xen's",
      "The slots for 0xffff800000000000 to 0xffff87ffffffffff belong to Xen, which writes them when a frame becomes an L4 table; no "
          + "guest changes them, or follows them when it walks its page tables: they lead to Xen's own frames.",
      "mm.c: mod_l4_entry; include/asm/config.h: ROOT_PAGETABLE_FIRST_XEN_SLOT", "-EINVAL",
      debug("L4 update in Xen-private area, slot <slot>")),

  READ_ONLY_M2P(14, "The machine-to-physical table is there to read",
      "The table at 0xffff800000000000, slot 256 of each root of the kernel, can be read; a store to it faults.",
      "mm.c: fill_ro_mpt, zap_ro_mpt", "#PF"),

  REWRITTEN_FLAGS(15, "Xen rewrites US and G",
      "Kernel and user both run in ring 3, so Xen sets US everywhere, marks kernel pages by bit 52 and makes user pages global; a kernel "
          + "page with G is a mistake that Xen only reports.",
      "pv/mm.h: adjust_guest_l1e to adjust_guest_l4e", "none: the entry is taken",
      debug("Global bit is set in kernel page <mfn>")),

  GRANTS_UNMAPPED(16, "A grant's mapping ends by the grant table",
      "The L1 entry that maps a granted frame is given up by GNTTABOP_unmap_grant_ref, not by overwriting it.",
      "mm.c: put_page_from_l1e", "#GP in a debug build; a grant that cannot be unmapped any more in a release build",
      debug("Attempt to implicitly unmap d<n>'s grant PTE <entry>")),

  L1TF_SAFE(17, "An absent entry names no frame",
      "An entry that is not present is 0 or has an address far above all memory, so that a processor that speculates with it finds "
          + "nothing (L1TF).",
      "include/asm/shadow.h: pv_l1tf_check_pte", "none on processors without the flaw, as here; else shadow paging or the domain's end",
      every("d<n> L1TF-vulnerable L<n>e <entry> - Shadowing"),
      every("d<n> L1TF-vulnerable L<n>e <entry> - Crashing")),

  HARMLESS_CHANGES(18, "Some flags change without a check",
      "A change of A, D, G, US, NX or the bits for software alone takes no new reference.",
      "mm.c: FASTPATH_FLAG_WHITELIST, mod_l1_entry to mod_l4_entry", "nothing: never a refusal"),

  ENTRY_UPDATES(19, "mmu_update changes entries of tables, or words of writable frames",
      "A request of mmu_update names an 8-byte word in a page table, or in a frame that is or can be writable, and one of the four types "
          + "of request.",
      "mm.c: do_mmu_update", "-EINVAL; -ENOSYS for another type",
      debug("Could not get page for normal update"),
      debug("Could not get page for mach->phys update")),

  VA_UPDATES(20, "update_va_mapping needs an L1 table for the address",
      "The address lies in the guest's range, and the tables of the current root lead to an L1 table for it.",
      "mm.c: __do_update_va_mapping; pv/mm.c: map_guest_l1e", "-EINVAL"),

  TABLE_STORES(21, "Only stores to L1 tables are carried out, one aligned word at a time",
      "A store to a read-only mapped table is carried out by Xen if it hits an L1 table with 1, 2, 4 or 8 aligned bytes and leaves an "
          + "entry that keeps the rules; any other is the guest's page fault.",
      "pv/ro-page-fault.c: ptwr_do_page_fault, ptwr_emulated_update", "#PF",
      debug("bad access (cr2=<va>, addr=<va>, bytes=<n>)"),
      debug("could not get_page_from_l1e()")),

  EXTENDED_OPS(22, "mmuext_op has its list of operations",
      "An operation is one of the list, its frames are the domain's, its masks can be read, and cache flushes are for domains with "
          + "devices.",
      "mm.c: do_mmuext_op", "-EINVAL, -EACCES, -EOPNOTSUPP or -ENOSYS",
      debug("Error while installing new baseptr <mfn>"), debug("Error <errno> installing new mfn <mfn>"),
      debug("Bad args to SET_LDT: ptr=<va>, ents=<n>"),
      debug("Error clearing mfn <mfn>"), debug("Error copying from mfn <mfn>"), debug("Error copying to mfn <mfn>"),
      debug("mfn <mfn> bad, or bad owner d<n>")),

  PINNED_ONCE(23, "A pin is not counted",
      "A table is pinned once and unpinned once.",
      "mm.c: do_mmuext_op", "-EINVAL",
      debug("mfn <mfn> already pinned"), debug("mfn <mfn> not pinned"), debug("Error <errno> while pinning mfn <mfn>")),

  DESCRIPTORS(24, "Descriptors are checked, and their frames are not writable",
      "Every present descriptor of a GDT or LDT frame is code, data or a call gate into the guest's code; the GDT ends before entry 7168, "
          + "and the frames are mapped read-only.",
      "pv/descriptor-tables.c: pv_set_gdt, check_descriptor, validate_segdesc_page, do_update_descriptor", "-EINVAL",
      debug("Bad type (saw <type word> != exp a000000000000000) for mfn <mfn> (pfn <pfn>)")),

  DEVICES_WRITE_WRITABLE(25, "Devices reach only writable frames",
      "The IOMMU maps a frame only while it is of writable use.",
      "mm.c: _get_page_type", "nothing: a domain without devices meets this never"),

  WRITE_PROTECTION_ON(26, "CR0 stays as it is, but for TS",
      "A guest can set and clear TS in CR0 and nothing else; above all WP, which protects page tables, stays set.",
      "pv/emul-priv-op.c: write_cr", "#GP",
      debug("Attempt to change unmodifiable CR0 flags")),

  NOT_TRANSLATED(27, "PV page tables are those of a domain that is not translated",
      "Page-table hypercalls refuse domains whose frames a second stage translates.",
      "mm.c: do_mmu_update", "nothing: a PV guest meets this never; others get -EOPNOTSUPP"),

  ROOT_COPIES(28, "Roots are copied where Meltdown is mended",
      "With XPTI each processor runs on a copy of the root, which Xen keeps equal.",
      "mm.c: do_mmu_update", "nothing: a cost, never a refusal"),

  PREEMPTION(29, "Long operations are continued unseen",
      "A long hypercall stops to let events in and goes on by itself; the guest sees only its end.",
      "mm.c: do_mmu_update, do_mmuext_op", "nothing: never a refusal"),

  RACING_UPDATES(30, "Only the processor changes an entry besides Xen",
      "Between Xen's reading and writing of an entry only accessed and dirty bits change.",
      "pv/mm.h: update_intpte", "nothing: no guest can break this"),

  PAE_ONLY(31, "Rules of 32-bit guests",
      "Page directories below 4 GiB and the fourth slot of a PAE L3 table concern 32-bit guests.",
      "mm.c: promote_l3_table", "nothing: a 64-bit guest meets this never"),

  NATIVE_INSTRUCTION(32, "No native instruction that Xen does not carry out",
      "The guest's kernel runs in ring 3: instructions for ring 0 fault. Xen carries some out, such as CLTS, CPUID and MOV to and from "
          + "control registers; LGDT, LIDT, LLDT, LTR, INVLPG, HLT and the like it gives back as #GP.",
      "pv/emul-priv-op.c: pv_emulate_privileged_op", "#GP"),

  XEN_ADDRESSES(33, "The kernel stays out of Xen's addresses",
      "Addresses from 0xffff800000000000 to 0xffff87ffffffffff are Xen's; but for the machine-to-physical table the guest cannot touch "
          + "them.",
      "include/asm/config.h; traps.c: fixup_page_fault", "#PF"),

  PORT_PERMISSION(34, "Ports by IOPL or bitmap of the hypercalls",
      "IN and OUT need a privilege level set by PHYSDEVOP_set_iopl or ports opened by PHYSDEVOP_set_iobitmap; a TSS of the guest's own "
          + "is never looked at.",
      "pv/emul-priv-op.c: guest_io_okay", "#GP"),

  USER_ROOT(35, "User mode needs its own root",
      "Before the first return to user mode MMUEXT_NEW_USER_BASEPTR gives the vcpu a root for it.",
      "pv/iret.c: do_iret", "the domain's end",
      every("Guest switching to user mode with no user page tables")),

  HANDLERS(36, "What may come has a handler and a stack",
      "Every exception and event that can come has an address registered before, and the kernel's stack can be written.",
      "x86_64/entry.S: create_bounce_frame; pv/traps.c: pv_inject_event", "the domain's end",
      every("Unhandled: vec <vector>, <exception>[<error code>]"),
      every("domain_crash_sync called from entry.S"),
      every("Fault while reading IRET context from guest stack")),

  MEMORY_CALLS(37, "Memory within the domain's share",
      "memory_op gives a domain frames up to its maximum, exchanges its own RAM, and has no physmap of a PV domain to change.",
      "common/memory.c: do_memory_op, increase_reservation, populate_physmap, memory_exchange", "-EPERM, -EINVAL, -EACCES or -ENOSYS, or "
          + "fewer extents done than asked for");

  private final int number;
  private final String title;
  private final String sentence;
  private final String where;
  private final String answer;
  private final List<XenLine> lines;

  Rule(int number, String title, String sentence, String where, String answer, XenLine... lines) {
    this.number = number;
    this.title = title;
    this.sentence = sentence;
    this.where = where;
    this.answer = answer;
    this.lines = List.of(lines);
  }

  /** Its number, from 1. */
  public int number() {
    return number;
  }

  /** Its number as people write it, such as "R5". */
  public String id() {
    return "R" + number;
  }

  /** Its name, a short sentence without full stop. */
  public String title() {
    return title;
  }

  /** What it demands, in one plain sentence. */
  public String sentence() {
    return sentence;
  }

  /** Where Xen enforces it: files and functions. */
  public String where() {
    return where;
  }

  /** What the guest is answered. */
  public String answer() {
    return answer;
  }

  /** What a real Xen prints, with the variable parts in angle brackets; empty where every build is silent. */
  public List<XenLine> lines() {
    return lines;
  }

  /** Whether a guest can break it at all here; the others are costs, or concern other guests. */
  public boolean breakable() {
    return !answer.startsWith("nothing") && this != XEN_HEAP_CACHING;
  }

  /** The name of its page in docs/rules, without ending. */
  public String page() {
    return "r%02d-%s".formatted(number, name().toLowerCase(Locale.ROOT).replace('_', '-'));
  }
}
