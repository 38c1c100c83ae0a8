package org.xenolith.xen;

import org.xenolith.machine.Scheduler;

/** What runs a vcpu's guest, the PV interface or a hardware container: what the hypercalls that both have ask of it. */
public interface VcpuRunner extends Scheduler.Runner {
  /**
   * VCPUOP_initialise: gives the vcpu, which has no state yet, one to start with.
   *
   * @param caller the vcpu that asks
   * @param va linear address of the structure in the caller's memory
   * @return 0 or a negated {@link Errno}
   */
  long initialise(Vcpu caller, long va);

  /** The vcpu was brought up or down. */
  default void upOrDown() {}

  /** Has an NMI delivered. */
  void sendNmi();

  /** The vcpu's pending flag has just been set: has the guest told, and wakes the vcpu if it is blocked. */
  void eventsPending();

  /** Whether an event would be delivered at once if the guest went on: nobody blocks then (local_events_need_delivery). */
  boolean eventsNeedDelivery();

  /** Has the rest of a hypercall done by issuing it again, after events were looked at (hypercall_create_continuation). */
  void continueHypercall(int number, long... arguments);

  /** Runs an access to memory that the guest's kernel named by linear address: whichever mode runs, the kernel's page tables count. */
  void inKernelSpace(Runnable access);
}
