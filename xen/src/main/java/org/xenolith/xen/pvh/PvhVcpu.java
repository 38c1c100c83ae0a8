package org.xenolith.xen.pvh;

import java.util.Locale;
import java.util.Map;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.CpuMode;
import org.xenolith.machine.Board;
import org.xenolith.machine.Processor;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.VcpuRunner;
import org.xenolith.xen.time.TimeKeeper;

/**
 * Runs one vcpu of a container: what a processor's runner does, and what Xen does at the exits of a guest that SVM carries
 * (svm_vmexit_handler, arch/x86/hvm/svm/svm.c).
 */
public final class PvhVcpu extends Processor implements VcpuRunner {
  public final Vcpu vcpu;

  private static final int VMMCALL_LENGTH = 3;

  private final Domain domain;
  private final EventInterrupts interrupts;
  private final ContainerMsrs msrs;
  private final long[] args = new long[6];
  private final int[] argumentRegisters64 = {Cpu.RDI, Cpu.RSI, Cpu.RDX, Cpu.R10, Cpu.R8, Cpu.R9};
  private final int[] argumentRegisters32 = {Cpu.RBX, Cpu.RCX, Cpu.RDX, Cpu.RSI, Cpu.RDI, Cpu.RBP};
  private final P2m p2m;
  private final Scratch scratch;
  private DiscardedStore discarding;
  private boolean continued;
  private boolean apicLine;

  /** Exits that a processor with SVM would make and ours answers inside an instruction. */
  private long ports, msrReads, msrWrites, apicAccesses, emulatedAccesses, crAccesses, drAccesses, cacheFlushes;

  PvhVcpu(int id, Domain domain, ProcessorModel model, Board board, P2m p2m, Scratch scratch, EventInterrupts interrupts) {
    super(id, ContainerCpuid.apicId(id), model, board);
    this.domain = domain;
    this.interrupts = interrupts;
    this.msrs = new ContainerMsrs(domain, cpu);
    this.p2m = p2m;
    this.scratch = scratch;
    cpu.hypercalls = true;
    cpu.secondStage = p2m;
    vcpu = new Vcpu(domain, id, cpu);
    vcpu.runner = this;
  }

  // ---- Turns and states ----

  @Override
  public void begin() {
    vcpu.time.stopPoll();
    vcpu.time.enter(TimeKeeper.RUNNING);
  }

  @Override
  public void end() {
    vcpu.time.enter(switch (state()) {
      case RUNNING -> TimeKeeper.RUNNABLE;
      case HALTED -> TimeKeeper.BLOCKED;
      case WAITING, SHUTDOWN -> TimeKeeper.OFFLINE;
    });
  }

  @Override
  protected void stateChanged() {
    Vcpu.State before = vcpu.state;
    vcpu.state = switch (state()) {
      case RUNNING -> Vcpu.State.RUNNABLE;
      case HALTED -> Vcpu.State.BLOCKED;
      case WAITING, SHUTDOWN -> Vcpu.State.DOWN;
    };
    if (before == Vcpu.State.DOWN && vcpu.state == Vcpu.State.RUNNABLE) {
      // Brought up by a startup interrupt.
      vcpu.initialised = true;
      vcpu.time.enter(TimeKeeper.RUNNABLE);
    }
  }

  /** Awake are also those that a call or a poll's time-out woke, with nothing to be interrupted for. */
  @Override
  protected boolean wakes() {
    return vcpu.state == Vcpu.State.RUNNABLE || super.wakes();
  }

  /** HLT with interrupts disabled is how a vcpu goes down (hvm_hlt, hvm_vcpu_down); when the last does, the domain powers off. */
  @Override
  protected void halted() {
    if ((cpu.eflags & Cpu.IF) != 0) {
      halt();
      return;
    }
    takeDown();
    if (domain.vcpus.stream().allMatch(v -> v.state == Vcpu.State.DOWN)) {
      domain.shutdown = domain.shutdown == Domain.RUNNING ? Domain.SHUTDOWN_POWEROFF : domain.shutdown;
    }
  }

  /** Only a vcpu without a state takes one from a startup interrupt (hvm_vcpu_reset_state), not one that VCPUOP_down took down. */
  @Override
  protected boolean awaitsStartup() {
    return !vcpu.initialised;
  }

