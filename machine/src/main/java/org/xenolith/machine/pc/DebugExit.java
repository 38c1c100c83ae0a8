package org.xenolith.machine.pc;

import org.xenolith.machine.Ending;
import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;
import org.xenolith.machine.RunOutcome;

/** A port that ends the run, for test kernels: 0 for success, anything else for failure (QEMU's isa-debug-exit with iobase 0xf4). */
final class DebugExit implements PortDevice {
  private static final int PORT = 0xf4;

  private final Ending ending;

  DebugExit(Ending ending) {
    this.ending = ending;
  }

  void attach(Ports ports) {
    ports.add(PORT, 4, this);
  }

  @Override
  public boolean takesWide() {
    return true;
  }

  @Override
  public int in(int port, int size) {
    return 0;
  }

  @Override
  public void out(int port, int size, int value) {
    if (value == 0) {
      ending.end(RunOutcome.Kind.POWEROFF, "the guest left through the debug exit with 0");
    } else {
      ending.end(RunOutcome.Kind.CRASH, "the guest left through the debug exit with %d".formatted(value & 0xffff_ffffL));
    }
  }
}
