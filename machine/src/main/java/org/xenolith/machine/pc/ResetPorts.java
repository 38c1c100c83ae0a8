package org.xenolith.machine.pc;

import org.xenolith.machine.Ending;
import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;
import org.xenolith.machine.RunOutcome;

/**
 * The ports of a PC that reset it: the chipset's reset control register (82371SB data sheet, section 2.5.10) and system control port A
 * (PS/2 technical reference), whose address-line 20 gate does nothing here: the line is always open.
 */
final class ResetPorts implements PortDevice {
  /** The reset control register, and the value that ACPI's reset register gets. */
  static final int CONTROL = 0xcf9, FULL_RESET = 6;

  private static final int PORT_A = 0x92;

  private final Ending ending;
  private int control;
  private int portA = 2;

  ResetPorts(Ending ending) {
    this.ending = ending;
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
      if ((value & ~control & 4) != 0) {
        reset(ending, "the reset control register");
      }
      control = value & 0xe;
    } else {
      if ((value & ~portA & 1) != 0) {
        reset(ending, "system control port A");
      }
      portA = value & 3;
    }
  }

  static void reset(Ending ending, String by) {
    ending.end(RunOutcome.Kind.REBOOT, "the guest asked for a reset by " + by);
  }
}
