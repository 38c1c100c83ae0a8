package org.xenolith.cpu;

import java.util.Arrays;
import org.xenolith.isa.Feature;
import org.xenolith.isa.Instruction;

/**
 * Model-specific registers of one processor (AMD64 APM volume 2, appendix A; BIOS and Kernel Developer's Guide for family 0Fh, chapter 14),
 * and RDMSR and WRMSR.
 *
 * <p>A register is one of four: the processor's own; the {@link Platform}'s (interrupt controller, hypervisor), which is asked before those
 * that are mere data here, so that a hypervisor may answer for them; known absent, #GP(0); or unknown, which ends the run. Memory type
 * range registers and machine-check banks are data: memory has one type, and no machine check ever happens.
 */
public final class Msrs {
  public static final int TSC = 0x10, APIC_BASE = 0x1b, TSC_ADJUST = 0x3b, PATCH_LEVEL = 0x8b, MTRR_CAP = 0xfe;
  public static final int SYSENTER_CS = 0x174, SYSENTER_ESP = 0x175, SYSENTER_EIP = 0x176;
  public static final int MCG_CAP = 0x179, MCG_STATUS = 0x17a, MCG_CTL = 0x17b, DEBUG_CONTROL = 0x1d9;
  public static final int MTRR_FIRST = 0x200, PAT = 0x277, MTRR_DEF_TYPE = 0x2ff;
  public static final int MC0_CTL = 0x400, TSC_DEADLINE = 0x6e0;
  public static final int EFER = 0xc000_0080, STAR = 0xc000_0081, LSTAR = 0xc000_0082, CSTAR = 0xc000_0083, SYSCALL_MASK = 0xc000_0084;
  public static final int FS_BASE = 0xc000_0100, GS_BASE = 0xc000_0101, KERNEL_GS_BASE = 0xc000_0102, TSC_AUX = 0xc000_0103;
  public static final int SYSCFG = 0xc001_0010, HWCR = 0xc001_0015;

  private static final int PRESENT = 0, ABSENT = 1, UNKNOWN = 2;

  /** Pairs of variable MTRRs. */
  private static final int VARIABLE_RANGES = 8;

  private static final int[] FIXED_RANGES = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

  /** Machine-check banks, as family 0Fh has them. */
  private static final int BANKS = 5;

  /** The page attribute table after reset: write back, write through, uncached minus, uncached, twice. */
  private static final long RESET_PAT = 0x0007_0406_0007_0406L;

  /** SYSCFG.MtrrFixDramModEn: the bits that send fixed ranges to memory can be seen. */
  private static final long FIXED_MODIFY = 1 << 19;

  /** HWCR.McStatusWrEn: banks' status may be written. */
  private static final long STATUS_WRITE = 1 << 18;

  private final Cpu cpu;
  private final PerformanceCounters counters;
  private final long[] answer = new long[1];

  /** What {@link #read(int)} read. */
  private long value;

  private long pat;
  private long tscAdjust;
  private long mtrrDefault;
  private final long[] mtrrVariable = new long[2 * VARIABLE_RANGES];
  private final long[] mtrrFixed = new long[FIXED_RANGES.length];
  private long mcgStatus;
  private long mcgControl;
  private final long[] banks = new long[4 * BANKS];
  private final long[] bankMasks = new long[BANKS];
  private long syscfg;
  private long hwcr;

  /** IORRs (four), TOP_MEM, TOM2, NB_CFG, MCEXC_REDIR, TSEG's address and mask: registers of family 0Fh that nothing here depends on. */
  private static final int[] DATA = {
    0xc001_0016, 0xc001_0017, 0xc001_0018, 0xc001_0019, 0xc001_001a, 0xc001_001d, 0xc001_001f, 0xc001_0022, 0xc001_0112, 0xc001_0113
  };

  private final long[] data = new long[DATA.length];

  Msrs(Cpu cpu) {
    this.cpu = cpu;
    counters = new PerformanceCounters(cpu);
    reset();
  }

  /** The registers' values after reset. INIT leaves them alone except EFER, which is the processor's (AMD64 APM volume 2, 14.1.3). */
  public void reset() {
    pat = RESET_PAT;
    tscAdjust = 0;
    mtrrDefault = 0;
    Arrays.fill(mtrrVariable, 0);
    Arrays.fill(mtrrFixed, 0);
    mcgStatus = 0;
    mcgControl = 0;
    Arrays.fill(banks, 0);
    Arrays.fill(bankMasks, 0);
    syscfg = 0;
    hwcr = 0;
    Arrays.fill(data, 0);
    counters.reset();
  }

  PerformanceCounters counters() {
    return counters;
  }

  // ---- Instructions ----

