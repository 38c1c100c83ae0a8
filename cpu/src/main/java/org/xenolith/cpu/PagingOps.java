package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/** Instructions on the TLB, on caches, and on access to user pages: INVLPG, INVPCID, WBINVD, INVD, STAC, CLAC. */
final class PagingOps {
  private PagingOps() {}

  /** An address that is not canonical has no translation to forget (AMD64 APM volume 3, INVLPG). */
  static void invlpg(Cpu c, Instruction i) {
    c.checkPrivileged();
    c.mmu.flushPage(c.ea(i));
  }

  /**
   * INVPCID, by the register's type: one page of a context, a context, everything, everything but global pages (AMD64 APM volume 3). Of
   * one page more is forgotten than asked for: in every context, and if it is global.
   */
  static void invpcid(Cpu c, Instruction i) {
    c.checkPrivileged();
    long va = c.ea(i);
    long type = c.r[i.reg0] & -1L >>> Operands.shift(i.width);
    c.mmu.checkReadable(va, 16);
    long context = c.mmu.read64(va);
    long address = c.mmu.read64(va + 8);
    boolean needsContext = type <= 1 && type >= 0;
    if (type < 0 || type > 3 || context >>> 12 != 0 || type == 0 && !Mmu.canonical(address)
        || needsContext && context != 0 && (c.cr4 & Cpu.CR4_PCIDE) == 0) {
      throw c.fault(Fault.GP, 0);
    }
    switch ((int) type) {
      case 0 -> c.mmu.flushPage(address);
      case 1 -> c.mmu.flushContext((int) context);
      case 2 -> c.mmu.flushAll();
      default -> c.mmu.flushLocal();
    }
  }

  /** WBINVD, and INVD, which has nothing to lose: memory is always as the caches have it. */
  static void caches(Cpu c, Instruction i) {
    c.checkPrivileged();
    c.platform.privileged(Platform.Privileged.CACHE_FLUSH, 0);
  }

  /** CLAC and STAC: #UD outside level 0 (AMD64 APM volume 3). */
  static void userAccess(Cpu c, Instruction i) {
    if (c.cpl != 0) {
      throw c.fault(Fault.UD);
    }
    switch (i.mnemonic) {
      case STAC -> c.eflags |= Cpu.AC;
      default -> c.eflags &= ~Cpu.AC;
    }
    c.mmu.select();
  }
}
