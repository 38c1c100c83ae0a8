package org.xenolith.xen.event;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestFrames;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.event.Channel.State;

/**
 * The event channels of a domain and the event_channel_op hypercall (Xen's event_channel.c). The other ends are in the domain itself, or in
 * domain 0, whose programs are Java here: see {@link #connect}.
 */
public final class EventChannels {
  /** Virtual interrupts (public header xen.h) that a guest without privilege may bind. */
  public static final int VIRQ_TIMER = 0, VIRQ_DEBUG = 1, VIRQ_XENOPROF = 7, VIRQ_ARGO = 11, VIRQ_XENPMU = 13;

  /** Virtual interrupts that have a number (NR_VIRQS). */
  private static final int VIRQS = 24;

  private static final int DOMID_0 = 0, DOMID_SELF = 0x7ff0;

  /** The highest port that a domain may have, as a toolstack sets it for a guest (libxl's event_channels). */
  private static final int MAX_PORT = 1023;

  /** Ports are made in groups of this many (EVTCHNS_PER_BUCKET): seen by EVTCHNOP_status, which knows a closed port from none. */
  private static final int BUCKET = 64;

  /** Interrupt lines that Xen lets a domU without devices name: 24 of an IO-APIC and 32 more (nr_static_irqs, extra_domU_irqs). */
  private static final int PIRQS = 56;

  private static final int STATUS_CLOSED = 0, STATUS_UNBOUND = 1, STATUS_INTERDOMAIN = 2, STATUS_VIRQ = 4, STATUS_IPI = 5;

  /** A port of domain 0: the guest's port at first and now, or 0 while the guest's end is closed, and what runs when the guest sends. */
  private static final class Dom0Port {
    final int firstGuestPort;
    int guestPort;
    final Runnable onEvent;

    Dom0Port(int guestPort, Runnable onEvent) {
      this.firstGuestPort = guestPort;
      this.guestPort = guestPort;
      this.onEvent = onEvent;
    }
  }

  private final Domain domain;
  private final GuestFrames frames;
  private final List<Channel> channels = new ArrayList<>();
  private final List<Dom0Port> dom0Ports = new ArrayList<>();
  private final List<int[]> virqPorts = new ArrayList<>();
  private Delivery delivery;
  private Fifo fifo;

  /** The argument structure of the call in hand. */
  private final byte[] raw = new byte[24];

