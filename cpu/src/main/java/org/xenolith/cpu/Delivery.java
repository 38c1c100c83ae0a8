package org.xenolith.cpu;

/**
 * Delivers events through the interrupt descriptor table of a processor that owns privilege level 0. Whoever answers an {@link Exit} calls it;
 * the processor must be at an instruction boundary, that is not inside {@link Cpu#run}. An event that was delivered counts 1 on the clock.
 *
 * <p>Every method returns false where the processor shuts down (a fault while a double fault is delivered); it then stays as it was.
 */
public final class Delivery {
  private final Cpu cpu;

  Delivery(Cpu cpu) {
    this.cpu = cpu;
  }

  /**
   * Delivers what an {@link Exit.Exception} says, with its side effects: CR2 for a page fault, DR6 and DR7 for a debug exception.
   *
   * @param errorCode or {@link Fault#NO_ERROR_CODE}
   * @param address as in the exit
   */
  public boolean exception(int vector, int errorCode, long address) {
    throw new UnsupportedOperationException();
  }

  /** Delivers an external interrupt: to be called after an {@link Exit.Interrupt} (or {@link Exit.Halt}) with the controller's vector. */
  public boolean interrupt(int vector) {
    throw new UnsupportedOperationException();
  }

  /** Delivers the NMI that an {@link Exit.NonMaskable} announces. Further ones wait until IRET. */
  public boolean nmi() {
    throw new UnsupportedOperationException();
  }

  /**
   * Delivers INT n, whose gate must admit the current privilege level; #GP where it does not.
   *
   * @param length of the instruction, at which RIP still is
   */
  public boolean software(int vector, int length) {
    throw new UnsupportedOperationException();
  }
}
