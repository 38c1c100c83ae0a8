package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Mmu;
import org.xenolith.xen.Errno;
import org.xenolith.xen.Vcpu;

/** A guest's debug registers: what it may set (set_debugreg, pv/misc-hypercalls.c) and how they reach the processor. */
final class DebugRegisters {
  private static final long CR4_DE = 8;
  private static final long DR6_ONES = 0xffff_0ff0L, DR6_ZEROS = 0x1000;
  private static final long DR7_ONES = 0x400, DR7_ZEROS = 0xd800;
  private static final long DR7_ENABLES = 0xff, DR7_GENERAL_DETECT = 0x2000;

  private DebugRegisters() {}

  /**
   * Sets a debug register.
   *
   * @return 0, or -ENODEV (no such register), -EINVAL (a bit that does not exist), -EPERM (a value that a guest may not use)
   */
  static int set(Vcpu vcpu, long number, long value) {
    PvState pv = vcpu.pv;
    Cpu cpu = vcpu.cpu;
    boolean extensions = (pv.cr4 & CR4_DE) != 0;
    if (number < 0 || number > 7 || (number == 4 || number == 5) && extensions) {
      return -Errno.ENODEV;
    }
    if (number < 4) {
      // Xen's addresses must not be watched; the guest's kernel lives above them.
      if (!Mmu.canonical(value) || value < 0 && value < 0xffff_8800_0000_0000L) {
        return -Errno.EPERM;
      }
      cpu.dr[(int) number] = value;
      cpu.debugRegistersChanged();
      return 0;
    }
    if (value >>> 32 != 0) {
      return -Errno.EINVAL;
    }
    if (number == 4 || number == 6) {
      pv.dr6 = (value | DR6_ONES) & ~DR6_ZEROS;
      return 0;
    }
    long dr7 = (value | DR7_ONES) & ~DR7_ZEROS;
    if ((dr7 & DR7_GENERAL_DETECT) != 0) {
      return -Errno.EPERM;
    }
    long io = 0;
    if ((dr7 & DR7_ENABLES) != 0) {
      for (int n = 0; n < 4; n++) {
        if ((dr7 >>> 16 + 4 * n & 3) == 2) {
          if (!extensions) {
            return -Errno.EPERM;
          }
          io |= dr7 & 3L << 2 * n;
        }
      }
    }
    pv.dr7Io = io;
    pv.dr7 = dr7 & ~io;
    cpu.dr[7] = pv.dr7;
    cpu.debugRegistersChanged();
    return 0;
  }

  /** Whether a register can be read: 4 and 5 are 6 and 7 unless CR4.DE is set. */
  static boolean readable(Vcpu vcpu, long number) {
    return number >= 0 && number <= 7 && (number != 4 && number != 5 || (vcpu.pv.cr4 & CR4_DE) == 0);
  }

  /** Reads a {@link #readable} register. */
  static long get(Vcpu vcpu, long number) {
    return switch ((int) number) {
      case 4, 6 -> vcpu.pv.dr6;
      case 5, 7 -> vcpu.pv.dr7 | vcpu.pv.dr7Io;
      default -> vcpu.cpu.dr[(int) number];
    };
  }

  /** The breakpoints that an access to {@code size} ports from {@code port} on hits, as bits of DR6. */
  static int portHits(Vcpu vcpu, int port, int size) {
    PvState pv = vcpu.pv;
    int hits = 0;
    if (pv.dr7Io != 0 && (pv.cr4 & CR4_DE) != 0) {
      for (int n = 0; n < 4; n++) {
        if ((pv.dr7Io >>> 2 * n & 3) == 0) {
          continue;
        }
        int width = switch ((int) (pv.dr7 >>> 18 + 4 * n) & 3) {
          case 0 -> 1;
          case 1 -> 2;
          case 2 -> 8;
          default -> 4;
        };
        long start = vcpu.cpu.dr[n] & -width;
        if (start < port + size && start + width > port) {
          hits |= 1 << n;
        }
      }
    }
    return hits;
  }
}