  private final ByteBuffer arg = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);

  /**
   * @param frames who keeps the guest's frames that hold FIFO structures
   */
  public EventChannels(Domain domain, GuestFrames frames) {
    this.domain = domain;
    this.frames = frames;
    this.delivery = new TwoLevel(domain);
    addBucket();
    channels.getFirst().state = State.RESERVED;
    // Domain 0's port 0 is reserved as well.
    dom0Ports.add(new Dom0Port(0, () -> {}));
  }

  // ---- For the rest of Xen ----

  /**
   * Binds a new port of the guest to a program in domain 0, as the toolstack and the program do together (alloc_unbound by the one,
   * bind_interdomain by the other). Ports count from 1.
   *
   * @param onEvent runs within the guest's hypercall when the guest sends
   * @return the guest's port
   */
  public int connect(Runnable onEvent) {
    int port = freePort();
    if (port < 0) {
      throw new IllegalStateException("no event channel left for domain 0's programs");
    }
    Channel channel = channel(port);
    channel.state = State.INTERDOMAIN;
    channel.remoteDomid = DOMID_0;
    channel.remotePort = dom0Ports.size();
    dom0Ports.add(new Dom0Port(port, onEvent));
    return port;
  }

  /**
   * Raises an event on the guest's end of a connection, which the guest may have closed (then it is dropped) and bound to another port.
   *
   * @param port what {@link #connect} returned
   */
  public void notify(int port) {
    for (Dom0Port end : dom0Ports) {
      if (end.firstGuestPort == port && end.guestPort != 0) {
        raise(channel(end.guestPort));
      }
    }
  }

  /** Raises a virtual interrupt if the guest has bound it. */
  public void raiseVirq(Vcpu vcpu, int virq) {
    int port = virqPorts(perVcpu(virq) ? vcpu.id : 0)[virq];
    if (port != 0) {
      raise(channel(port));
    }
  }

  /** Whether the guest has bound a virtual interrupt. */
  public boolean virqBound(Vcpu vcpu, int virq) {
    return virqPorts(perVcpu(virq) ? vcpu.id : 0)[virq] != 0;
  }

  /** Whether the domain has a port of this number, bound or closed; SCHEDOP_poll refuses others. */
  public boolean valid(int port) {
    return port >= 0 && port < channels.size();
  }

  /** Whether an event is pending on a {@link #valid} port. */
  public boolean pending(int port) {
    Channel channel = channel(port);
    return channel.usable() && delivery.isPending(channel);
  }

  /** Makes everything look pending to a vcpu whose vcpu_info was moved, so that nothing is lost (Xen's map_guest_area). */
  public void vcpuInfoMoved(Vcpu vcpu) {
    domain.xen.memory.writeLong(vcpu.vcpuInfoPa + Vcpu.PENDING_SEL, -1L);
    vcpu.markEventsPending();
  }

  // ---- For the two ABIs ----

  Channel channel(int port) {
    return channels.get(port);
  }

  /** Tells of each page of the guest's that holds FIFO structures. */
  void forEachFrame(LongConsumer teller) {
    if (fifo != null) {
      fifo.forEachFrame(teller);
    }
  }

  void raise(Channel channel) {
    if (channel.usable()) {
      delivery.setPending(domain.vcpus.get(channel.vcpu), channel);
    }
  }

  // ---- The hypercall ----

  /** event_channel_op: args[0] is the operation, args[1] the address of its structure. */
  public long call(Vcpu vcpu, long[] args) {
    int operation = (int) args[0];
    int size = argumentSize(operation);
    if (size < 0) {
      return -Errno.ENOSYS;
    }
    long va = args[1];
    if (!GuestAccess.copyIn(vcpu.cpu, va, raw, 0, size)) {
      return -Errno.EFAULT;
    }
    int result = operate(operation);
    if (result == 0 && answers(operation) && !GuestAccess.copyOut(vcpu.cpu, va, raw, 0, size)) {
      return -Errno.EFAULT;
    }
    return result;
  }

  /** EVTCHNOP_* (public header event_channel.h) and the sizes of their structures; -1 for what Xen does not know. */
  private static int argumentSize(int operation) {
    return switch (operation) {
      case 0, 1, 2 -> 12; // bind_interdomain, bind_virq, bind_pirq
      case 3, 4, 9 -> 4; // close, send, unmask
      case 5 -> 24; // status
      case 6, 7, 8 -> 8; // alloc_unbound, bind_ipi, bind_vcpu
      case 10, 14 -> 2; // reset and its continuation
      case 11 -> 24; // init_control
      case 12, 13 -> 8; // expand_array, set_priority
      default -> -1;
    };
  }

  private static boolean answers(int operation) {
    return switch (operation) {
      case 0, 1, 2, 5, 6, 7, 11 -> true;
      default -> false;
    };
  }

  private int operate(int operation) {
    return switch (operation) {
      case 0 -> bindInterdomain(domid(0), arg.getInt(4));
      case 1 -> bindVirq(arg.getInt(0), arg.getInt(4));
      case 2 -> Integer.compareUnsigned(arg.getInt(0), PIRQS) >= 0 ? -Errno.EINVAL : -Errno.EPERM;
      case 3 -> close(arg.getInt(0));
      case 4 -> send(arg.getInt(0));
      case 5 -> status(domid(0), arg.getInt(4));
      case 6 -> allocateUnbound(domid(0), domid(2));
      case 7 -> bindIpi(arg.getInt(0));
      case 8 -> bindVcpu(arg.getInt(0), arg.getInt(4));
      case 9 -> unmask(arg.getInt(0));
      case 10 -> reset(domid(0));
      case 11 -> initControl(arg.getLong(0), arg.getInt(8), arg.getInt(12));
      case 12 -> fifo == null ? -Errno.EOPNOTSUPP : fifo.addPage(arg.getLong(0));
      case 13 -> setPriority(arg.getInt(0), arg.getInt(4));
      // A reset is never cut short here, so there is none to go on with.
      case 14 -> domid(0) == DOMID_0 ? -Errno.EPERM : self(domid(0)) ? -Errno.EBUSY : -Errno.ESRCH;
      default -> throw new IllegalArgumentException("EVTCHNOP " + operation);
    };
  }

  private int domid(int offset) {
    return arg.getShort(offset) & 0xffff;
  }

  private boolean self(int domid) {
    return domid == DOMID_SELF || domid == domain.id;
  }

  private int allocateUnbound(int domid, int remoteDomid) {
    if (!self(domid)) {
      return domid == DOMID_0 ? -Errno.EPERM : -Errno.ESRCH;
    }
    int port = freePort();
    if (port < 0) {
      return port;
    }
    Channel channel = channel(port);
    channel.remoteDomid = remoteDomid == DOMID_SELF ? domain.id : remoteDomid;
    bound(channel, State.UNBOUND);
    arg.putInt(4, port);
    return 0;
  }

  private int bindInterdomain(int remoteDomid, int remotePort) {
    if (!self(remoteDomid) && remoteDomid != DOMID_0) {
      return -Errno.ESRCH;
    }
    int port = freePort();
    if (port < 0) {
      return port;
    }
    Channel channel = channel(port);
    if (self(remoteDomid)) {
      Channel remote = valid(remotePort) ? channel(remotePort) : null;
      if (remote == null || remote.state != State.UNBOUND || remote.remoteDomid != domain.id) {
        return -Errno.EINVAL;
      }
      channel.remoteDomid = domain.id;
      remote.state = State.INTERDOMAIN;
      remote.remotePort = port;
    } else {
      if (remotePort <= 0 || remotePort >= dom0Ports.size() || dom0Ports.get(remotePort).guestPort != 0) {
        return -Errno.EINVAL;
      }
      channel.remoteDomid = DOMID_0;
      dom0Ports.get(remotePort).guestPort = port;
    }
    channel.remotePort = remotePort;
    bound(channel, State.INTERDOMAIN);
    // The other end may have sent before anyone listened.
    raise(channel);
    arg.putInt(8, port);
    return 0;
  }

  /** Whether a virtual interrupt is bound on each vcpu of its own (VIRQ_VCPU), not once for the domain. */
  private static boolean perVcpu(int virq) {
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
  }

  private int bindVirq(int virq, int vcpu) {
    if (virq < 0 || virq >= VIRQS || !perVcpu(virq) && vcpu != 0) {
      return -Errno.EINVAL;
    }
    if (!hasVcpu(vcpu)) {
      return -Errno.ENOENT;
    }
    if (!perVcpu(virq) && virq != VIRQ_ARGO) {
      // Those of the whole machine are domain 0's.
      return -Errno.EBUSY;
    }
    if (virqPorts(vcpu)[virq] != 0) {
      return -Errno.EEXIST;
    }
    int port = freePort();
    if (port < 0) {
      return port;
    }
    Channel channel = channel(port);
    channel.vcpu = vcpu;
    channel.virq = virq;
    bound(channel, State.VIRQ);
    virqPorts(vcpu)[virq] = port;
    arg.putInt(8, port);
    return 0;
  }

  private int bindIpi(int vcpu) {
    if (!hasVcpu(vcpu)) {
      return -Errno.ENOENT;
    }
    int port = freePort();
    if (port < 0) {
      return port;
    }
    Channel channel = channel(port);
    channel.vcpu = vcpu;
    bound(channel, State.IPI);
    arg.putInt(4, port);
    return 0;
  }

  private int close(int port) {
    if (!valid(port) || !channel(port).usable()) {
      return -Errno.EINVAL;
    }
    Channel channel = channel(port);
    switch (channel.state) {
      case VIRQ -> virqPorts(perVcpu(channel.virq) ? channel.vcpu : 0)[channel.virq] = 0;
      case INTERDOMAIN -> {
        if (channel.remoteDomid == DOMID_0) {
          dom0Ports.get(channel.remotePort).guestPort = 0;
        } else {
          Channel remote = channel(channel.remotePort);
          remote.state = State.UNBOUND;
          remote.remoteDomid = domain.id;
        }
      }
      default -> {
        // Nobody else knows of the port.
      }
    }
    delivery.clearPending(channel);
    channel.state = State.FREE;
    channel.vcpu = 0;
    return 0;
  }

  private int send(int port) {
    if (!valid(port)) {
      return -Errno.EINVAL;
    }
    Channel channel = channel(port);
    switch (channel.state) {
      case INTERDOMAIN -> {
        if (channel.remoteDomid == DOMID_0) {
          dom0Ports.get(channel.remotePort).onEvent.run();
        } else {
          raise(channel(channel.remotePort));
        }
      }
      case IPI -> raise(channel);
      case UNBOUND -> {
        // Nobody is there to hear it.
      }
      default -> {
        return -Errno.EINVAL;
      }
    }
    return 0;
  }

  private int status(int domid, int port) {
    if (!self(domid)) {
      return domid == DOMID_0 ? port >= 0 && port < BUCKET ? -Errno.EPERM : -Errno.EINVAL : -Errno.ESRCH;
    }
    if (!valid(port)) {
      return -Errno.EINVAL;
    }
    Channel channel = channel(port);
    int status =
        switch (channel.state) {
          case FREE, RESERVED -> STATUS_CLOSED;
          case UNBOUND -> {
            arg.putShort(16, (short) channel.remoteDomid);
            yield STATUS_UNBOUND;
          }
          case INTERDOMAIN -> {
            arg.putShort(16, (short) channel.remoteDomid);
            arg.putInt(20, channel.remotePort);
            yield STATUS_INTERDOMAIN;
          }
          case VIRQ -> {
            arg.putInt(16, channel.virq);
            yield STATUS_VIRQ;
          }
          case IPI -> STATUS_IPI;
        };
    arg.putInt(8, status);
    arg.putInt(12, channel.vcpu);
    return 0;
  }

  private int bindVcpu(int port, int vcpu) {
    if (!hasVcpu(vcpu)) {
      return -Errno.ENOENT;
    }
    if (!valid(port)) {
      return -Errno.EINVAL;
    }
    Channel channel = channel(port);
    boolean movable =
        switch (channel.state) {
          case UNBOUND, INTERDOMAIN -> true;
          case VIRQ -> !perVcpu(channel.virq);
          default -> false;
        };
    if (!movable) {
      return -Errno.EINVAL;
    }
    channel.vcpu = vcpu;
    return 0;
  }

  private int unmask(int port) {
    if (!valid(port)) {
      return -Errno.EINVAL;
    }
    Channel channel = channel(port);
    if (channel.usable()) {
      delivery.unmask(domain.vcpus.get(channel.vcpu), channel);
    }
    return 0;
  }

  private int reset(int domid) {
    if (!self(domid)) {
      return domid == DOMID_0 ? -Errno.EPERM : -Errno.ESRCH;
    }
    for (int port = 1; valid(port); port++) {
      if (channel(port).usable()) {
        close(port);
      }
    }
    if (fifo != null) {
      fifo.destroy();
      fifo = null;
      delivery = new TwoLevel(domain);
    }
    return 0;
  }

  private int initControl(long gfn, int offset, int vcpu) {
    arg.put(16, (byte) Fifo.LINK_BITS);
    if (!hasVcpu(vcpu)) {
      return -Errno.ENOENT;
    }
    if (!Fifo.validOffset(offset)) {
      return -Errno.EINVAL;
    }
    Vcpu target = domain.vcpus.get(vcpu);
    if (fifo != null) {
      return fifo.mapControlBlock(target, gfn, offset);
    }
    Fifo first = new Fifo(domain, this, frames);
    int result = first.mapControlBlock(target, gfn, offset);
    if (result != 0) {
      return result;
    }
    for (Channel channel : channels) {
      channel.pendingWithoutWord = channel.usable() && delivery.isPending(channel);
      channel.priority = Fifo.PRIORITY_DEFAULT;
    }
    fifo = first;
    delivery = first;
    return 0;
  }

  private int setPriority(int port, int priority) {
    if (!valid(port)) {
      return -Errno.EINVAL;
    }
    if (fifo == null) {
      return -Errno.ENOSYS;
    }
    Channel channel = channel(port);
    if (!channel.usable()) {
      return -Errno.EACCES;
    }
    if (Integer.compareUnsigned(priority, Fifo.PRIORITY_MIN) > 0) {
      return -Errno.EINVAL;
    }
    channel.priority = priority;
    return 0;
  }

  // ---- Ports ----

  private boolean hasVcpu(int vcpu) {
    return vcpu >= 0 && vcpu < domain.vcpus.size();
  }

  private int[] virqPorts(int vcpu) {
    while (virqPorts.size() <= vcpu) {
      virqPorts.add(new int[VIRQS]);
    }
    return virqPorts.get(vcpu);
  }

  private void bound(Channel channel, State state) {
    channel.state = state;
    channel.priority = Fifo.PRIORITY_DEFAULT;
  }

  /** The lowest port that is free, or a negated error. */
  private int freePort() {
    int limit = Math.min(MAX_PORT + 1, delivery.capacity());
    for (int port = 0; port < limit; port++) {
      if (port == channels.size()) {
        addBucket();
      }
      Channel channel = channels.get(port);
      if (channel.state == State.FREE && !delivery.isBusy(channel)) {
        return port;
      }
    }
    return -Errno.ENOSPC;
  }

  private void addBucket() {
    Channel[] bucket = new Channel[BUCKET];
    Arrays.setAll(bucket, i -> new Channel(channels.size() + i));
    channels.addAll(Arrays.asList(bucket));
  }
}