  @Override
  protected void initialised() {
    vcpu.initialised = false;
  }

  /** One instruction while a store is discarded. */
  @Override
  protected long limit() {
    if (discarding == null) {
      return Long.MAX_VALUE;
    }
    if (discarding.begin()) {
      return board.clock().now + 1;
    }
    discarding = null;
    cpu.secondStage = p2m;
    cpu.mmu.flushAll();
    return Long.MAX_VALUE;
  }

  // ---- Hypercalls ----

  @Override
  protected void hypercall() {
    boolean wide = cpu.mode == CpuMode.LONG64;
    if (cpu.cpl != 0) {
      result(wide, -Errno.EPERM);
      return;
    }
    int[] registers = wide ? argumentRegisters64 : argumentRegisters32;
    for (int n = 0; n < args.length; n++) {
      args[n] = wide ? cpu.r[registers[n]] : cpu.r[registers[n]] & 0xffff_ffffL;
    }
    long number = wide ? cpu.r[Cpu.RAX] : cpu.r[Cpu.RAX] & 0xffff_ffffL;
    continued = false;
    vcpu.rest = null;
    vcpu.yielded = false;
    long result = wide || NarrowCalls.sameAsWide(number, args)
        ? domain.xen.hypercalls.call(vcpu, number, args)
        : domain.xen.unimplemented(Hypercalls.name(number) + " " + args[0] + " from 32-bit code in a container");
    if (vcpu.rest != null) {
      continueHypercall((int) number, vcpu.rest);
    }
    if (!continued) {
      result(wide, result);
    }
    follow();
  }

  private void result(boolean wide, long result) {
    cpu.r[Cpu.RAX] = wide ? result : result & 0xffff_ffffL;
  }

  /** What a call made of this vcpu. */
  private void follow() {
    switch (vcpu.state) {
      case RUNNABLE -> {}
      case BLOCKED -> halt();
      case DOWN -> takeDown();
    }
    if (vcpu.yielded || domain.shutdown != Domain.RUNNING || domain.xen.unimplemented != null) {
      this.yield();
    }
  }

  @Override
  public void continueHypercall(int number, long... arguments) {
    continued = true;
    cpu.rip -= VMMCALL_LENGTH;
    cpu.r[Cpu.RAX] = number;
    int[] registers = cpu.mode == CpuMode.LONG64 ? argumentRegisters64 : argumentRegisters32;
    for (int n = 0; n < arguments.length; n++) {
      cpu.r[registers[n]] = arguments[n];
    }
  }

  @Override
  public long initialise(Vcpu caller, long va) {
    long rc = new VcpuContext().load(caller.cpu, va, cpu);
    if (rc == 0) {
      vcpu.initialised = true;
    }
    return rc;
  }

  @Override
  public void upOrDown() {
    if (vcpu.state == Vcpu.State.DOWN) {
      takeDown();
    } else {
      start();
    }
  }

  @Override
  public void sendNmi() {
    cpu.interrupts.pendNmi();
    vcpu.wake();
  }

  /** A container's kernel has its own page tables loaded, or the access fails as it does there. */
  @Override
  public void inKernelSpace(Runnable access) {
    access.run();
  }

  // ---- Interrupts ----

  @Override
  public void eventsPending() {
    int vector = interrupts.vector(id);
    if (vector != 0) {
      apic.pend(vector);
    } else {
      lines();
    }
    if (apicLine || interrupts.direct(vcpu) >= 0) {
      // Also from a poll with interrupts disabled (vcpu_kick, vcpu_unblock).
      vcpu.wake();
    }
  }

  /** What came before was lost; what is still pending interrupts now (vlapic_reg_write, APIC_SPIV). */
  @Override
  protected void apicEnabled() {
    if (interrupts.vector(id) != 0 && vcpu.eventsPending()) {
      apic.pend(interrupts.vector(id));
    }
  }

  @Override
  public boolean eventsNeedDelivery() {
    lines();
    return cpu.interrupts.pending();
  }

  @Override
  protected void interruptLine(boolean asserted) {
    apicLine = asserted;
    lines();
  }

  private void lines() {
    cpu.interrupts.assertLine(apicLine || vcpu != null && interrupts.direct(vcpu) >= 0);
  }

