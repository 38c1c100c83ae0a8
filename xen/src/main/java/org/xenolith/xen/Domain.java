package org.xenolith.xen;

import java.util.ArrayList;
import java.util.List;

/** A PV domain. */
public final class Domain {
  /** Reasons of a shutdown (public header sched.h), and {@link #RUNNING}. */
  public static final int RUNNING = -1, SHUTDOWN_POWEROFF = 0, SHUTDOWN_REBOOT = 1, SHUTDOWN_SUSPEND = 2, SHUTDOWN_CRASH = 3;

  public final Hypervisor xen;
  public final int id;
  public final List<Vcpu> vcpus = new ArrayList<>();

  /** Frame of struct shared_info. */
  public long sharedInfoMfn;

  /** Bits set by vm_assist, VMASST_TYPE_* numbers. */
  public int assists;

  /** Frames that the domain owns now, and may own at most. */
  public long totalPages, maxPages;

  /** {@link #RUNNING} or the reason for which it shut down. */
  public int shutdown = RUNNING;

  /** Why it crashed, in one line, or null. */
  public String crashReason;

  public Domain(Hypervisor xen, int id) {
    this.xen = xen;
    this.id = id;
  }

  /** Ends the domain for something it did (domain_crash): never returns to the guest. The first reason stays. */
  public void crash(String reason) {
    if (shutdown == RUNNING) {
      shutdown = SHUTDOWN_CRASH;
      crashReason = reason;
    }
  }
}
