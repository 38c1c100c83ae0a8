package org.xenolith.xen.pv;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.Fault;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.CpuMode;
import org.xenolith.machine.RunDigest;
import org.xenolith.xen.Domain;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.VcpuRunner;
import org.xenolith.xen.time.TimeKeeper;

/**
 * Runs one vcpu of a PV domain: answers each exit as Xen's entry points do, and goes back to the guest (x86_64/entry.S, arch/x86/traps.c).
 */
public final class PvVcpu implements VcpuRunner {
  public final Vcpu vcpu;
  final PvEntry entry;
  final PrivilegedOps operations;
  private final NativeBreaches breaches;

  private final Hypervisor xen;
  private final Domain domain;
  private final Cpu cpu;
  private final PvState pv;
  private final RunDigest digest;
  private final long[] args = new long[6];
  private boolean continued;

  /** Why Xen was entered, and how it ended where Xen did the work. */
  enum Reason {
    HYPERCALL,
    SYSCALL,
    SYSENTER,
    SOFTWARE_INTERRUPT,
    EXCEPTION,
    PAGE_TABLE_WRITE,
    PRIVILEGED_INSTRUCTION,
    FORCED_EMULATION
  }

  /** Exits by {@link Reason}. */
  final long[] exits = new long[Reason.values().length];

  PvVcpu(Vcpu vcpu, Ports ports, RunDigest digest) {
    this.vcpu = vcpu;
    this.domain = vcpu.domain;
    this.xen = domain.xen;
    this.cpu = vcpu.cpu;
    this.pv = vcpu.pv;
    this.digest = digest;
    this.entry = new PvEntry(vcpu);
    this.operations = new PrivilegedOps(vcpu, entry, ports);
    this.breaches = new NativeBreaches(vcpu);
    vcpu.runner = this;
    cpu.descriptors = new PvDescriptors(vcpu, xen.mmu.descriptors());
    cpu.cr0 = PrivilegedOps.CR0;
    cpu.cr4 = 0x660;
    cpu.efer = Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE;
  }

  /** How the vcpu's guest is entered: for whoever injects faults (the PV MMU's write emulation). */
  public PvEntry entry() {
    return entry;
  }

  // ---- Turns ----

  @Override
  public boolean runnable() {
    return vcpu.state == Vcpu.State.RUNNABLE;
  }

  @Override
  public void begin() {
    vcpu.time.stopPoll();
    vcpu.time.enter(TimeKeeper.RUNNING);
  }

  @Override
  public void end() {
    vcpu.time.enter(switch (vcpu.state) {
      case RUNNABLE -> TimeKeeper.RUNNABLE;
      case BLOCKED -> TimeKeeper.BLOCKED;
      case DOWN -> TimeKeeper.OFFLINE;
    });
  }

  @Override
  public boolean run(long until) {
    vcpu.yielded = false;
    xen.current = vcpu;
    while (true) {
      if (!entry.returnToGuest()) {
        return false;
      }
      long stop = Math.min(until, xen.events.next());
      if (cpu.clock.now >= stop) {
        return true;
      }
      Exit exit = cpu.run(stop);
      if (entersXenAsTrap(exit)) {
        cpu.forgetTraps();
      }
      if (!(exit instanceof Exit.Budget)) {
        digest.exit(vcpu.id, cpu, exit);
        handle(exit);
        digest.delivered(entry.deliveries);
        if (xen.unimplemented != null || domain.shutdown != Domain.RUNNING || vcpu.yielded || vcpu.state != Vcpu.State.RUNNABLE) {
          return false;
        }
      }
    }
  }

  // ---- For hypercalls ----

  @Override
  public long initialise(Vcpu caller, long va) {
    return new InitialState(xen.mmu).load(caller, this, va);
  }

  @Override
  public void sendNmi() {
    pv.nmiPending = true;
    vcpu.wake();
  }

  @Override
  public void eventsPending() {
    vcpu.wake();
  }

  @Override
  public boolean eventsNeedDelivery() {
    return vcpu.eventsPending() && !vcpu.eventsMasked();
  }

  @Override
  public void inKernelSpace(Runnable access) {
    if (vcpu.kernelRootMfn == 0) {
      return;
    }
    long cr3 = cpu.cr3;
    cpu.cr3 = vcpu.kernelRootMfn << GuestMemory.FRAME_SHIFT;
    access.run();
    cpu.cr3 = cr3;
  }

  // ---- Exits ----

  private void handle(Exit exit) {
    switch (exit) {
      case Exit.Syscall s -> {
        if (vcpu.kernelMode && cpu.mode == CpuMode.LONG64) {
          count(Reason.HYPERCALL);
          hypercall();
        } else {
          count(Reason.SYSCALL);
          entry.syscallCallback();
        }
      }
      case Exit.Exception e -> {
        if (e.vector() != Fault.DB && e.vector() != Fault.BP && e.vector() != Fault.OF) {
          markFault();
        }
        exception(e.vector(), e.errorCode(), e.address());
      }
      case Exit.SoftwareInterrupt i -> {
        count(Reason.SOFTWARE_INTERRUPT);
        softwareInterrupt(i.vector(), i.length());
      }
      case Exit.Sysenter s -> {
        count(Reason.SYSENTER);
        entry.sysenterCallback();
      }
      case Exit.Unimplemented u -> {
        xen.unimplemented(u.what());
        entry.inject(Fault.UD, Fault.NO_ERROR_CODE);
      }
      case Exit.Budget b -> throw new IllegalStateException("a budget is not an exit to answer");
      default -> {
        xen.unimplemented("exit " + exit);
        entry.inject(Fault.UD, Fault.NO_ERROR_CODE);
      }
    }
  }

