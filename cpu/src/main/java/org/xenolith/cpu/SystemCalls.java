package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/**
 * SYSCALL, SYSENTER, their returns, and SWAPGS (AMD64 APM volume 2, chapter 6; volume 3). Where a hypervisor owns privilege level 0 the
 * calls are exits.
 */
final class SystemCalls {
  private static final Exit SYSCALL = new Exit.Syscall();
  private static final Exit SYSENTER = new Exit.Sysenter();

  /** Rights of the flat segments that these instructions load without looking at a table. */
  private static final int CODE64 = 0xa09b, CODE32 = 0xc09b, DATA = 0xc093, DPL3 = 3 << 5;

  private SystemCalls() {}

  static void syscall(Cpu c, Instruction i) {
    if ((c.efer & Cpu.EFER_SCE) == 0) {
      throw c.fault(Fault.UD);
    }
    if (!c.ownsRing0) {
      c.r[Cpu.RCX] = c.rip;
      c.r[Cpu.R11] = c.rflags() & ~Cpu.RF;
      c.leave(SYSCALL);
      return;
    }
    c.checkProtected();
    long flags = c.rflags() & ~Cpu.RF;
    int selector = (int) (c.star >>> 32) & 0xfffc;
    c.r[Cpu.RCX] = c.rip;
    if (c.longMode()) {
      c.r[Cpu.R11] = flags;
      c.rip = c.mode == CpuMode.LONG64 ? c.lstar : c.cstar;
      flags &= ~c.syscallMask;
      code(c, selector, CODE64, 0);
    } else {
      c.rip = c.star & 0xffff_ffffL;
      flags &= ~(Cpu.IF | Cpu.VM);
      code(c, selector, CODE32, 0);
    }
    stack(c, selector + 8, 0);
    finish(c, flags);
  }

  /** Only CS is loaded whole: of SS the selector changes, its rights stay (AMD64 APM volume 3, SYSRET). */
  static void sysret(Cpu c, Instruction i) {
    if ((c.efer & Cpu.EFER_SCE) == 0) {
      throw c.fault(Fault.UD);
    }
    c.checkProtected();
    c.checkPrivileged();
    int selector = (int) (c.star >>> 48) & 0xfffc;
    long flags;
    if (c.mode == CpuMode.LONG64) {
      flags = c.r[Cpu.R11] & ~(Cpu.RF | Cpu.VM);
      c.rip = i.width == 8 ? c.r[Cpu.RCX] : c.r[Cpu.RCX] & 0xffff_ffffL;
    } else {
      flags = c.rflags() | Cpu.IF;
      c.rip = c.r[Cpu.RCX] & 0xffff_ffffL;
    }
    boolean to64 = i.width == 8;
    code(c, to64 ? selector + 16 : selector, to64 ? CODE64 : CODE32, 3);
    c.selector[Instruction.SS] = selector + 8 & 0xfffc | 3;
    finish(c, flags);
  }

  /** AMD64 APM volume 3: no such instruction in long mode, compatibility mode included. */
  static void sysenter(Cpu c, Instruction i) {
    if (c.longMode()) {
      throw c.fault(Fault.UD);
    }
    if (!c.ownsRing0) {
      c.rip = i.address;
      c.leave(SYSENTER);
      return;
    }
    int selector = checkSysenter(c);
    c.rip = c.sysenterRip & 0xffff_ffffL;
    c.r[Cpu.RSP] = c.sysenterRsp & 0xffff_ffffL;
    code(c, selector, CODE32, 0);
    stack(c, selector + 8, 0);
    finish(c, c.rflags() & ~(Cpu.VM | Cpu.IF | Cpu.RF));
  }

  /** AMD's processors have no SYSEXIT in long mode, and look at the privilege first. */
  static void sysexit(Cpu c, Instruction i) {
    c.checkPrivileged();
    if (c.longMode()) {
      throw c.fault(Fault.UD);
    }
    int selector = checkSysenter(c);
    c.rip = c.r[Cpu.RDX] & 0xffff_ffffL;
    c.r[Cpu.RSP] = c.r[Cpu.RCX] & 0xffff_ffffL;
    code(c, selector + 16, CODE32, 3);
    stack(c, selector + 24, 3);
    finish(c, c.rflags());
  }

  private static int checkSysenter(Cpu c) {
    int selector = (int) c.sysenterCs & 0xfffc;
    if (!c.protectedMode() || selector == 0) {
      throw c.fault(Fault.GP, 0);
    }
    return selector;
  }

  /** A flat code segment of a privilege level, which becomes the current one. */
  private static void code(Cpu c, int selector, int access, int level) {
    flat(c, Instruction.CS, selector, access, level);
    c.cpl = level;
  }

  private static void stack(Cpu c, int selector, int level) {
    flat(c, Instruction.SS, selector, DATA, level);
  }

  private static void flat(Cpu c, int segment, int selector, int access, int level) {
    c.selector[segment] = selector & 0xfffc | level;
    c.segmentBase[segment] = 0;
    c.segmentLimit[segment] = -1;
    c.segmentAccess[segment] = access | (level == 3 ? DPL3 : 0);
  }

  /** A trap flag that is set at the end traps at once, before another instruction. */
  private static void finish(Cpu c, long flags) {
    c.setRflags(flags);
    c.refresh();
    if ((c.eflags & Cpu.TF) != 0) {
      c.debugging.trap(Debugging.BS);
    }
  }

  static void swapgs(Cpu c, Instruction i) {
    if (c.mode != CpuMode.LONG64) {
      throw c.fault(Fault.UD);
    }
    c.checkPrivileged();
    c.swapGs();
  }
}
