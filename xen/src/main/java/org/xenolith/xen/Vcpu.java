package org.xenolith.xen;

import org.xenolith.cpu.Cpu;
import org.xenolith.xen.pv.PvState;
import org.xenolith.xen.time.TimeKeeper;

/** A virtual processor: the processor that carries it and the state that Xen keeps for it (struct vcpu, struct pv_vcpu). */
public final class Vcpu {
  /** What a vcpu does: runs or waits for its turn; blocked until an event; not brought up (VCPUOP_down). */
  public enum State {
    RUNNABLE,
    BLOCKED,
    DOWN
  }

  /** Offsets in struct vcpu_info (public header xen.h). */
  public static final int UPCALL_PENDING = 0, UPCALL_MASK = 1, PENDING_SEL = 8, ARCH_CR2 = 16, TIME = 32, VCPU_INFO_SIZE = 64;

  public final Domain domain;
  public final int id;
  public final Cpu cpu;

  /** Its timers, its clocks in memory, and the times spent in each run state. */
  public final TimeKeeper time;

  /** What runs its guest; set once, by the runner itself. */
  public VcpuRunner runner;

  /** The state of the PV interface: handlers, callbacks, virtual control registers. Null in a hardware container. */
  public final PvState pv;

  /** Whether the guest kernel (not guest user space) runs: both are in ring 3, on two page-table roots (TF_kernel_mode). */
  public boolean kernelMode = true;

  /** Roots: frames of type L4; the user root is 0 until NEW_USER_BASEPTR sets it. */
  public long kernelRootMfn, userRootMfn;

  /** Machine address of this vcpu's struct vcpu_info. 0: none; events to it are lost (Xen's dummy_vcpu_info). */
  public long vcpuInfoPa;

  /** Frames of the guest's GDT (0: none), at most 14, and its size in entries. */
  public final long[] gdtMfns = new long[16];

  public int gdtEntries;

  /** Linear base and entries of the guest's LDT. */
  public long ldtBase;

  public int ldtEntries;

  /** Frames of the LDT's pages that have been used since it was set (0: not yet), each of type seg_desc. */
  public final long[] ldtMfns = new long[16];

  /**
   * Arguments with which the hypercall that just returned is to be issued again, to do the rest of a long piece of work after events and
   * limits were looked at (hypercall_create_continuation); null: it is done.
   */
  public long[] rest;

  /** Whether Xen, answering a hypercall, wants the guest to take a #GP after it (pv_inject_hw_exception). */
  public boolean protectionFault;

  /** When its TLB was last flushed whole, by the PV MMU's count of such flushes. */
  public long tlbFlushed;

  /** Runs, waits for an event, or is down. */
  public State state = State.DOWN;

  /** Whether VCPUOP_initialise (or the domain builder) gave it a state to start with. */
  public boolean initialised;

  /** While blocked in SCHEDOP_poll: -1 not polling, 0 polling several ports, else the port (Xen's poll_evtchn). */
  public int pollPort = -1;

  /** Whether VCPUOP_register_vcpu_info moved the vcpu_info: only once. */
  public boolean vcpuInfoRegistered;

  /** Whether it gives up the rest of its turn (SCHEDOP_yield); its runner takes note. */
  public boolean yielded;

  public Vcpu(Domain domain, int id, Cpu cpu) {
    this.domain = domain;
    this.id = id;
    this.cpu = cpu;
    this.time = new TimeKeeper(this);
    this.pv = domain.isContainer() ? null : new PvState();
  }

  /** The root that the processor should use now. */
  public long rootMfn() {
    return kernelMode ? kernelRootMfn : userRootMfn;
  }

  /** Whether events are masked (vcpu_info.evtchn_upcall_mask). */
  public boolean eventsMasked() {
    return vcpuInfoPa == 0 || cpu.memory.readByte(vcpuInfoPa + UPCALL_MASK) != 0;
  }

  /** Whether an event is pending (vcpu_info.evtchn_upcall_pending). */
  public boolean eventsPending() {
    return vcpuInfoPa != 0 && cpu.memory.readByte(vcpuInfoPa + UPCALL_PENDING) != 0;
  }

  /** Notes that an event is pending, and has the guest told unless it was before (vcpu_mark_events_pending, asm-x86/event.c). */
  public void markEventsPending() {
    if (vcpuInfoPa != 0 && !eventsPending()) {
      cpu.memory.writeByte(vcpuInfoPa + UPCALL_PENDING, (byte) 1);
      if (runner == null) {
        wake();
      } else {
        runner.eventsPending();
      }
    }
  }

  /** Ends a block (vcpu_unblock, common/sched/core.c). */
  public void wake() {
    if (state == State.BLOCKED) {
      state = State.RUNNABLE;
      pollPort = -1;
    }
  }

  void eventWhilePolling(int port) {
    if (state == State.BLOCKED && pollPort >= 0 && (pollPort == 0 || pollPort == port)) {
      wake();
    }
  }
}
