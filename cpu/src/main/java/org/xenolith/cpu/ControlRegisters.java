package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Feature;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * MOV to and from control registers, LMSW, CLTS, and what follows from a change (AMD64 APM volume 2, sections 3.1 and 14.6; volume 3, MOV
 * CRn; Intel SDM volume 3, sections 2.5 and 4.1).
 */
final class ControlRegisters {
  private static final long CR0_ET = 0x10, CR0_NW = 1L << 29, CR0_CD = 1L << 30;

  /** The bits of CR0 that exist; others are ignored in its lower half. */
  private static final long CR0_BITS = Cpu.CR0_PE | Cpu.CR0_MP | Cpu.CR0_EM | Cpu.CR0_TS | CR0_ET | Cpu.CR0_NE | Cpu.CR0_WP | Cpu.CR0_AM
      | CR0_NW | CR0_CD | Cpu.CR0_PG;

  /** CR0 bits 0 to 3: what LMSW loads. */
  private static final long MACHINE_STATUS = 0xf;

  private ControlRegisters() {}

  /** MOV to or from CRn: which registers there are is looked at before the privilege (so on AMD's silicon). */
  static Op mov(Instruction i) {
    boolean write = i.kind0 == OperandKind.CR;
    return switch (write ? i.reg0 : i.reg1) {
      case 0, 2, 3, 4, 8 -> write ? ControlRegisters::write : ControlRegisters::read;
      default -> SystemOps::undefined;
    };
  }

  private static void read(Cpu c, Instruction i) {
    c.checkPrivileged();
    c.platform.privileged(Platform.Privileged.CONTROL_REGISTER, i.reg1);
    long value =
        switch (i.reg1) {
          case 0 -> c.cr0;
          case 2 -> c.cr2;
          case 3 -> c.cr3;
          case 4 -> c.cr4;
          default -> c.platform.taskPriority();
        };
    Operands.setRegister(c, i.reg0, width(c), value);
  }

  private static void write(Cpu c, Instruction i) {
    c.checkPrivileged();
    c.platform.privileged(Platform.Privileged.CONTROL_REGISTER, i.reg0);
    long value = c.r[i.reg1] & -1L >>> Operands.shift(width(c));
    switch (i.reg0) {
      case 0 -> setCr0(c, value);
      case 2 -> c.cr2 = value;
      case 3 -> setCr3(c, value);
      case 4 -> setCr4(c, value);
      default -> {
        if (value >>> 4 != 0) {
          throw c.fault(Fault.GP, 0);
        }
        c.platform.setTaskPriority((int) value);
      }
    }
  }

  /** Always 64 bits in 64-bit mode, 32 outside of it. */
  private static int width(Cpu c) {
    return c.mode == CpuMode.LONG64 ? 8 : 4;
  }

  // ---- CR0 ----

  private static void setCr0(Cpu c, long value) {
    boolean paging = (value & Cpu.CR0_PG) != 0;
    if (value >>> 32 != 0 || paging && (value & Cpu.CR0_PE) == 0 || (value & CR0_NW) != 0 && (value & CR0_CD) == 0) {
      throw c.fault(Fault.GP, 0);
    }
    long cr0 = value & CR0_BITS | CR0_ET;
    long efer = c.efer;
    if (paging && (c.cr0 & Cpu.CR0_PG) == 0) {
      if ((c.efer & Cpu.EFER_LME) != 0) {
        // Activating long mode: not from a segment of 64-bit code, and not without physical address extensions.
        if ((c.cr4 & Cpu.CR4_PAE) == 0 || (c.segmentAccess[Instruction.CS] & Cpu.ACCESS_L) != 0) {
          throw c.fault(Fault.GP, 0);
        }
        efer |= Cpu.EFER_LMA;
      }
    } else if (!paging && (c.cr0 & Cpu.CR0_PG) != 0) {
      if (c.mode == CpuMode.LONG64 || (c.cr4 & Cpu.CR4_PCIDE) != 0) {
        throw c.fault(Fault.GP, 0);
      }
      efer &= ~Cpu.EFER_LMA;
    }
    long changed = c.cr0 ^ cr0;
    if (paging && (changed & (Cpu.CR0_PG | CR0_CD | CR0_NW)) != 0) {
      c.mmu.loadDirectoryPointers(c.cr3, c.cr4, efer);
    }
    c.efer = efer;
    c.cr0 = cr0;
    // WP chooses another set of TLB entries.
    if ((changed & (Cpu.CR0_PE | Cpu.CR0_PG)) != 0) {
      c.mmu.flushAll();
    }
    c.refresh();
  }

