package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Instruction;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.PvMmu;
import org.xenolith.xen.time.TimeKeeper;

/** VCPUOP_initialise: a vcpu's whole state from struct vcpu_guest_context (public header arch-x86/xen.h; arch_set_info_guest). */
final class InitialState {
  // Offsets in the structure.
  private static final int FLAGS = 512, REGS = 520, TRAPS = 720, LDT_BASE = 4816, LDT_ENTRIES = 4824, GDT_FRAMES = 4832;
  private static final int GDT_ENTRIES = 4960, KERNEL_SS = 4968, KERNEL_SP = 4976, CTRLREG = 4984, DEBUGREG = 5048, EVENT = 5112;
  private static final int FAILSAFE = 5120, SYSCALL = 5128, VM_ASSIST = 5136, FS_BASE = 5144, GS_KERNEL = 5152, GS_USER = 5160, SIZE = 5168;

  /** The registers in the order of struct cpu_user_regs, 8 bytes each. */
  private static final int[] ORDER = {
    Cpu.R15, Cpu.R14, Cpu.R13, Cpu.R12, Cpu.RBP, Cpu.RBX, Cpu.R11, Cpu.R10, Cpu.R9, Cpu.R8, Cpu.RAX, Cpu.RCX, Cpu.RDX, Cpu.RSI, Cpu.RDI
  };

  private static final int RIP = REGS + 128, CS = REGS + 136, RFLAGS = REGS + 144, RSP = REGS + 152, SS = REGS + 160, ES = REGS + 168;
  private static final int DS = REGS + 176, FS = REGS + 184, GS = REGS + 192;

  private static final long IN_KERNEL = 4, FAILSAFE_MASKS = 8, SYSCALL_MASKS = 16, ONLINE = 32;

  private static final int[] CANONICAL = {RIP, RSP, KERNEL_SP, FS_BASE, GS_KERNEL, GS_USER, EVENT, SYSCALL, FAILSAFE};

  private final PvMmu mmu;
  private final GuestStruct c = new GuestStruct(SIZE);

  InitialState(PvMmu mmu) {
    this.mmu = mmu;
  }

  /** Reads the structure at {@code va} in the caller's memory into {@code target}. */
  long load(Vcpu caller, PvVcpu target, long va) {
    if (!c.read(caller.cpu, va, SIZE)) {
      return -Errno.EFAULT;
    }
    Vcpu v = target.vcpu;
    long flags = c.getLong(FLAGS);
    if (c.getLong(DEBUGREG + 48) >>> 32 != 0 || c.getLong(DEBUGREG + 56) >>> 32 != 0) {
      return -Errno.EINVAL;
    }
    for (int n = 0; n < 4; n++) {
      long address = c.getLong(DEBUGREG + 8 * n);
      if (!Mmu.canonical(address) || address < 0 && address < 0xffff_8800_0000_0000L) {
        return -Errno.EINVAL;
      }
    }
    for (int at : CANONICAL) {
      if (!Mmu.canonical(c.getLong(at))) {
        return -Errno.EINVAL;
      }
    }
    for (int n = 0; n < 256; n++) {
      if (!Mmu.canonical(c.getLong(TRAPS + 16 * n + 8))) {
        return -Errno.EINVAL;
      }
    }
    long ldtBase = c.getLong(LDT_BASE);
    long ldtEntries = c.getLong(LDT_ENTRIES);
    if ((ldtEntries != 0 && !Mmu.canonical(ldtBase)) || !GuestAccess.accessible(ldtBase, 0) || (ldtBase & 0xfff) != 0
        || Long.compareUnsigned(ldtEntries, 8192) > 0) {
      return -Errno.EINVAL;
    }
    boolean kernel = (flags & IN_KERNEL) != 0;
    long userRoot = c.getLong(CTRLREG + 8) >>> 12;
    long gdtEntries = c.getLong(GDT_ENTRIES);
    if (Long.compareUnsigned(gdtEntries, 16 * 512) > 0 || !kernel && userRoot == 0) {
      return -Errno.EINVAL;
    }
    if (v.id == 0) {
      v.domain.assists = c.getLong(VM_ASSIST) & Domain.ASSISTS_VALID;
    }
    long[] frames = new long[16];
    for (int n = 0; n < 16; n++) {
      frames[n] = c.getLong(GDT_FRAMES + 8 * n);
    }
    int result = mmu.descriptors().set(v, frames, (int) gdtEntries);
    if (result != 0) {
      return result;
    }
    v.kernelMode = kernel;
    v.cpu.userMode = !kernel;
    result = mmu.roots().install(v, c.getLong(CTRLREG + 24) >>> 12, userRoot);
    if (result != 0) {
      v.kernelMode = true;
      v.cpu.userMode = false;
      mmu.descriptors().dropGdt(v);
      return result;
    }
    v.ldtBase = ldtBase;
    v.ldtEntries = (int) ldtEntries;
    take(target, flags);
    v.initialised = true;
    if ((flags & ONLINE) != 0) {
      v.state = Vcpu.State.RUNNABLE;
      v.time.enter(TimeKeeper.RUNNABLE);
    }
    return 0;
  }

