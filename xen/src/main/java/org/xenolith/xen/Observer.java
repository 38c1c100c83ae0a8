package org.xenolith.xen;

/**
 * Sees what the hypervisor does. The methods are called at the moment of the event with the vcpu's registers exact; an observer changes
 * nothing. Raw numbers only: names are for whoever knows the kernel's symbols.
 */
public interface Observer {
  /** A hypercall was issued ({@code arguments} in rdi, rsi, rdx, r10, r8 of the vcpu; inside a multicall in {@code args}). */
  default void hypercall(Vcpu vcpu, int number, long[] args, long result) {}

  /** Xen refused an operation; see {@link Breach}. */
  default void breach(Vcpu vcpu, Breach breach) {}

  /**
   * Whether the guest's kernel has opened an I/O port to its user mode in a way that Xen does not look at. Asked when Xen refuses the port;
   * only who knows the kernel's symbols can tell.
   */
  default boolean opensPort(Vcpu vcpu, int port) {
    return false;
  }

  /** Something happened to a frame that is watched ({@link org.xenolith.xen.mm.FrameTable#watch}); by no vcpu while a domain is built. */
  default void frame(Vcpu vcpu, FrameEvent event) {}

  /** A fault or trap was delivered to the guest. */
  default void fault(Vcpu vcpu, int vector, int errorCode, long address) {}

  /** An event upcall was delivered to the guest. */
  default void upcall(Vcpu vcpu) {}

  /** The guest wrote to its console. */
  default void console(byte[] bytes, int length) {}

  /** Sees nothing. */
  Observer NONE = new Observer() {};
}
