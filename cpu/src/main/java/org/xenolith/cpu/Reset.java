package org.xenolith.cpu;

import java.util.Arrays;
import org.xenolith.isa.Instruction;

/** What INIT makes of the registers (AMD64 APM volume 2, table 14-1). Model-specific, SSE and x87 registers stay. */
final class Reset {
  /** CR0: cache disable and not write-through, which stay; extension type, which is always set. */
  private static final long CR0_CACHES = 0x6000_0000L, CR0_ET = 0x10;

  private static final int BUSY_TSS16 = 3, LIMIT = 0xffff;

  private Reset() {}

  static void init(Cpu c) {
    Arrays.fill(c.r, 0);
    c.model.cpuid(c, 1, 0, c.scratch);
    c.r[Cpu.RDX] = c.scratch[0] & 0xffff_ffffL;
    c.setArithmeticFlags(0);
    c.eflags = 0;
    segments(c);
    c.cpl = 0;
    c.rip = 0xfff0;
    c.cr0 = c.cr0 & CR0_CACHES | CR0_ET;
    c.cr2 = 0;
    c.cr3 = 0;
    c.cr4 = 0;
    c.efer = 0;
    Arrays.fill(c.dr, 0);
    c.dr[6] = DebugOps.DR6_FIXED;
    c.dr[7] = DebugOps.DR7_FIXED;
    c.debugging.drop();
  }

  private static void segments(Cpu c) {
    for (int s = 0; s < 6; s++) {
      Segments.setReal(c, s, 0);
      c.segmentLimit[s] = LIMIT;
      c.segmentAccess[s] = s == Instruction.CS ? Segments.REAL_CODE : Segments.REAL_DATA;
    }
    c.selector[Instruction.CS] = 0xf000;
    c.segmentBase[Instruction.CS] = 0xffff_0000L;
    c.gdtBase = 0;
    c.idtBase = 0;
    c.gdtLimit = LIMIT;
    c.idtLimit = LIMIT;
    c.ldtSelector = 0;
    c.ldtBase = 0;
    c.ldtLimit = LIMIT;
    c.ldtAccess = Segments.PRESENT | SystemTables.LDT;
    c.taskSelector = 0;
    c.taskBase = 0;
    c.taskLimit = LIMIT;
    c.taskAccess = Segments.PRESENT | BUSY_TSS16;
  }
}
