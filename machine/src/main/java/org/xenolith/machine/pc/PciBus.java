package org.xenolith.machine.pc;

import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;

/**
 * The PCI bus of a PC, configured by mechanism 1 (PCI Local Bus Specification 3.0, section 3.2.2.3.2), with nothing on it but the bridge to
 * the processors: Linux takes a bus without any bridge for none (pci_sanity_check). The bridge is one that needs no workarounds.
 */
final class PciBus implements PortDevice {
  private static final int ADDRESS = 0xcf8, DATA = 0xcfc;
  private static final int ENABLED = 1 << 31;

  /** The first registers of the bridge: vendor 1b36h with device 8 (QEMU's generic host bridge), class 060000h. */
  private static final int[] BRIDGE = {0x0008_1b36, 0, 0x0600_0000, 0};

  private int address;

  void attach(Ports ports) {
    ports.add(ADDRESS, 1, this);
    ports.add(DATA, 4, this);
  }

  @Override
  public boolean takesWide() {
    return true;
  }

  @Override
  public int in(int port, int size) {
    if (port == ADDRESS) {
      return size == 4 ? address : -1;
    }
    return register() >>> 8 * (port & 3);
  }

  @Override
  public void out(int port, int size, int value) {
    if (port == ADDRESS && size == 4) {
      address = value & 0x80ff_fffc;
    }
  }

  private int register() {
    if ((address & ENABLED) == 0 || (address & 0x00ff_ff00) != 0) {
      return -1;
    }
    int number = (address & 0xff) >>> 2;
    return number < BRIDGE.length ? BRIDGE[number] : 0;
  }
}
