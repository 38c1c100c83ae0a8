package org.xenolith.xen.event;

/** One port of a domain (struct evtchn). */
final class Channel {
  enum State {
    FREE,
    RESERVED,
    UNBOUND,
    INTERDOMAIN,
    VIRQ,
    IPI
  }

  final int port;
  State state = State.FREE;

  /** The vcpu that is told. */
  int vcpu;

  /** {@link State#UNBOUND}: who may bind the other end. {@link State#INTERDOMAIN}: who holds it. */
  int remoteDomid;

  /** {@link State#INTERDOMAIN}: the port at the other end. */
  int remotePort;

  /** {@link State#VIRQ}: the virtual interrupt's number. */
  int virq;

  /** FIFO: the queue for events from now on, and the queue on which it was linked last. */
  int priority;

  int lastPriority;
  int lastVcpu;

  /** FIFO: raised while its event word had no page yet. */
  boolean pendingWithoutWord;

  Channel(int port) {
    this.port = port;
  }

  /** Whether events may be raised on it (evtchn_usable). */
  boolean usable() {
    return state != State.FREE && state != State.RESERVED;
  }
}
