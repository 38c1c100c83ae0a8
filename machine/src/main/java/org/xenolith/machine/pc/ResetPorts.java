package org.xenolith.machine.pc;

import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;

/**
 * The ports of a PC that reset it: the chipset's reset control register (82371SB data sheet, section 2.5.10) and system control port A
 * (PS/2 technical reference), whose address-line 20 gate does nothing here: the line is always open.
 */
final class ResetPorts implements PortDevice {
  /** The reset control register, and the value that ACPI's reset register gets. */
  static final int CONTROL = 0xcf9, FULL_RESET = 6;

  private static final int PORT_A = 0x92;

  /** Bits of the reset control register: reset the system and not only the processors; do it, when this bit rises. */
  private static final int SYSTEM = 2, RESET = 4;

  private final Resets resets;
  private int control;
  private int portA = 2;

  ResetPorts(Resets resets) {
    this.resets = resets;
  }

  void attach(Ports ports) {
    ports.add(CONTROL, 1, this);
    ports.add(PORT_A, 1, this);
  }

  @Override
  public int in(int port, int size) {
    return port == CONTROL ? control : portA;
  }

  @Override
  public void out(int port, int size, int value) {
    if (port == CONTROL) {
      boolean rises = (value & ~control & RESET) != 0;
      control = value & 0xe;
      if (rises && (value & SYSTEM) != 0) {
        resets.hard("the reset control register");
      } else if (rises) {
        resets.soft("the reset control register");
      }
    } else {
      boolean rises = (value & ~portA & 1) != 0;
      portA = value & 3;
      if (rises) {
        resets.soft("system control port A");
      }
    }
  }
}
