package org.xenolith.xen.event;

import org.xenolith.xen.Vcpu;

/** How pending ports are shown to the guest (struct evtchn_port_ops): one of the two event channel ABIs. */
interface Delivery {
  void setPending(Vcpu vcpu, Channel channel);

  void clearPending(Channel channel);

  void unmask(Vcpu vcpu, Channel channel);

  boolean isPending(Channel channel);

  boolean isMasked(Channel channel);

  /** Whether the guest's own structures still hold on to the port, so that it must not be bound anew. */
  boolean isBusy(Channel channel);

  /** Ports that the ABI can have. */
  int capacity();
}