  /** The vector for events comes first. The guest takes the event away by clearing its flag; then there may be nothing left. */
  @Override
  protected int acknowledge() {
    int direct = interrupts.direct(vcpu);
    if (direct >= 0) {
      return direct;
    }
    if (!apicLine) {
      lines();
      return -1;
    }
    return super.acknowledge();
  }

  // ---- What the guest sees around it ----

  @Override
  public long in(int port, int size) {
    ports++;
    return super.in(port, size);
  }

  @Override
  public void out(int port, int size, long value) {
    ports++;
    super.out(port, size, value);
  }

  @Override
  protected void busAccess(boolean toApic) {
    if (toApic) {
      apicAccesses++;
    } else {
      emulatedAccesses++;
    }
  }

  @Override
  public boolean readMsr(int msr, long[] value) {
    if (msrs.read(msr, value) || super.readMsr(msr, value)) {
      return true;
    }
    value[0] = 0;
    return relaxed(msr);
  }

  @Override
  public boolean writeMsr(int msr, long value) {
    return switch (msrs.write(msr, value)) {
      case DONE -> true;
      case REFUSED -> false;
      case ELSEWHERE -> super.writeMsr(msr, value) || relaxed(msr);
    };
  }

  /** Nobody answers for a register; xl's msr_relaxed lets the guest believe that it is 0. */
  private boolean relaxed(int msr) {
    return domain.msrRelaxed && hidesMsr(msr) && cpu.msrs.hasData(msr);
  }

  @Override
  public boolean hidesMsr(int msr) {
    return !ContainerMsrs.ofProcessor(msr);
  }

  @Override
  public void privileged(Privileged what, int number) {
    switch (what) {
      // Only CR0 and CR4: nested paging needs no others.
      case CONTROL_REGISTER -> crAccesses += number == 0 || number == 4 ? 1 : 0;
      case DEBUG_REGISTER -> drAccesses++;
      case READ_MSR -> msrReads += ContainerMsrs.intercepted(number) ? 1 : 0;
      case WRITE_MSR -> msrWrites += ContainerMsrs.intercepted(number) ? 1 : 0;
      case CACHE_FLUSH -> cacheFlushes++;
    }
  }

  /**
   * A store to a grant that is mapped read-only is carried out and has no effect (hvm_hap_nested_page_fault, p2m_is_discard_write): the
   * instruction runs on a copy of the frame. All else is a mistake that Xen crashes a domain for.
   */
  @Override
  protected void secondStageViolation(Exit.SecondStageViolation violation) {
    long gfn = violation.gpa() >>> GuestMemory.FRAME_SHIFT;
    if (violation.access() == Mmu.WRITE && p2m.kind(gfn) == P2m.Kind.GRANT_READ_ONLY) {
      discarding = new DiscardedStore(p2m, gfn, scratch.frameOf(p2m.mfn(gfn)));
      cpu.secondStage = discarding;
      cpu.mmu.flushAll();
      return;
    }
    domain.crash("access %d to guest-physical 0x%x, which the second stage forbids".formatted(violation.access(), violation.gpa()));
    this.yield();
  }

  /**
   * Adds to a map by name how often a processor with SVM would have left the guest, without AVIC: exceptions it delivers itself, and for an
   * interrupt Xen must have the guest left to inject it.
   */
  void addExits(Map<String, Long> map) {
    for (Reason reason : new Reason[] {Reason.INTERRUPT, Reason.NMI, Reason.HALT, Reason.HYPERCALL, Reason.SECOND_STAGE}) {
      add(map, reason.name().toLowerCase(Locale.ROOT).replace('_', '-'), exits(reason));
    }
    add(map, "io", ports);
    add(map, "msr-read", msrReads);
    add(map, "msr-write", msrWrites);
    add(map, "apic-access", apicAccesses);
    add(map, "cr-access", crAccesses);
    add(map, "dr-access", drAccesses);
    add(map, "wbinvd", cacheFlushes);
    add(map, "emulated-access", emulatedAccesses);
  }

  private static void add(Map<String, Long> map, String name, long count) {
    if (count != 0) {
      map.merge(name, count, Long::sum);
    }
  }
}
