package org.xenolith.xen.pvh;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Instruction;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;

/**
 * VCPUOP_initialise of a container: a vcpu's state from struct vcpu_hvm_context (public header hvm/hvm_vcpu.h; arch_set_info_hvm_guest,
 * arch/x86/hvm/domain.c). It may start with or without paging, in 64-bit mode or not.
 */
final class VcpuContext {
  private static final int MODE = 0, PAD = 4, REGISTERS = 8, SIZE = 8 + 120;
  private static final int MODE_32 = 0, MODE_64 = 1;

  /** The general registers in the order of both structures. */
  private static final int[] ORDER = {Cpu.RAX, Cpu.RCX, Cpu.RDX, Cpu.RBX, Cpu.RSP, Cpu.RBP, Cpu.RSI, Cpu.RDI};

  // Offsets in struct vcpu_hvm_x86_32.
  private static final int EIP = 32, EFLAGS = 36, CR0 = 40, CR3 = 44, CR4 = 48, PAD1 = 52, EFER = 56, BASES = 64, LIMITS = 84, RIGHTS = 104;
  private static final int PAD2 = 114;

  /** The order of segments in it; the last is TR. */
  private static final int[] SEGMENTS = {Instruction.CS, Instruction.DS, Instruction.SS, Instruction.ES};

  private static final int TR = 4;

  // Rights as in that structure: type, S, DPL and P in bits 0 to 7, AVL, L, D and G in bits 8 to 11.
  private static final int TYPE_CODE = 8, TYPE_WRITABLE = 2, SYSTEM = 0x10, PRESENT = 0x80, GRANULAR = 0x800, BUSY_TSS = 0xb;
  private static final int LONG_CODE = 0xa9b, FLAT_DATA = 0xc93, TSS = 0x8b;

  private static final long CR4_PAE = 0x20;

  private final GuestStruct c = new GuestStruct(SIZE);
  private final int[] rights = new int[5];
  private final long[] bases = new long[5];
  private final int[] limits = new int[5];
  private long rip;
  private long rflags;
  private long cr0;
  private long cr3;
  private long cr4;
  private long efer;

  /** Reads the structure at {@code va} in the caller's memory into {@code target}; 0 or a negated {@link Errno}. */
  long load(Cpu caller, long va, Cpu target) {
    if (!c.read(caller, va, SIZE)) {
      return -Errno.EFAULT;
    }
    if (c.getInt(PAD) != 0) {
      return -Errno.EINVAL;
    }
    boolean valid = switch (c.getInt(MODE)) {
      case MODE_32 -> take32();
      case MODE_64 -> take64();
      default -> false;
    };
    if (!valid) {
      return -Errno.EINVAL;
    }
    efer |= (efer & Cpu.EFER_LME) != 0 ? Cpu.EFER_LMA : 0;
    if (!target.mayHold(cr4, efer)) {
      return -Errno.EINVAL;
    }
    boolean wide = c.getInt(MODE) == MODE_64;
    for (int n = 0; n < ORDER.length; n++) {
      target.r[ORDER[n]] = wide ? c.getLong(REGISTERS + 8 * n) : c.getInt(REGISTERS + 4 * n) & 0xffff_ffffL;
    }
    for (int n = Cpu.R8; n <= Cpu.R15; n++) {
      target.r[n] = 0;
    }
    apply(target);
    return 0;
  }

  private boolean take64() {
    rip = c.getLong(REGISTERS + 64);
    rflags = c.getLong(REGISTERS + 72);
    cr0 = c.getLong(REGISTERS + 80);
    cr3 = c.getLong(REGISTERS + 88);
    cr4 = c.getLong(REGISTERS + 96);
    efer = c.getLong(REGISTERS + 104);
    for (int n = 0; n < 5; n++) {
      bases[n] = 0;
      limits[n] = n == TR ? 0x67 : -1;
      rights[n] = n == 0 ? LONG_CODE : n == TR ? TSS : FLAT_DATA;
    }
    return Mmu.canonical(rip) && (cr0 & Cpu.CR0_PG) != 0 && (cr4 & CR4_PAE) != 0 && (efer & Cpu.EFER_LME) != 0;
  }

