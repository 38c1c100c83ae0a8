package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.SEGMENT_DESCRIPTORS;
import static org.xenolith.xen.mm.FrameTable.WRITABLE;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/**
 * The guest's descriptor tables: the frames they lie in are of type seg_desc, which no page table maps writable, and hold only checked
 * descriptors (Xen: arch/x86/pv/descriptor-tables.c; pv_map_ldt_shadow_page, pv/mm.c).
 */
public final class DescriptorTables {
  private static final int PER_PAGE = 512;
  private static final int MAX_LDT_ENTRIES = 8192;

  private final PvMmu mmu;
  private final PageTypes types;
  private final Refusals refusals;
  private final GuestStruct frameList = new GuestStruct(16 * Long.BYTES);
  private final long[] wanted = new long[16];

  DescriptorTables(PvMmu mmu) {
    this.mmu = mmu;
    this.types = mmu.types();
    this.refusals = mmu.refusals();
  }

  // ---- GDT ----

  /** HYPERVISOR_set_gdt: a list of frames, and how many entries they hold. */
  long setGdt(Vcpu vcpu, long[] args) {
    int entries = (int) args[1];
    if (Integer.compareUnsigned(entries, DescriptorChecks.FIRST_RESERVED_ENTRY) > 0) {
      return refusals.report(vcpu, tooLarge(entries));
    }
    int pages = (entries + PER_PAGE - 1) / PER_PAGE;
    if (!frameList.read(vcpu.cpu, args[0], pages * Long.BYTES)) {
      return -Errno.EFAULT;
    }
    for (int n = 0; n < pages; n++) {
      wanted[n] = frameList.getLong(n * Long.BYTES);
    }
    return refusals.report(vcpu, installGdt(vcpu, wanted, entries));
  }

  private int tooLarge(int entries) {
    String why = "a GDT of %s entries: those from %d on are Xen's";
    String size = Integer.toUnsignedString(entries);
    return refusals.refuse(Rule.DESCRIPTORS, Errno.EINVAL, -1, why.formatted(size, DescriptorChecks.FIRST_RESERVED_ENTRY));
  }

  /**
   * Gives a vcpu a GDT (pv_set_gdt), as the hypercall and VCPUOP_initialise do.
   *
   * @param mfns the frames it lies in
   * @param entries its size; 0: none
   * @return 0 or a negated {@link Errno}
   */
  public int set(Vcpu vcpu, long[] mfns, int entries) {
    if (Integer.compareUnsigned(entries, DescriptorChecks.FIRST_RESERVED_ENTRY) > 0) {
      return (int) refusals.report(vcpu, tooLarge(entries));
    }
    return (int) refusals.report(vcpu, installGdt(vcpu, mfns, entries));
  }

  private int installGdt(Vcpu vcpu, long[] mfns, int entries) {
    int pages = (entries + PER_PAGE - 1) / PER_PAGE;
    for (int n = 0; n < pages; n++) {
      int rc = types.getPageAndType(mfns[n], SEGMENT_DESCRIPTORS, vcpu.domain.id);
      if (rc != 0) {
        refusals.onBehalfOf(Rule.DESCRIPTORS);
        refusals.at("wanted as page %d of the GDT".formatted(n));
        while (n-- > 0) {
          types.putPageAndType(mfns[n]);
        }
        return -Errno.EINVAL;
      }
    }
    dropGdt(vcpu);
    System.arraycopy(mfns, 0, vcpu.gdtMfns, 0, pages);
    vcpu.gdtEntries = entries;
    return 0;
  }

  /** Takes the GDT away (pv_destroy_gdt). */
  public void dropGdt(Vcpu vcpu) {
    vcpu.gdtEntries = 0;
    for (int n = 0; n < vcpu.gdtMfns.length; n++) {
      if (vcpu.gdtMfns[n] != 0) {
        types.putPageAndType(vcpu.gdtMfns[n]);
        vcpu.gdtMfns[n] = 0;
      }
    }
  }

  // ---- LDT ----

