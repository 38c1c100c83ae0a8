package org.xenolith.xen.pvh;

import java.util.List;
import org.xenolith.xen.Vcpu;

/**
 * How a container's vcpus are interrupted for pending events (arch/x86/hvm/irq.c: hvm_assert_evtchn_irq, hvm_set_callback_via,
 * hvm_vcpu_has_pending_irq): each vcpu by a vector of its own through its local APIC, else all by one vector that bypasses it.
 */
final class EventInterrupts {
  /** The type of HVM_PARAM_CALLBACK_IRQ that is a vector. The others are lines of an I/O APIC, which a container has not. */
  private static final int TYPE_VECTOR = 2;

  private final List<PvhVcpu> vcpus;
  private final int[] vectors;
  private int callback = -1;

  /** @param vcpus all of the domain's, to be filled in by the caller */
  EventInterrupts(List<PvhVcpu> vcpus, int count) {
    this.vcpus = vcpus;
    this.vectors = new int[count];
  }

  /** HVM_PARAM_CALLBACK_IRQ was set. */
  void setCallback(long via) {
    int type = (int) (via >>> 56);
    if (type != TYPE_VECTOR) {
      return;
    }
    callback = (int) via & 0xff;
    for (PvhVcpu v : vcpus) {
      if (v.vcpu.state != Vcpu.State.DOWN) {
        v.eventsPending();
      }
    }
  }

  /** HVMOP_set_evtchn_upcall_vector. Xen interrupts at once, whether or not an event is pending. */
  void setVector(Vcpu vcpu, int vector) {
    vectors[vcpu.id] = vector;
    vcpus.get(vcpu.id).eventsPending();
  }

  /** A vcpu's own vector, or 0. */
  int vector(int vcpu) {
    return vectors[vcpu];
  }

  /** The vector for a vcpu that bypasses its local APIC, if events are pending there; else -1. */
  int direct(Vcpu vcpu) {
    return callback >= 0 && vcpu.eventsPending() ? callback : -1;
  }
}