  private boolean take32() {
    rip = word(EIP) & 0xffff_ffffL;
    rflags = word(EFLAGS) & 0xffff_ffffL;
    cr0 = word(CR0) & 0xffff_ffffL;
    cr3 = word(CR3) & 0xffff_ffffL;
    cr4 = word(CR4) & 0xffff_ffffL;
    efer = c.getLong(REGISTERS + EFER);
    boolean valid = word(PAD1) == 0 && c.getShort(REGISTERS + PAD2) == 0 && word(PAD2 + 2) == 0;
    for (int n = 0; n < 5; n++) {
      bases[n] = word(BASES + 4 * n) & 0xffff_ffffL;
      limits[n] = word(LIMITS + 4 * n);
      rights[n] = c.getShort(REGISTERS + RIGHTS + 2 * n);
      if ((rights[n] & PRESENT) != 0) {
        // Accessed, or busy.
        rights[n] |= n == TR ? 2 : 1;
      }
      valid &= validRights(n);
      if ((rights[n] & GRANULAR) != 0) {
        limits[n] = limits[n] << 12 | 0xfff;
      }
    }
    int dpl = dpl(0);
    return valid
        && Long.compareUnsigned(rip, limits[0] & 0xffff_ffffL) <= 0
        && dpl(2) == dpl
        && ((rights[1] & PRESENT) == 0 || dpl(1) <= dpl)
        && ((rights[3] & PRESENT) == 0 || dpl(3) <= dpl)
        && ((efer & Cpu.EFER_LMA) == 0 || (efer & Cpu.EFER_LME) != 0);
  }

  private int word(int at) {
    return c.getInt(REGISTERS + at);
  }

  private int dpl(int n) {
    return rights[n] >>> 5 & 3;
  }

  /** What may be loaded into a segment register (check_segment). */
  private boolean validRights(int n) {
    int r = rights[n];
    if (r >>> 12 != 0) {
      return false;
    }
    if (r == 0) {
      return n == 1 || n == 3;
    }
    if (n == TR ? (r & SYSTEM) != 0 || (r & 0xf) != BUSY_TSS : (r & SYSTEM) == 0) {
      return false;
    }
    if ((r & PRESENT) == 0) {
      return false;
    }
    boolean code = (r & TYPE_CODE) != 0;
    boolean writable = (r & TYPE_WRITABLE) != 0;
    return switch (n) {
      case 0 -> code;
      case 2 -> !code && writable;
      case TR -> true;
      default -> !code || writable;
    };
  }

  private void apply(Cpu cpu) {
    cpu.rip = rip;
    cpu.cpl = dpl(2);
    cpu.cr0 = cr0;
    cpu.cr3 = cr3;
    cpu.cr4 = cr4;
    cpu.efer = efer;
    for (int n = 0; n < SEGMENTS.length; n++) {
      segment(cpu, SEGMENTS[n], bases[n], limits[n], rights[n]);
    }
    segment(cpu, Instruction.FS, 0, -1, FLAT_DATA);
    segment(cpu, Instruction.GS, 0, -1, FLAT_DATA);
    cpu.taskSelector = 0;
    cpu.taskBase = bases[TR];
    cpu.taskLimit = limits[TR];
    cpu.taskAccess = descriptor(rights[TR]);
    cpu.setRflags(rflags);
    cpu.mmu.flushAll();
    cpu.refresh();
  }

  static void segment(Cpu cpu, int segment, long base, int limit, int rights) {
    cpu.selector[segment] = segment == Instruction.CS || segment == Instruction.SS ? rights >>> 5 & 3 : 0;
    cpu.segmentBase[segment] = base;
    cpu.segmentLimit[segment] = limit;
    cpu.segmentAccess[segment] = descriptor(rights);
  }

  /** Rights where a descriptor has them: bits 8 to 11 of the packed form are four bits higher there. */
  static int descriptor(int rights) {
    return rights & 0xff | (rights & 0xf00) << 4;
  }
}