  static void rdmsr(Cpu c, Instruction i) {
    c.checkPrivileged();
    int msr = (int) c.r[Cpu.RCX];
    c.platform.privileged(Platform.Privileged.READ_MSR, msr);
    Msrs m = c.msrs;
    switch (m.find(msr)) {
      case PRESENT -> {
        c.r[Cpu.RAX] = m.value & 0xffff_ffffL;
        c.r[Cpu.RDX] = m.value >>> 32;
      }
      case ABSENT -> throw c.fault(Fault.GP, 0);
      default -> throw c.unimplemented("RDMSR of 0x" + Integer.toHexString(msr), Fault.GP);
    }
  }

  static void wrmsr(Cpu c, Instruction i) {
    c.checkPrivileged();
    int msr = (int) c.r[Cpu.RCX];
    c.platform.privileged(Platform.Privileged.WRITE_MSR, msr);
    long value = c.r[Cpu.RAX] & 0xffff_ffffL | c.r[Cpu.RDX] << 32;
    switch (c.msrs.store(msr, value)) {
      case PRESENT -> {
        // Done.
      }
      case ABSENT -> throw c.fault(Fault.GP, 0);
      default ->
        throw c.unimplemented("WRMSR of 0x" + Integer.toHexString(msr) + ", value 0x" + Long.toHexString(value), Fault.GP);
    }
  }

  // ---- For the owner of the machine ----

  /**
   * Reads a register as RDMSR does.
   *
   * @param into element 0 receives the value
   * @return false where RDMSR would fault
   */
  public boolean read(int msr, long[] into) {
    if (find(msr) != PRESENT) {
      return false;
    }
    into[0] = value;
    return true;
  }

  /**
   * Writes a register as WRMSR does.
   *
   * @return false where WRMSR would fault
   */
  public boolean write(int msr, long value) {
    return store(msr, value) == PRESENT;
  }

  /** Whether it has a register that is mere data to it, whatever its platform says of that. */
  public boolean hasData(int msr) {
    return findData(msr) == PRESENT;
  }

  // ---- Reading ----

  private int find(int msr) {
    switch (msr) {
      case TSC -> value = cpu.clock.now + cpu.tscOffset;
      case SYSENTER_CS -> value = cpu.sysenterCs;
      case SYSENTER_ESP -> value = cpu.sysenterRsp;
      case SYSENTER_EIP -> value = cpu.sysenterRip;
      case PAT -> value = pat;
      case EFER -> value = cpu.efer;
      case STAR -> value = cpu.star;
      case LSTAR -> value = cpu.lstar;
      case CSTAR -> value = cpu.cstar;
      case SYSCALL_MASK -> value = cpu.syscallMask;
      case FS_BASE -> value = cpu.segmentBase[Instruction.FS];
      case GS_BASE -> value = cpu.segmentBase[Instruction.GS];
      case KERNEL_GS_BASE -> value = cpu.kernelGsBase;
      case TSC_AUX -> {
        if (!cpu.model.offers(Feature.RDTSCP)) {
          return ABSENT;
        }
        value = cpu.tscAux;
      }
      default -> {
        if (cpu.platform.readMsr(msr, answer)) {
          value = answer[0];
          return PRESENT;
        }
        return cpu.platform.hidesMsr(msr) ? ABSENT : findData(msr);
      }
    }
    return PRESENT;
  }

  private int findData(int msr) {
    switch (msr) {
      case TSC_ADJUST -> value = tscAdjust;
      // Write back, write combining, fixed ranges.
      case MTRR_CAP -> value = VARIABLE_RANGES | 1 << 8 | 1 << 10;
      case MTRR_DEF_TYPE -> value = mtrrDefault;
      // With MCG_CTL.
      case MCG_CAP -> value = BANKS | 1 << 8;
      case MCG_STATUS -> value = mcgStatus;
      case MCG_CTL -> value = mcgControl;
      // P5_MC_ADDR and P5_MC_TYPE, aliases of bank 0's address and status.
      case 0 -> value = banks[2];
      case 1 -> value = banks[1];
      // DEBUGCTL, and the last branches, which are not recorded while it is 0 (APM volume 2, 13.1.1.7).
      case DEBUG_CONTROL, 0x1db, 0x1dc, 0x1dd, 0x1de -> value = 0;
      // EBL_CR_POWERON (cluster identifier), PATCH_LEVEL (none loaded), INT_PENDING_MSG (no C1E).
      case 0x2a, PATCH_LEVEL, 0xc001_0055 -> value = 0;
      case SYSCFG -> value = syscfg;
      case HWCR -> value = hwcr;
      default -> {
        int at;
        if ((at = variableRange(msr)) >= 0) {
          value = mtrrVariable[at];
        } else if ((at = bank(msr)) >= 0) {
          value = banks[at];
        } else if ((at = Arrays.binarySearch(FIXED_RANGES, msr)) >= 0) {
          value = (syscfg & FIXED_MODIFY) != 0 ? mtrrFixed[at] : mtrrFixed[at] & 0x0707_0707_0707_0707L;
        } else if ((at = Arrays.binarySearch(DATA, msr)) >= 0) {
          value = data[at];
        } else if ((at = msr - 0xc001_0044) >= 0 && at < BANKS) {
          value = bankMasks[at];
        } else if ((at = msr - PerformanceCounters.SELECT) >= 0 && at < PerformanceCounters.COUNTERS) {
          value = counters.select(at);
        } else if ((at = msr - PerformanceCounters.COUNTER) >= 0 && at < PerformanceCounters.COUNTERS) {
          value = counters.read(at);
        } else {
          return AbsentMsrs.contains(msr) ? ABSENT : UNKNOWN;
        }
      }
    }
    return PRESENT;
  }

