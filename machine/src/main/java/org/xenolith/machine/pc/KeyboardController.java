package org.xenolith.machine.pc;

import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;

/**
 * The 8042 of a PC to which neither keyboard nor mouse is attached: it answers its own commands, passes bytes on into nowhere, and resets
 * the processors. Source: IBM PS/2 technical reference, "Keyboard and Auxiliary Device Controller".
 */
final class KeyboardController implements PortDevice {
  private static final int DATA = 0x60, COMMAND = 0x64;

  /** Bits of the status: a byte to read; self-test passed; the last byte written was a command. */
  private static final int OUTPUT_FULL = 1, SYSTEM = 4, COMMAND_LAST = 8;

  /** What port 60h's next byte is for. */
  private static final int NOBODY = 0;

  private final Resets resets;
  private final int[] memory = new int[32];
  private int status = SYSTEM;
  private int output;
  private int outputPort = 3;
  private int expects = NOBODY;

  KeyboardController(Resets resets) {
    this.resets = resets;
    // Both devices disabled.
    memory[0] = 0x34;
  }

  void attach(Ports ports) {
    ports.add(DATA, 1, this);
    ports.add(COMMAND, 1, this);
  }

  @Override
  public int in(int port, int size) {
    if (port == COMMAND) {
      return status;
    }
    status &= ~OUTPUT_FULL;
    return output;
  }

  @Override
  public void out(int port, int size, int value) {
    if (port == COMMAND) {
      status |= COMMAND_LAST;
      expects = NOBODY;
      command(value);
    } else {
      status &= ~COMMAND_LAST;
      data(value);
    }
  }

  private void command(int value) {
    switch (value) {
      case 0xa7 -> memory[0] |= 0x20;
      case 0xa8 -> memory[0] &= ~0x20;
      case 0xad -> memory[0] |= 0x10;
      case 0xae -> memory[0] &= ~0x10;
      case 0xaa -> answer(0x55);
      // Tests of the lines to the devices: no fault at the keyboard's; no auxiliary device.
      case 0xab -> answer(0);
      case 0xa9 -> answer(0xff);
      case 0xc0 -> answer(0x80);
      case 0xd0 -> answer(outputPort);
      case 0xd1, 0xd2, 0xd3, 0xd4 -> expects = value;
      default -> {
        if ((value & 0xe0) == 0x20) {
          answer(memory[value & 31]);
        } else if ((value & 0xe0) == 0x60) {
          expects = value;
        } else if (value >= 0xf0 && (value & 1) == 0) {
          resets.soft("the keyboard controller");
        }
      }
    }
  }

  private void data(int value) {
    int command = expects;
    expects = NOBODY;
    if ((command & 0xe0) == 0x60) {
      memory[command & 31] = value;
    } else if (command == 0xd1) {
      outputPort = value;
      if ((value & 1) == 0) {
        resets.soft("the keyboard controller");
      }
    } else if (command == 0xd2 || command == 0xd3) {
      answer(value);
    }
  }

  private void answer(int value) {
    output = value;
    status |= OUTPUT_FULL;
  }
}