  /** CLTS. */
  static void clts(Cpu c, Instruction i) {
    c.checkPrivileged();
    c.platform.privileged(Platform.Privileged.CONTROL_REGISTER, 0);
    c.cr0 &= ~Cpu.CR0_TS;
    c.refresh();
  }

  /** LMSW can set PE, and not clear it. */
  static void lmsw(Cpu c, Instruction i) {
    c.checkPrivileged();
    c.platform.privileged(Platform.Privileged.CONTROL_REGISTER, 0);
    long word = Operands.read(c, i, i.kind0, i.reg0, 2) & MACHINE_STATUS;
    setCr0(c, c.cr0 & ~MACHINE_STATUS | word | c.cr0 & Cpu.CR0_PE);
  }

  // ---- CR3 ----

  /**
   * Loads the root. The TLB forgets what belongs to the process context loaded, unless bit 63 asks for nothing to be forgotten (Intel SDM
   * volume 3, 4.10.4.1; AMD64 APM volume 2, 5.5.1). Without process contexts that is what belongs to the root: entries of another root
   * cannot be used before that is loaded.
   */
  private static void setCr3(Cpu c, long value) {
    boolean contexts = (c.cr4 & Cpu.CR4_PCIDE) != 0;
    boolean keep = contexts && value < 0;
    long root = contexts ? value & Long.MAX_VALUE : value;
    if (root >>> c.model.physicalBits() != 0) {
      throw c.fault(Fault.GP, 0);
    }
    if ((c.cr0 & Cpu.CR0_PG) != 0) {
      c.mmu.loadDirectoryPointers(root, c.cr4, c.efer);
    }
    c.cr3 = root;
    if (!keep) {
      c.mmu.rootLoaded();
    }
    c.mmu.select();
  }

  // ---- CR4 ----

  /** The bits of CR4 that exist: those of features that the model offers. */
  static long existing(Cpu c) {
    ProcessorModel model = c.model;
    return Cpu.CR4_TSD | Cpu.CR4_DE | Cpu.CR4_PSE | Cpu.CR4_PAE | Cpu.CR4_MCE | Cpu.CR4_PGE | Cpu.CR4_PCE
        | Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT | Cpu.CR4_UMIP
        | (model.offers(Feature.FSGSBASE) ? Cpu.CR4_FSGSBASE : 0)
        | (model.offers(Feature.INVPCID) ? Cpu.CR4_PCIDE : 0)
        | (model.offers(Feature.XSAVE) ? Cpu.CR4_OSXSAVE : 0)
        | (model.offers(Feature.SMAP) ? Cpu.CR4_SMEP | Cpu.CR4_SMAP : 0);
  }

  private static void setCr4(Cpu c, long value) {
    long changed = c.cr4 ^ value;
    boolean longMode = (c.efer & Cpu.EFER_LMA) != 0;
    if ((value & ~existing(c)) != 0 || longMode && (value & Cpu.CR4_PAE) == 0) {
      throw c.fault(Fault.GP, 0);
    }
    if ((changed & value & Cpu.CR4_PCIDE) != 0 && (!longMode || (c.cr3 & Mmu.CONTEXT) != 0)) {
      throw c.fault(Fault.GP, 0);
    }
    if ((c.cr0 & Cpu.CR0_PG) != 0 && (changed & (Cpu.CR4_PAE | Cpu.CR4_PSE | Cpu.CR4_PGE | Cpu.CR4_SMEP)) != 0) {
      c.mmu.loadDirectoryPointers(c.cr3, value, c.efer);
    }
    c.cr4 = value;
    if ((changed & (Cpu.CR4_PSE | Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_PCIDE | Cpu.CR4_SMEP | Cpu.CR4_SMAP)) != 0) {
      c.mmu.flushAll();
    }
    c.refresh();
  }
}