  private static int variableRange(int msr) {
    int at = msr - MTRR_FIRST;
    return at >= 0 && at < 2 * VARIABLE_RANGES ? at : -1;
  }

  /** Which of the banks' control, status, address and miscellaneous registers; -1 for none. */
  private static int bank(int msr) {
    int at = msr - MC0_CTL;
    return at >= 0 && at < 4 * BANKS ? at : -1;
  }

  // ---- Writing ----

  private static int when(boolean allowed) {
    return allowed ? PRESENT : ABSENT;
  }

  private int store(int msr, long v) {
    switch (msr) {
      case TSC -> setTscOffset(v - cpu.clock.now);
      case SYSENTER_CS -> cpu.sysenterCs = v;
      case SYSENTER_ESP -> cpu.sysenterRsp = v;
      case SYSENTER_EIP -> cpu.sysenterRip = v;
      case PAT -> {
        if (!validPat(v)) {
          return ABSENT;
        }
        pat = v;
      }
      case EFER -> {
        return when(setEfer(v));
      }
      case STAR -> cpu.star = v;
      // Bits 32 to 63 are reserved, and no flag is there.
      case SYSCALL_MASK -> cpu.syscallMask = v & 0xffff_ffffL;
      case LSTAR, CSTAR, FS_BASE, GS_BASE, KERNEL_GS_BASE -> {
        if (!Mmu.canonical(v)) {
          return ABSENT;
        }
        switch (msr) {
          case LSTAR -> cpu.lstar = v;
          case CSTAR -> cpu.cstar = v;
          case FS_BASE -> cpu.setSegmentBase(Instruction.FS, v);
          case GS_BASE -> cpu.setSegmentBase(Instruction.GS, v);
          default -> cpu.kernelGsBase = v;
        }
      }
      case TSC_AUX -> {
        if (!cpu.model.offers(Feature.RDTSCP) || v >>> 32 != 0) {
          return ABSENT;
        }
        cpu.tscAux = v;
      }
      default -> {
        if (cpu.platform.writeMsr(msr, v)) {
          return PRESENT;
        }
        return cpu.platform.hidesMsr(msr) ? ABSENT : storeData(msr, v);
      }
    }
    return PRESENT;
  }

  /** TSC_ADJUST moves with the TSC (Intel SDM volume 3, 18.17.3). */
  private void setTscOffset(long offset) {
    tscAdjust += offset - cpu.tscOffset;
    cpu.tscOffset = offset;
    cpu.platform.timeStampMoved();
  }

  /** Each of eight bytes is a memory type: 0, 1, 4 to 7. */
  private static boolean validPat(long v) {
    for (int n = 0; n < 64; n += 8) {
      long type = v >>> n & 0xff;
      if (type > 7 || type == 2 || type == 3) {
        return false;
      }
    }
    return true;
  }

  /** LMA is the processor's; LME changes only while paging is off (AMD64 APM volume 2, 3.1.7 and 14.6.1). */
  private boolean setEfer(long v) {
    long efer = v & ~Cpu.EFER_LMA | cpu.efer & Cpu.EFER_LMA;
    long exists = Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE;
    long changed = efer ^ cpu.efer;
    if ((efer & ~exists) != 0 || (changed & Cpu.EFER_LME) != 0 && (cpu.cr0 & Cpu.CR0_PG) != 0) {
      return false;
    }
    cpu.efer = efer;
    cpu.refresh();
    return true;
  }

