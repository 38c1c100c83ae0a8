package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** MOV of debug registers (AMD64 APM volume 2, section 13.1.1), and what a debug exception does to them. */
final class DebugOps {
  /** Bits of DR6 and DR7 that always read 1. */
  static final long DR6_FIXED = 0xffff_0ff0L, DR7_FIXED = 0x400;

  /** Bits of DR6 and DR7 that can be written. */
  private static final long DR6_WRITABLE = 0xe00f, DR7_WRITABLE = 0xffff_23ffL;

  /** DR6: a breakpoint's number, debug register accessed, single step. DR7: general detect. */
  private static final int DR6_HITS = 0xf, DR6_BD = 1 << 13, DR7_GD = 1 << 13;

  private DebugOps() {}

  static void move(Cpu c, Instruction i) {
    boolean load = i.kind0 == OperandKind.DR;
    boolean wide = c.mode == CpuMode.LONG64;
    c.checkPrivileged();
    int number = number(c, load ? i.reg0 : i.reg1);
    c.platform.privileged(Platform.Privileged.DEBUG_REGISTER, number);
    if ((c.dr[7] & DR7_GD) != 0) {
      throw c.debugFault(DR6_BD);
    }
    if (!load) {
      Operands.setRegister(c, i.reg0, wide ? 8 : 4, c.dr[number]);
      return;
    }
    long value = wide ? c.r[i.reg1] : c.r[i.reg1] & 0xffff_ffffL;
    if (number >= 6 && value >>> 32 != 0) {
      throw c.fault(Fault.GP, 0);
    }
    c.dr[number] = switch (number) {
      case 6 -> value & DR6_WRITABLE | DR6_FIXED;
      case 7 -> value & DR7_WRITABLE | DR7_FIXED;
      default -> value;
    };
    if (number != 6) {
      c.debugRegistersChanged();
    }
  }

  /** DR4 and DR5 are other names of DR6 and DR7, or with CR4.DE nothing; there are none over 7. */
  private static int number(Cpu c, int register) {
    boolean alias = register == 4 || register == 5;
    if (register > 7 || alias && (c.cr4 & Cpu.CR4_DE) != 0) {
      throw c.fault(Fault.UD);
    }
    return alias ? register + 2 : register;
  }

  /**
   * Puts the reasons of a debug exception into DR6 and switches general detection off. The numbers of breakpoints replace those of the last
   * exception; the other bits are software's to clear. INT1 has no reason and changes nothing.
   */
  static void report(Cpu c, long reasons) {
    if (reasons != 0) {
      c.dr[6] = c.dr[6] & ~DR6_HITS | reasons;
    }
    c.dr[7] &= ~DR7_GD;
  }
}
