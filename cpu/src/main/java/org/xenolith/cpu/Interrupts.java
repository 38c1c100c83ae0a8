package org.xenolith.cpu;

/**
 * Events from outside, for a processor that owns privilege level 0: the interrupt line, non-maskable interrupts, and what holds them back
 * for one instruction (AMD64 APM volume 2, sections 8.2.3, 8.5 and 15.21.5).
 */
public final class Interrupts {
  private static final Exit INTERRUPT = new Exit.Interrupt(), NON_MASKABLE = new Exit.NonMaskable();

  /** Values of {@link #shadow}: nothing; interrupts, by STI; debug traps, too, by MOV SS and POP SS. */
  static final int NO_SHADOW = 0, OF_STI = 1, OF_STACK = 2;

  private final Cpu cpu;

  /** The line's level; an NMI that was not delivered yet; one that was, and from which the guest has not returned. */
  private boolean line, nmiPending, nmiBlocked;

  /** What the last instruction holds back at the boundary behind it. */
  int shadow;

  Interrupts(Cpu cpu) {
    this.cpu = cpu;
  }

  /**
   * Sets the level of the interrupt line: while it is asserted and RFLAGS.IF admits it, {@link Cpu#run} returns an {@link Exit.Interrupt}
   * at the next instruction boundary.
   */
  public void assertLine(boolean asserted) {
    line = asserted;
    cpu.stop |= asserted;
  }

  /** A non-maskable interrupt arrived; one is kept. */
  public void pendNmi() {
    nmiPending = true;
    cpu.stop = true;
  }

  /** The pending NMI is delivered: others wait. */
  void takeNmi() {
    nmiPending = false;
    nmiBlocked = true;
  }

  /** IRET lets NMIs in again. */
  void endNmi() {
    nmiBlocked = false;
    cpu.stop |= nmiPending;
  }

  /** INIT: as if there were none. The line keeps its level. */
  void reset() {
    shadow = NO_SHADOW;
    nmiPending = false;
    nmiBlocked = false;
  }

  /** Whether {@link Cpu#run} would return an {@link Exit.Interrupt} or {@link Exit.NonMaskable} at once: what ends HLT. */
  public boolean pending() {
    return accepted() != null;
  }

  /** What the processor accepts now, if nothing holds it back: an {@link Exit.NonMaskable} before an {@link Exit.Interrupt}; or null. */
  Exit accepted() {
    if (nmiPending && !nmiBlocked) {
      return NON_MASKABLE;
    }
    return line && (cpu.eflags & Cpu.IF) != 0 ? INTERRUPT : null;
  }

  /** Whether one is there, even if it must wait for the interrupt flag. */
  public boolean awaited() {
    return nmiPending || line;
  }

  /** Whether the next instruction boundary is one to stop at. */
  boolean toBeSeenTo() {
    return shadow != NO_SHADOW || awaited();
  }

  /** RFLAGS.IF may have been set: interrupts are looked at behind this instruction. */
  void look() {
    cpu.stop |= line;
  }

  /**
   * What may come at the boundary behind this instruction waits for one more.
   *
   * @param by {@link #OF_STI} or {@link #OF_STACK}
   */
  void hold(int by) {
    shadow = by;
    cpu.stop = true;
  }

  /** Forgets that STI holds interrupts back, if it does and none is there. */
  boolean passShadow() {
    boolean passes = shadow == OF_STI && !awaited();
    if (passes) {
      shadow = NO_SHADOW;
    }
    return passes;
  }
}
