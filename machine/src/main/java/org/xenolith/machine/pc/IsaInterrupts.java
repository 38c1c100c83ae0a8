package org.xenolith.machine.pc;

/** The sixteen interrupt lines of the ISA bus. Each is wired to the 8259s and to the I/O APIC; the timer's to the latter's pin 2. */
final class IsaInterrupts {
  /** A device's interrupt line. */
  interface Line {
    void set(boolean asserted);
  }

  /** The I/O APIC's pin of line 0. */
  static final int TIMER_PIN = 2;

  private final Pic pic;
  private final IoApic ioApic;

  IsaInterrupts(Pic pic, IoApic ioApic) {
    this.pic = pic;
    this.ioApic = ioApic;
  }

  /** The line of interrupt request {@code irq}. */
  Line line(int irq) {
    int pin = irq == 0 ? TIMER_PIN : irq;
    return asserted -> {
      pic.set(irq, asserted);
      ioApic.set(pin, asserted);
    };
  }
}