  /** MMUEXT_SET_LDT. */
  int setLdt(Vcpu vcpu, long va, int entries) {
    long base = entries == 0 ? 0 : va;
    boolean misplaced = entries != 0 && ((base & GuestMemory.FRAME_SIZE - 1) != 0 || !GuestAccess.accessible(base, 1));
    if (Integer.compareUnsigned(entries, MAX_LDT_ENTRIES) > 0 || misplaced) {
      String why = "an LDT of %s entries at va 0x%x: at most 8192, on a page of the guest's";
      refusals.refuse(Rule.EXTENDED_OPS, Errno.EINVAL, -1, why.formatted(Integer.toUnsignedString(entries), va));
      refusals.debugLine("Bad args to SET_LDT: ptr=%x, ents=%x".formatted(va, entries));
      return -Errno.EINVAL;
    }
    if (vcpu.ldtEntries != entries || vcpu.ldtBase != base) {
      dropLdt(vcpu);
      vcpu.ldtBase = base;
      vcpu.ldtEntries = entries;
    }
    return 0;
  }

  /** Gives up the frames of the LDT; they are looked up anew when it is used (pv_destroy_ldt). */
  public void dropLdt(Vcpu vcpu) {
    for (int n = 0; n < vcpu.ldtMfns.length; n++) {
      if (vcpu.ldtMfns[n] != 0) {
        types.putPageAndType(vcpu.ldtMfns[n]);
        vcpu.ldtMfns[n] = 0;
      }
    }
  }

  /**
   * The frame of a page of the LDT, taken into use if it was not yet.
   *
   * @param page number of the page from the table's base; inside the table's size
   * @return the frame, or -1 where the guest does not map the page or it cannot hold descriptors: the access faults at the guest's address
   */
  public long ldtFrame(Vcpu vcpu, int page) {
    if (vcpu.ldtMfns[page] == 0) {
      long entry = mmu.roots().kernelL1Entry(vcpu, vcpu.ldtBase + (long) page * GuestMemory.FRAME_SIZE);
      if (!Pte.present(entry)) {
        return -1;
      }
      long mfn = Pte.mfn(entry);
      int rc = types.getPageAndType(mfn, SEGMENT_DESCRIPTORS, vcpu.domain.id);
      if (rc != 0) {
        refusals.onBehalfOf(Rule.DESCRIPTORS);
        refusals.at("wanted as page %d of the LDT".formatted(page));
        refusals.reportFault(vcpu);
        return -1;
      }
      vcpu.ldtMfns[page] = mfn;
    }
    return vcpu.ldtMfns[page];
  }

  // ---- One descriptor ----

  /** HYPERVISOR_update_descriptor: writes a descriptor at a machine address. */
  long updateDescriptor(Vcpu vcpu, long[] args) {
    return refusals.report(vcpu, update(vcpu, args[0], args[1]));
  }

  private int update(Vcpu vcpu, long pa, long descriptor) {
    if ((pa & 7) != 0 || !DescriptorChecks.allowed(descriptor)) {
      String why = "descriptor 0x%x for machine address 0x%x: it must be one a guest may have, at a multiple of 8";
      return refusals.refuse(Rule.DESCRIPTORS, Errno.EINVAL, pa >>> 12, why.formatted(descriptor, pa));
    }
    long mfn = pa >>> GuestMemory.FRAME_SHIFT;
    int rc = types.getPage(mfn, vcpu.domain.id);
    if (rc != 0) {
      return rc;
    }
    rc = types.getType(mfn, mmu.frames().type(mfn) == SEGMENT_DESCRIPTORS ? SEGMENT_DESCRIPTORS : WRITABLE);
    if (rc == 0) {
      mmu.xen().memory.writeLong(pa, DescriptorChecks.fix(descriptor));
      types.putType(mfn);
    } else {
      refusals.onBehalfOf(Rule.DESCRIPTORS);
      refusals.at("which a descriptor was to be written to");
      rc = -Errno.EINVAL;
    }
    types.putPage(mfn);
    return rc;
  }
}