  private int storeData(int msr, long v) {
    switch (msr) {
      case TSC_ADJUST -> setTscOffset(cpu.tscOffset + v - tscAdjust);
      case DEBUG_CONTROL -> {
        // Single-step on branches and the record of branches do not exist yet.
        return v == 0 ? PRESENT : UNKNOWN;
      }
      case MTRR_CAP, MCG_CAP, 0x2a, PATCH_LEVEL, 0x1db, 0x1dc, 0x1dd, 0x1de -> {
        return ABSENT;
      }
      case MTRR_DEF_TYPE -> {
        if ((v & ~0xcffL) != 0 || !validRangeType(v & 0xff)) {
          return ABSENT;
        }
        mtrrDefault = v;
      }
      case MCG_STATUS -> mcgStatus = v;
      case MCG_CTL -> mcgControl = v;
      case 0, 1 -> {
        // Aliases for software of the Pentium, which clears them.
        return when(v == 0);
      }
      case SYSCFG -> syscfg = v;
      case HWCR -> hwcr = v;
      case 0xc001_0055 -> {
        return v == 0 ? PRESENT : UNKNOWN;
      }
      default -> {
        int at;
        if ((at = variableRange(msr)) >= 0) {
          return when(setVariableRange(at, v));
        } else if ((at = bank(msr)) >= 0) {
          // Software may clear a bank's status; it may set it only where HWCR allows (AMD64 APM volume 2, 9.3.2). Its control has a bit
          // for each kind of error, and any of them may be clear (Linux, __mcheck_cpu_apply_quirks, for bank 4 of this family).
          if ((msr & 3) == 1 && v != 0 && (hwcr & STATUS_WRITE) == 0) {
            return ABSENT;
          }
          banks[at] = v;
        } else if ((at = Arrays.binarySearch(FIXED_RANGES, msr)) >= 0) {
          return when(setFixedRange(at, v));
        } else if ((at = Arrays.binarySearch(DATA, msr)) >= 0) {
          data[at] = v;
        } else if ((at = msr - 0xc001_0044) >= 0 && at < BANKS) {
          bankMasks[at] = v;
        } else if ((at = msr - PerformanceCounters.SELECT) >= 0 && at < PerformanceCounters.COUNTERS) {
          return counters.setSelect(at, v) ? PRESENT : UNKNOWN;
        } else if ((at = msr - PerformanceCounters.COUNTER) >= 0 && at < PerformanceCounters.COUNTERS) {
          counters.write(at, v);
        } else {
          return AbsentMsrs.contains(msr) ? ABSENT : UNKNOWN;
        }
      }
    }
    return PRESENT;
  }

  /** AMD64 APM volume 2, 7.7.1: uncached, write combining, write through, write protected, write back. */
  private static boolean validRangeType(long type) {
    return type <= 6 && type != 2 && type != 3;
  }

  private boolean setVariableRange(int at, long v) {
    long beyond = -1L << cpu.model.physicalBits();
    boolean mask = (at & 1) != 0;
    if ((v & beyond) != 0 || (v & (mask ? 0x7ff : 0xf00)) != 0 || !mask && !validRangeType(v & 0xff)) {
      return false;
    }
    mtrrVariable[at] = v;
    return true;
  }

  /** Bits 3 and 4 of each byte send reads and writes to memory; they exist while SYSCFG lets them be modified. */
  private boolean setFixedRange(int at, long v) {
    boolean modify = (syscfg & FIXED_MODIFY) != 0;
    for (int n = 0; n < 64; n += 8) {
      long type = v >>> n & 0xff;
      if (!validRangeType(modify ? type & ~0x18 : type)) {
        return false;
      }
    }
    mtrrFixed[at] = modify ? v : v | mtrrFixed[at] & 0x1818_1818_1818_1818L;
    return true;
  }

  // ---- FSGSBASE: 64-bit code only ----

  private static void checkBaseAccess(Cpu c) {
    if ((c.cr4 & Cpu.CR4_FSGSBASE) == 0) {
      throw c.fault(Fault.UD);
    }
  }

  static void readFsBase(Cpu c, Instruction i) {
    checkBaseAccess(c);
    Operands.write0(c, i, c.segmentBase[Instruction.FS]);
  }

  static void readGsBase(Cpu c, Instruction i) {
    checkBaseAccess(c);
    Operands.write0(c, i, c.segmentBase[Instruction.GS]);
  }

  static void writeFsBase(Cpu c, Instruction i) {
    writeBase(c, i, Instruction.FS);
  }

  static void writeGsBase(Cpu c, Instruction i) {
    writeBase(c, i, Instruction.GS);
  }

  private static void writeBase(Cpu c, Instruction i, int segment) {
    checkBaseAccess(c);
    long base = Operands.read0(c, i);
    if (!Mmu.canonical(base)) {
      throw c.fault(Fault.GP, 0);
    }
    c.setSegmentBase(segment, base);
  }
}