  /**
   * Whether the guest came to Xen by an instruction that a debug trap held back by MOV SS strikes behind: in Xen's own entry, where Xen
   * drops it (XSA-260; do_debug, arch/x86/traps.c).
   */
  private static boolean entersXenAsTrap(Exit exit) {
    return switch (exit) {
      case Exit.Syscall s -> true;
      case Exit.Sysenter s -> true;
      case Exit.SoftwareInterrupt i -> true;
      case Exit.Exception e -> e.vector() == Fault.BP || e.vector() == Fault.OF;
      default -> false;
    };
  }

  private void count(Reason reason) {
    exits[reason.ordinal()]++;
  }

  private void hypercall() {
    Selectors.flat(cpu, false);
    pv.viaSysret = true;
    long number = cpu.r[Cpu.RAX];
    args[0] = cpu.r[Cpu.RDI];
    args[1] = cpu.r[Cpu.RSI];
    args[2] = cpu.r[Cpu.RDX];
    args[3] = cpu.r[Cpu.R10];
    args[4] = cpu.r[Cpu.R8];
    args[5] = 0;
    continued = false;
    vcpu.rest = null;
    long result = xen.hypercalls.call(vcpu, number, args);
    if (vcpu.rest != null) {
      continueHypercall((int) number, vcpu.rest);
    }
    if (!continued) {
      cpu.r[Cpu.RAX] = result;
    }
    takeProtectionFault();
  }

  /** What a hypercall, or a store that Xen carried out, brings the guest besides its result. */
  private void takeProtectionFault() {
    if (vcpu.protectionFault) {
      vcpu.protectionFault = false;
      entry.inject(Fault.GP, 0);
    }
  }

  /** Executes its SYSCALL again. */
  @Override
  public void continueHypercall(int number, long... arguments) {
    continued = true;
    cpu.rip -= 2;
    cpu.r[Cpu.RAX] = number;
    int[] registers = {Cpu.RDI, Cpu.RSI, Cpu.RDX, Cpu.R10, Cpu.R8};
    for (int n = 0; n < arguments.length; n++) {
      cpu.r[registers[n]] = arguments[n];
    }
  }

  private void exception(int vector, int errorCode, long address) {
    pv.viaSysret = false;
    switch (vector) {
      case Fault.PF -> pageFault(errorCode, address);
      case Fault.GP -> {
        if (errorCode == 0 && operations.generalProtection() == PrivilegedOps.Result.DONE) {
          count(Reason.PRIVILEGED_INSTRUCTION);
        } else {
          if (errorCode == 0) {
            breaches.generalProtection();
          }
          reflect(vector, errorCode, 0);
        }
      }
      case Fault.UD -> {
        if (operations.invalidOpcode() == PrivilegedOps.Result.DONE) {
          count(Reason.FORCED_EMULATION);
        } else {
          reflect(vector, Fault.NO_ERROR_CODE, 0);
        }
      }
      case Fault.NM -> {
        // Xen clears TS whenever it reports that it was set.
        operations.taskSwitched(false);
        reflect(vector, Fault.NO_ERROR_CODE, 0);
      }
      default -> reflect(vector, errorCode, address);
    }
  }

  /** The exception is the guest's own. */
  private void reflect(int vector, int errorCode, long address) {
    count(Reason.EXCEPTION);
    entry.inject(vector, errorCode, address);
  }

  /** A store to a page table may be carried out (fixup_page_fault); all else is the guest's. */
  private void pageFault(int errorCode, long va) {
    int kind = Fault.PF_PRESENT | Fault.PF_WRITE | Fault.PF_RESERVED | Fault.PF_FETCH;
    if (vcpu.kernelMode && (errorCode & kind) == (Fault.PF_PRESENT | Fault.PF_WRITE) && GuestAccess.accessible(va, 1)) {
      switch (xen.mmu.writableTables().emulate(vcpu, va)) {
        case null -> reflectPageFault(errorCode, va);
        case Exit.Exception e -> reflect(e.vector(), e.errorCode(), e.address());
        case Exit.Budget b -> {
          count(Reason.PAGE_TABLE_WRITE);
          takeProtectionFault();
        }
        case Exit other -> handle(other);
      }
      return;
    }
    reflectPageFault(errorCode, va);
  }

  private void reflectPageFault(int errorCode, long va) {
    breaches.pageFault(errorCode, va);
    reflect(Fault.PF, errorCode, va);
  }

  /** INT n: all gates of the real IDT but three refuse, and Xen looks at the guest's own table (do_general_protection). */
  private void softwareInterrupt(int vector, int length) {
    pv.viaSysret = false;
    if (vector == Fault.BP || vector == Fault.OF) {
      cpu.rip += length;
      entry.inject(vector, Fault.NO_ERROR_CODE);
      return;
    }
    if (vector != 0x80) {
      markFault();
    }
    boolean allowed = vector == 0x80
        ? pv.trapAddress[vector] != 0 || permitted(vector)
        : permitted(vector);
    if (allowed) {
      cpu.rip += length;
      entry.injectSoftwareInterrupt(vector);
    } else {
      entry.inject(Fault.GP, vector << 3 | 2);
    }
  }

  /** A fault's frame has RF set, so that the instruction's breakpoint does not strike again (AMD64 APM volume 2, section 8.1.4). */
  private void markFault() {
    cpu.setRflags(cpu.rflags() | Cpu.RF);
  }

  private boolean permitted(int vector) {
    return (pv.trapFlags[vector] & 3) >= (vcpu.kernelMode ? 1 : 3);
  }
}
