package org.xenolith.xen;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Function;
import org.xenolith.xen.event.EventChannels;

/** A domain: a guest whose kernel Xen runs in ring 3 (PV), or one in a hardware container (PVH). */
public final class Domain {
  /** Reasons of a shutdown (public header sched.h), and {@link #RUNNING}. */
  public static final int RUNNING = -1, SHUTDOWN_POWEROFF = 0, SHUTDOWN_REBOOT = 1, SHUTDOWN_SUSPEND = 2, SHUTDOWN_CRASH = 3;

  public static final int SHUTDOWN_WATCHDOG = 4, SHUTDOWN_SOFT_RESET = 5;

  /** Bits of {@link #assists} (public header xen.h, VMASST_TYPE_*). */
  public static final long ASSIST_4GB_SEGMENTS = 1, ASSIST_WRITABLE_PAGETABLES = 1 << 2, ASSIST_ARCHITECTURAL_IOPL = 1 << 4;

  public static final long ASSIST_PAE_EXTENDED_CR3 = 1 << 3, ASSIST_RUNSTATE_UPDATE_FLAG = 1 << 5, ASSIST_M2P_STRICT = 1L << 32;

  /** What a 64-bit PV guest may switch on (asm-x86/config.h, NATIVE_VM_ASSIST_VALID). */
  public static final long ASSISTS_VALID = ASSIST_4GB_SEGMENTS | 1 << 1 | ASSIST_WRITABLE_PAGETABLES | ASSIST_PAE_EXTENDED_CR3
      | ASSIST_ARCHITECTURAL_IOPL | ASSIST_RUNSTATE_UPDATE_FLAG | ASSIST_M2P_STRICT;

  public final Hypervisor xen;
  public final int id;
  public final List<Vcpu> vcpus = new ArrayList<>();
  private final boolean container;

  /** Frame of struct shared_info. */
  public long sharedInfoMfn;

  /** Bits set by vm_assist, see {@link #ASSIST_4GB_SEGMENTS} and the rest. */
  public long assists;

  /** Frames that the domain owns now, and may own at most. */
  public long totalPages, maxPages;

  /** Whether registers that the processor has and Xen does not answer for read as 0 and swallow what is written. */
  public boolean msrRelaxed;

  /** What XENMEM_memory_map answers: entries of 20 bytes, each address, size and type (E820); empty: none set. */
  public byte[] memoryMap = {};

  /** Its name for ever, in XENVER_guest_handle and in the store (xen_domain_handle_t). */
  public UUID handle = new UUID(0, 0);

  /** How frames that it names are found and kept. */
  public final GuestFrames frames;

  /** Its event channels. */
  public EventChannels channels;

  /** {@link #RUNNING} or the reason for which it shut down. */
  public int shutdown = RUNNING;

  /** What SCHEDOP_shutdown_code announced for a later shutdown, or -1. */
  public int shutdownCode = -1;

  /** Why it crashed, in one line, or null. */
  public String crashReason;

  /** Makes a PV domain. */
  public Domain(Hypervisor xen, int id) {
    this.xen = xen;
    this.id = id;
    this.container = false;
    this.frames = GuestFrames.ofPv(this);
  }

  /**
   * Makes a domain in a hardware container.
   *
   * @param frames makes what translates its frame numbers
   */
  public Domain(Hypervisor xen, int id, Function<Domain, GuestFrames> frames) {
    this.xen = xen;
    this.id = id;
    this.container = true;
    this.frames = frames.apply(this);
  }

  /** Whether it runs in a hardware container and its frame numbers are translated (is_hvm_domain, paging_mode_translate). */
  public boolean isContainer() {
    return container;
  }

  /** What vm_assist may switch on (arch_vm_assist_valid_mask). */
  public long validAssists() {
    return container ? ASSIST_RUNSTATE_UPDATE_FLAG : ASSISTS_VALID;
  }

  /** Ends the domain for something it did (domain_crash): never returns to the guest. The first reason stays. */
  public void crash(String reason) {
    if (shutdown == RUNNING) {
      shutdown = SHUTDOWN_CRASH;
      crashReason = reason;
    }
  }

  /** Machine address of struct shared_info. */
  public long sharedInfoPa() {
    return sharedInfoMfn << 12;
  }

  /** Tells vcpus that poll for a port of an event on it (evtchn_check_pollers, common/event_channel.c). */
  public void checkPollers(int port) {
    for (Vcpu v : vcpus) {
      v.eventWhilePolling(port);
    }
  }
}