  private void take(PvVcpu target, long flags) {
    Vcpu v = target.vcpu;
    Cpu cpu = v.cpu;
    PvState pv = v.pv;
    for (int n = 0; n < ORDER.length; n++) {
      cpu.r[ORDER[n]] = c.getLong(REGS + 8 * n);
    }
    cpu.r[Cpu.RSP] = c.getLong(RSP);
    cpu.rip = c.getLong(RIP);
    long rflags = c.getLong(RFLAGS);
    pv.iopl = (int) rflags & Cpu.IOPL;
    cpu.setRflags(rflags & ~(Cpu.IOPL | Cpu.VM) | Cpu.IF);
    cpu.selector[Instruction.CS] = c.getShort(CS) | 3;
    cpu.selector[Instruction.SS] = c.getShort(SS) | 3;
    pv.loadSelectors = true;
    cpu.segmentBase[Instruction.FS] = c.getLong(FS_BASE);
    boolean kernel = (flags & IN_KERNEL) != 0;
    cpu.segmentBase[Instruction.GS] = c.getLong(kernel ? GS_KERNEL : GS_USER);
    cpu.kernelGsBase = c.getLong(kernel ? GS_USER : GS_KERNEL);
    Selectors.load(cpu, Instruction.ES, c.getShort(ES));
    Selectors.load(cpu, Instruction.DS, c.getShort(DS));
    Selectors.load(cpu, Instruction.FS, c.getShort(FS));
    Selectors.load(cpu, Instruction.GS, c.getShort(GS));
    for (int n = 0; n < 256; n++) {
      int at = TRAPS + 16 * n;
      pv.trapAddress[n] = c.getLong(at + 8);
      pv.trapFlags[n] = c.getByte(at + 1);
      pv.trapCs[n] = Selectors.fixCode(c.getShort(at + 2));
    }
    pv.kernelSs = (int) c.getLong(KERNEL_SS) & 0xffff | 3;
    pv.kernelSp = c.getLong(KERNEL_SP);
    pv.eventCallback = c.getLong(EVENT);
    pv.failsafeCallback = c.getLong(FAILSAFE);
    pv.failsafeMasksEvents = (flags & FAILSAFE_MASKS) != 0;
    pv.syscallCallback = c.getLong(SYSCALL);
    pv.syscallMasksEvents = (flags & SYSCALL_MASKS) != 0;
    pv.cr2 = c.getLong(CTRLREG + 16);
    target.operations.taskSwitched((c.getLong(CTRLREG) & Cpu.CR0_TS) != 0);
    target.operations.setCr4(c.getLong(CTRLREG + 32));
    for (int n = 0; n < 8; n++) {
      if (n != 4 && n != 5) {
        DebugRegisters.set(v, n, c.getLong(DEBUGREG + 8 * n));
      }
    }
  }
}
