package org.xenolith.machine.apic;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.IntSupplier;

/**
 * Carries interrupt messages between local APICs and from I/O APICs to them (Intel SDM volume 3, "Issuing Interprocessor Interrupts" and
 * "Determining IPI Destination").
 */
public final class ApicBus {
  /** Delivery modes, as in bits 8 to 10 of the interrupt command register, a local vector or a redirection entry. */
  public static final int FIXED = 0, LOWEST_PRIORITY = 1, SMI = 2, NMI = 4, INIT = 5, STARTUP = 6, EXTERNAL = 7;

  /** The destination that means every local APIC. */
  public static final int EVERYBODY = -1;

  private final List<LocalApic> apics = new ArrayList<>();
  private final List<IntConsumer> listeners = new ArrayList<>();
  private IntSupplier external = () -> -1;

  void add(LocalApic apic) {
    apics.add(apic);
  }

  /** Says whom to ask for the vector of an external interrupt (mode ExtINT): the 8259. It answers -1 if it has none. */
  public void external(IntSupplier acknowledge) {
    external = acknowledge;
  }

  /** Whoever wants to know of the end of level-triggered interrupts, by vector: I/O APICs. */
  public void onEnd(IntConsumer listener) {
    listeners.add(listener);
  }

  /** The 8259's output changed: it is wired to LINT0 of every local APIC. */
  public void external(boolean asserted) {
    for (LocalApic apic : apics) {
      apic.lint0(asserted);
    }
  }

  int acknowledgeExternal() {
    return external.getAsInt();
  }

  void ended(int vector) {
    for (IntConsumer listener : listeners) {
      listener.accept(vector);
    }
  }

  /**
   * Sends a message.
   *
   * @param logical whether the destination is by logical address
   * @param destination an address, or {@link #EVERYBODY}
   * @param mode {@link #FIXED} and so on; SMI and what is reserved reach nobody: there is no system management mode
   * @param level whether the interrupt is level-triggered, so that its end is broadcast
   */
  public void send(boolean logical, int destination, int mode, int vector, boolean level) {
    if (mode == LOWEST_PRIORITY) {
      LocalApic lowest = lowest(logical, destination);
      if (lowest != null) {
        lowest.receive(FIXED, vector, level);
      }
      return;
    }
    for (LocalApic apic : apics) {
      if (apic.isAddressed(logical, destination)) {
        apic.receive(mode, vector, level);
      }
    }
  }

  /** Sends to all, or to all but one. */
  void broadcast(LocalApic except, int mode, int vector, boolean level) {
    for (LocalApic apic : apics) {
      if (apic != except) {
        apic.receive(mode == LOWEST_PRIORITY ? FIXED : mode, vector, level);
      }
    }
  }

  /** The addressed local APIC whose processor has the lowest priority; of equals the first. Who arbitrates is model-specific. */
  private LocalApic lowest(boolean logical, int destination) {
    LocalApic lowest = null;
    for (LocalApic apic : apics) {
      if (apic.isAddressed(logical, destination) && apic.accepts()
          && (lowest == null || apic.processorPriority() < lowest.processorPriority())) {
        lowest = apic;
      }
    }
    return lowest;
  }
}
