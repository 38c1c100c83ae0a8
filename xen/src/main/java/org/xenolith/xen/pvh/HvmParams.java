package org.xenolith.xen.pvh;

import org.xenolith.xen.Errno;

/**
 * The parameters of a container (public header hvm/params.h): what its guest may read and write of them (hvm_allow_get_param,
 * hvm_allow_set_param, hvm_set_param, arch/x86/hvm/hvm.c).
 */
final class HvmParams {
  static final int CALLBACK_IRQ = 0, STORE_PFN = 1, STORE_EVTCHN = 2, PAE_ENABLED = 4, IOREQ_PFN = 5, BUFIOREQ_PFN = 6, IDENT_PT = 12;

  static final int DM_DOMAIN = 13, VM86_TSS = 15, CONSOLE_PFN = 17, CONSOLE_EVTCHN = 18, ACPI_IOPORTS_LOCATION = 19;
  static final int MEMORY_EVENT_CR0 = 20, NESTEDHVM = 24, BUFIOREQ_EVTCHN = 26, PAGING_RING_PFN = 27, MONITOR_RING_PFN = 28;
  static final int SHARING_RING_PFN = 29, MEMORY_EVENT_MSR = 30, TRIPLE_FAULT_REASON = 31, VM_GENERATION_ID_ADDR = 34, ALTP2M = 35;
  static final int X87_FIP_WIDTH = 36, VM86_TSS_SIZED = 37, COUNT = 39;

  /** sizeof(struct tss32), and the largest TSS that is of use: interrupt redirection and I/O bitmaps behind it, and a byte. */
  private static final long TSS_SIZE = 104, TSS_MOST = TSS_SIZE + 0x100 / 8 + 0x10000 / 8 + 1;

  private final long[] values = new long[COUNT];

  /** The value of a parameter, whoever may see it. */
  long value(int index) {
    return values[index];
  }

  /** Sets a parameter as the toolstack does. */
  void put(int index, long value) {
    values[index] = value;
  }

  /** Whether the guest may read a parameter: 0 or a negated {@link Errno}. */
  static int mayGet(int index) {
    return switch (index) {
      case CALLBACK_IRQ, VM86_TSS, VM86_TSS_SIZED, ACPI_IOPORTS_LOCATION, VM_GENERATION_ID_ADDR, STORE_PFN, STORE_EVTCHN, CONSOLE_PFN,
          CONSOLE_EVTCHN, ALTP2M, X87_FIP_WIDTH -> 0;
      default -> deprecated(index) ? -Errno.EINVAL : -Errno.EPERM;
    };
  }

  /** What the guest reads; {@link #mayGet} has allowed it. */
  long get(int index) {
    return index == VM86_TSS ? values[VM86_TSS_SIZED] & 0xffff_ffffL : values[index];
  }

  private static boolean deprecated(int index) {
    return index == PAE_ENABLED || index == DM_DOMAIN || index >= MEMORY_EVENT_CR0 && index <= BUFIOREQ_EVTCHN || index == MEMORY_EVENT_MSR;
  }

  /**
   * Sets a parameter for the guest.
   *
   * @param crash is told if Xen crashes a domain for it
   * @return 0 or a negated {@link Errno}
   */
  int set(int index, long value, Runnable crash) {
    switch (index) {
      case CALLBACK_IRQ, VM_GENERATION_ID_ADDR, STORE_EVTCHN, CONSOLE_EVTCHN -> values[index] = value;
      case X87_FIP_WIDTH -> {
        if (value != 0 && value != 4 && value != 8) {
          return -Errno.EINVAL;
        }
        values[index] = value;
      }
      // There is no power-management timer to move (pmtimer_change_ioport).
      case ACPI_IOPORTS_LOCATION -> {
        return -Errno.ENODEV;
      }
      case VM86_TSS -> {
        if (value >>> 32 != 0) {
          crash.run();
          return -Errno.EINVAL;
        }
        values[VM86_TSS_SIZED] = value == 0 ? 0 : value | 128L << 32;
      }
      case VM86_TSS_SIZED -> {
        if (value >>> 32 < TSS_SIZE) {
          crash.run();
          return -Errno.EINVAL;
        }
        values[VM86_TSS_SIZED] = value & 0xffff_ffffL | Math.min(value >>> 32, TSS_MOST) << 32;
      }
      default -> {
        return deprecated(index) ? -Errno.EINVAL : -Errno.EPERM;
      }
    }
    return 0;
  }
}
