package org.xenolith.xen.pv;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Fault;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Domain;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.Pte;
import org.xenolith.xen.rules.Rule;
import org.xenolith.xen.rules.XenLine;

/**
 * The way into a PV guest's kernel and back to the guest: frames on the guest's stack for exceptions, callbacks and events (Xen's
 * create_bounce_frame and test_all_events, x86_64/entry.S; pv_inject_event, pv/traps.c), and the iret hypercall's way out.
 */
public final class PvEntry {
  /** Vectors with an error code. */
  private static final int WITH_ERROR_CODE =
      1 << Fault.DF | 1 << Fault.TS | 1 << Fault.NP | 1 << Fault.SS | 1 << Fault.GP | 1 << Fault.PF | 1 << Fault.AC | 1 << 21;

  /** Xen's own range of addresses (asm-x86/config.h). */
  private static final long XEN_START = 0xffff_8000_0000_0000L, XEN_END = 0xffff_8800_0000_0000L;

  /** What Xen prints where it ends a domain on the way back to it. */
  private static final XenLine SYNC = new XenLine("domain_crash_sync called from entry.S", XenLine.Build.EVERY);

  /** How Xen names vectors (vector_name, arch/x86/traps.c). */
  private static final String[] XEN_NAMES = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "CSO", "#TS", "#NP", "#SS", "#GP", "#PF", "SPV", "#MF", "#AC", "#MC",
    "#XM", "#VE", "#CP"
  };

  private static final int NO_VECTOR = -1;

  private final Vcpu vcpu;
  private final PvState pv;
  private final Cpu cpu;
  private final ByteBuffer frame = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);

  /** Counts of delivered exceptions by vector, and of upcalls. */
  final long[] delivered = new long[256];

  long upcalls;

  /** A number that changes with all that was delivered, for the run's digest. */
  long deliveries;

  PvEntry(Vcpu vcpu) {
    this.vcpu = vcpu;
    this.pv = vcpu.pv;
    this.cpu = vcpu.cpu;
  }

  // ---- Exceptions and callbacks ----

  /** Has a hardware exception delivered on the way back; the error code of vectors without one is ignored. */
  void inject(int vector, int errorCode) {
    inject(vector, errorCode, 0);
  }

  /**
   * Has a hardware exception delivered on the way back.
   *
   * @param address for #PF the address for CR2, for #DB the bits to set in DR6
   */
  void inject(int vector, int errorCode, long address) {
    int code = errorCode;
    if (vector == Fault.PF) {
      pv.cr2 = address;
      if (vcpu.vcpuInfoPa != 0) {
        cpu.memory.writeLong(vcpu.vcpuInfoPa + Vcpu.ARCH_CR2, address);
      }
      // All of the guest runs with privilege 3; the guest is told what its own two privileges are.
      code = vcpu.kernelMode ? code & ~Fault.PF_USER : code | Fault.PF_USER;
    } else if (vector == Fault.DB) {
      pv.dr6 = mergeDr6(pv.dr6, address);
    }
    bounce(vector, (WITH_ERROR_CODE >>> vector & 1) != 0 ? code : -1);
    vcpu.domain.xen.observer.fault(vcpu, vector, code, address);
  }

  /** Has a software interrupt delivered on the way back: as a trap, never with an error code. */
  void injectSoftwareInterrupt(int vector) {
    bounce(vector, -1);
    vcpu.domain.xen.observer.fault(vcpu, vector, Fault.NO_ERROR_CODE, 0);
  }

  private void bounce(int vector, int errorCode) {
    delivered[vector]++;
    pv.bounce = true;
    pv.bounceRip = pv.trapAddress[vector];
    pv.bounceMasksEvents = (pv.trapFlags[vector] & PvState.TRAP_MASKS_EVENTS) != 0;
    pv.bounceErrorCode = errorCode;
    deliveries = deliveries * 31 + vector + 1;
    if (pv.bounceRip == 0) {
      unhandled = "unhandled exception " + vector + (errorCode >= 0 ? "[" + Integer.toHexString(errorCode) + "]" : "");
      unhandledVector = vector;
      unhandledCode = errorCode;
    }
  }

  private String unhandled;
  private int unhandledVector = NO_VECTOR;
  private int unhandledCode;

  /** Exceptions add to DR6; its bits that read 1 when inactive are left alone (Xen's x86_merge_dr6). */
  private static long mergeDr6(long dr6, long bits) {
    // Positive polarity for the bits that exceptions set: 0 to 3 are replaced, BD, BS and BT accumulate.
    return dr6 & ~0xfL | bits & 0xe00fL;
  }

  /** SYSCALL where it is no hypercall: enters the guest's kernel through its callback, or as #UD (Xen's switch_to_kernel). */
  void syscallCallback() {
    boolean code32 = cpu.mode != CpuMode.LONG64;
    cpu.setRflags(cpu.r[Cpu.R11]);
    Selectors.flat(cpu, code32);
    pv.viaSysret = true;
    long rip = code32 ? pv.syscall32Callback : pv.syscallCallback;
    if (rip == 0) {
      cpu.rip -= 2;
      inject(Fault.UD, Fault.NO_ERROR_CODE);
      return;
    }
    if (push(rip, code32 ? pv.syscall32MasksEvents : pv.syscallMasksEvents, -1)) {
      cpu.eflags &= ~Cpu.DF;
    }
  }

  /** SYSENTER: enters the guest's kernel through its callback, or as #GP(0). Where it came from is lost, as on hardware. */
  void sysenterCallback() {
    cpu.rip = 0;
    cpu.r[Cpu.RSP] = 0;
    cpu.selector[Instruction.CS] = 3;
    cpu.selector[Instruction.SS] = Selectors.FLAT_SS;
    cpu.setRflags(cpu.rflags() & ~Cpu.DF);
    pv.viaSysret = true;
    if (pv.sysenterCallback == 0) {
      inject(Fault.GP, 0);
    } else {
      push(pv.sysenterCallback, pv.sysenterMasksEvents, -1);
    }
  }

  // ---- The way back to the guest ----

  /**
   * Delivers what is pending and makes the processor ready to run the guest.
   *
   * @return false if the domain has crashed or shut down
   */
  boolean returnToGuest() {
    while (vcpu.domain.shutdown < 0) {
      if (pv.bounce) {
        pv.bounce = false;
        push(pv.bounceRip, pv.bounceMasksEvents, pv.bounceErrorCode);
      } else if (pv.nmiPending && !pv.nmiMasked) {
        pv.nmiPending = false;
        if (pv.trapAddress[Fault.NMI] != 0) {
          pv.nmiMasked = true;
          delivered[Fault.NMI]++;
          deliveries = deliveries * 31 + Fault.NMI + 1;
          push(pv.trapAddress[Fault.NMI], (pv.trapFlags[Fault.NMI] & PvState.TRAP_MASKS_EVENTS) != 0, -1);
        }
      } else if (vcpu.eventsPending() && !vcpu.eventsMasked()) {
        upcalls++;
        deliveries = deliveries * 31;
        cpu.clock.now++;
        vcpu.domain.xen.observer.upcall(vcpu);
        unhandled = "an event without an event callback";
        unhandledVector = NO_VECTOR;
        push(pv.eventCallback, true, -1);
      } else if (leave()) {
        return true;
      }
    }
    return false;
  }

  /** The instruction that returns: SYSRET or IRET. Its own faults look to the guest as if they came from where it returns to. */
  private boolean leave() {
    cpu.setRflags(cpu.rflags() & ~(Cpu.IOPL | Cpu.VM) | Cpu.IF);
    if (pv.viaSysret) {
      pv.viaSysret = false;
      cpu.r[Cpu.R11] = cpu.rflags();
      cpu.r[Cpu.RCX] = cpu.rip;
      if (Mmu.canonical(cpu.rip)) {
        Selectors.flat(cpu, cpu.selector[Instruction.CS] == Selectors.FLAT_CS32);
        cpu.setRflags(cpu.rflags() & ~Cpu.RF);
        pv.loadSelectors = false;
        cpu.refresh();
        return true;
      }
      pv.loadSelectors = true;
    }
    if (pv.loadSelectors) {
      pv.loadSelectors = false;
      cpu.refresh();
      try {
        Selectors.loadForReturn(cpu);
      } catch (Fault f) {
        inject(f.vector(), f.errorCode(), f.address());
        return false;
      }
    }
    cpu.refresh();
    return true;
  }

  /** Switches between the guest's kernel and its user mode: the root and GS (toggle_guest_mode, pv/domain.c). */
  public void toggleMode() {
    long gs = cpu.segmentBase[Instruction.GS];
    cpu.segmentBase[Instruction.GS] = cpu.kernelGsBase;
    cpu.kernelGsBase = gs;
    vcpu.kernelMode = !vcpu.kernelMode;
    cpu.userMode = !vcpu.kernelMode;
    cpu.cr3 = vcpu.rootMfn() << GuestMemory.FRAME_SHIFT;
    cpu.refresh();
  }

  /**
   * Pushes a frame { rcx, r11, [error code,] rip, cs and event mask, rflags, rsp, ss } on the guest kernel's stack and continues at {@code
   * rip}. A guest without a stack or without a handler is crashed.
   */
  private boolean push(long rip, boolean maskEvents, int errorCode) {
    long sp;
    int cs = cpu.selector[Instruction.CS];
    if (vcpu.kernelMode) {
      sp = cpu.r[Cpu.RSP];
      cs &= ~3;
    } else {
      toggleMode();
      sp = pv.kernelSp;
    }
    sp &= ~0xfL;
    if (Long.compareUnsigned(sp, XEN_START + 1) >= 0 && Long.compareUnsigned(sp, XEN_END + 64) < 0) {
      return crash(Rule.HANDLERS, "no stack for a frame: rsp 0x" + Long.toHexString(sp) + " is in Xen's range", SYNC);
    }
    boolean architecturalIopl = (vcpu.domain.assists & Domain.ASSIST_ARCHITECTURAL_IOPL) != 0;
    int mask = vcpu.vcpuInfoPa == 0 ? 1 : cpu.memory.readByte(vcpu.vcpuInfoPa + Vcpu.UPCALL_MASK) & 0xff;
    long flags = cpu.rflags() & ~(Cpu.IF | Cpu.IOPL) | (mask == 0 ? Cpu.IF : 0) | (architecturalIopl ? pv.iopl : 0);
    frame.clear().putLong(cpu.r[Cpu.RCX]).putLong(cpu.r[Cpu.R11]);
    if (errorCode >= 0) {
      frame.putLong(errorCode);
    }
    frame.putLong(cpu.rip).putLong((long) mask << 32 | cs).putLong(flags).putLong(cpu.r[Cpu.RSP]).putLong(cpu.selector[Instruction.SS]);
    sp -= frame.position();
    int failed = storeFrame(sp);
    if (failed >= 0) {
      return crash(Rule.HANDLERS, "no stack for a frame: 0x" + Long.toHexString(sp + failed) + " cannot be written", SYNC);
    }
    if (maskEvents && vcpu.vcpuInfoPa != 0) {
      cpu.memory.writeByte(vcpu.vcpuInfoPa + Vcpu.UPCALL_MASK, (byte) (mask | 1));
    }
    if (rip == 0) {
      return crashWithoutHandler();
    }
    cpu.setRflags(cpu.rflags() & ~(Cpu.AC | Cpu.VM | Cpu.RF | Cpu.NT | Cpu.TF));
    Selectors.flat(cpu, false);
    cpu.r[Cpu.RSP] = sp;
    cpu.rip = rip;
    pv.viaSysret = true;
    pv.loadSelectors = false;
    return true;
  }

  /** Ends the domain for want of a handler. A page fault is told with its address and what is there: it is all that is known of it. */
  private boolean crashWithoutHandler() {
    String reason = "no handler: " + unhandled + " at rip 0x" + Long.toHexString(cpu.rip);
    List<XenLine> lines = new ArrayList<>();
    if (unhandledVector != NO_VECTOR) {
      String name = unhandledVector < XEN_NAMES.length ? XEN_NAMES[unhandledVector] : "???";
      lines.add(new XenLine("Unhandled: vec %d, %s[%04x]".formatted(unhandledVector, name, unhandledCode), XenLine.Build.EVERY));
    }
    lines.add(SYNC);
    if (unhandledVector != Fault.PF || unhandledCode < 0) {
      return crash(Rule.HANDLERS, reason, lines.toArray(XenLine[]::new));
    }
    Hypervisor xen = vcpu.domain.xen;
    long va = pv.cr2;
    Breach.Slot slot = xen.mmu.roots().kernelL1Slot(vcpu, va);
    List<Breach.Slot> slots = slot == null ? List.of() : List.of(slot);
    long entry = slot == null ? 0 : slot.entry();
    boolean mapped = (entry & Pte.PRESENT) != 0;
    long mfn = mapped && xen.frames.valid(Pte.mfn(entry)) ? Pte.mfn(entry) : -1;
    reason += ", for va 0x%x, ".formatted(va) + (mapped ? "which maps " + xen.frames.describe(Pte.mfn(entry)) : "which maps nothing");
    vcpu.domain.crash(reason);
    xen.observer.breach(vcpu, new Breach(Rule.HANDLERS, null, Breach.Effect.CRASH, reason, mfn, 0, lines, slots, null));
    return false;
  }

  /** Writes {@link #frame}, as by pushes: from its end on. Returns where in it a word cannot be written, or -1. */
  private int storeFrame(long va) {
    int length = frame.position();
    boolean onePage = (va & GuestMemory.FRAME_SIZE - 1) + length <= GuestMemory.FRAME_SIZE;
    int piece = onePage ? length : 8;
    for (int at = length - piece; at >= 0; at -= piece) {
      if (!GuestAccess.copyOut(cpu, va + at, frame.array(), at, piece)) {
        return at + piece - 8;
      }
    }
    return -1;
  }

  private boolean crash(Rule rule, String reason, XenLine... lines) {
    vcpu.domain.crash(reason);
    vcpu.domain.xen.observer.breach(vcpu, Breach.byInstruction(rule, Breach.Effect.CRASH, reason, lines));
    return false;
  }

  // ---- iret ----

  /** Flags of struct iret_context (public header arch-x86/xen-x86_64.h). */
  private static final long VGCF_IN_SYSCALL = 256;

  private static final long ALL_FLAGS = Cpu.ARITHMETIC | Cpu.TF | Cpu.IF | Cpu.DF | Cpu.NT | Cpu.RF | Cpu.AC | Cpu.VIF | Cpu.VIP | Cpu.ID;

  private final ByteBuffer context = ByteBuffer.allocate(72).order(ByteOrder.LITTLE_ENDIAN);

  /** The iret hypercall (pv/iret.c): takes up what a frame of 9 words on the stack says, and returns its rax. */
  long iret() {
    if (!GuestAccess.copyIn(cpu, cpu.r[Cpu.RSP], context.array(), 0, context.capacity())) {
      crash(Rule.HANDLERS, "fault while reading the iret context at 0x" + Long.toHexString(cpu.r[Cpu.RSP]),
          new XenLine("Fault while reading IRET context from guest stack", XenLine.Build.EVERY));
      return 0;
    }
    long rflags = word(6);
    int cs = (int) word(5) & 0xffff;
    if ((cs & 3) == 3) {
      if (vcpu.userRootMfn == 0) {
        crash(Rule.USER_ROOT, "guest switching to user mode with no user page tables",
            new XenLine("Guest switching to user mode with no user page tables", XenLine.Build.EVERY));
        return 0;
      }
      toggleMode();
    }
    if ((vcpu.domain.assists & Domain.ASSIST_ARCHITECTURAL_IOPL) != 0) {
      pv.iopl = (int) rflags & Cpu.IOPL;
    }
    cpu.rip = word(4);
    cpu.selector[Instruction.CS] = cs | 3;
    cpu.selector[Instruction.SS] = (int) word(8) & 0xffff | 3;
    cpu.r[Cpu.RSP] = word(7);
    cpu.setRflags(rflags & ALL_FLAGS | Cpu.IF);
    pv.loadSelectors = true;
    if ((word(3) & VGCF_IN_SYSCALL) == 0) {
      pv.viaSysret = false;
      cpu.r[Cpu.R11] = word(1);
      cpu.r[Cpu.RCX] = word(2);
    }
    if (vcpu.vcpuInfoPa != 0) {
      cpu.memory.writeByte(vcpu.vcpuInfoPa + Vcpu.UPCALL_MASK, (byte) ((rflags & Cpu.IF) != 0 ? 0 : 1));
    }
    pv.nmiMasked = false;
    return word(0);
  }

  private long word(int n) {
    return context.getLong(8 * n);
  }
}
