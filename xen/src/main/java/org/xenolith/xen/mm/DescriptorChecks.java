package org.xenolith.xen.mm;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Errno;
import org.xenolith.xen.rules.Rule;

/** What descriptors a PV guest may have (Xen: check_descriptor, validate_segdesc_page, arch/x86/pv/descriptor-tables.c). */
public final class DescriptorChecks {
  /** Entries of the GDT from here on are Xen's (FIRST_RESERVED_GDT_ENTRY, public header arch-x86/xen.h). */
  public static final int FIRST_RESERVED_ENTRY = 14 * 512;

  /** The code selector that every 64-bit guest has without a GDT of its own (FLAT_KERNEL_CS). */
  private static final int FLAT_KERNEL_CS = 0xe033;

  private static final long PRESENT = 1L << 47, CODE_OR_DATA = 1L << 44, DPL = 3L << 45, TYPE = 0xfL << 40;
  private static final long CALL_GATE = 0xcL << 40;
  private static final int PER_PAGE = 512;

  private final GuestMemory memory;
  private final Refusals refusals;

  DescriptorChecks(GuestMemory memory, Refusals refusals) {
    this.memory = memory;
    this.refusals = refusals;
  }

  /** Checks all descriptors of a frame that is to hold some, and writes them as Xen keeps them. */
  int checkPage(long mfn) {
    for (int n = 0; n < PER_PAGE; n++) {
      long pa = mfn << GuestMemory.FRAME_SHIFT | (long) n << 3;
      long descriptor = memory.readLong(pa);
      if (!allowed(descriptor)) {
        String why = "descriptor 0x%x, number %d in mfn 0x%x, is a system descriptor that a guest may not have";
        return refusals.refuse(Rule.DESCRIPTORS, Errno.EINVAL, mfn, why.formatted(descriptor, n, mfn));
      }
      long fixed = fix(descriptor);
      if (fixed != descriptor) {
        memory.writeLong(pa, fixed);
      }
    }
    return 0;
  }

  /** Whether a guest may have a descriptor: absent ones, code, data, the empty type, and call gates to a code segment it may use. */
  static boolean allowed(long d) {
    if ((d & PRESENT) == 0 || (d & CODE_OR_DATA) != 0 || (d & TYPE) == 0) {
      return true;
    }
    int selector = (int) (d >>> 16) & 0xffff;
    boolean selectorAllowed = selector >>> 3 < FIRST_RESERVED_ENTRY || selector == FLAT_KERNEL_CS || (selector & 4) != 0;
    return (d & TYPE) == CALL_GATE && selectorAllowed && (d >>> 32 & 0xff) == 0;
  }

  /**
   * A descriptor that is {@link #allowed} as Xen keeps it: at ring 3 where it was below. A call gate gets ring 0, so that its use faults
   * and can be emulated; its ring goes into the selector.
   */
  static long fix(long d) {
    if ((d & PRESENT) == 0 || (d & CODE_OR_DATA) == 0 && (d & TYPE) == 0) {
      return d;
    }
    if ((d & CODE_OR_DATA) != 0) {
      return d | DPL;
    }
    return d & ~DPL | 3L << 16;
  }
}
