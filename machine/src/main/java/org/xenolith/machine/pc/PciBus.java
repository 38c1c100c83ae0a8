package org.xenolith.machine.pc;

import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;

/**
 * The PCI bus of a PC, configured by mechanism 1 (PCI Local Bus Specification 3.0, section 3.2.2.3.2) or in memory (PCI Express Base
 * Specification, section 7.2.2), with nothing on it but the bridge to the processors: Linux takes a bus without any bridge for none
 * (pci_sanity_check). The bridge is one that needs no workarounds.
 */
final class PciBus implements PortDevice {
  /** Where the bus's registers are in memory: 4 KiB a function. */
  static final long CONFIGURATION = MemoryMap.HOLE, CONFIGURATION_SIZE = 1 << 20;

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
    boolean bridge = (address & ENABLED) != 0 && (address & 0x00ff_ff00) == 0;
    return (bridge ? register(address & 0xff) : -1) >>> 8 * (port & 3);
  }

  @Override
  public void out(int port, int size, int value) {
    if (port == ADDRESS && size == 4) {
      address = value & 0x80ff_fffc;
    }
  }

  /** Whether a machine address is one of the bus's registers. */
  static boolean covers(long pa) {
    return pa >= CONFIGURATION && pa < CONFIGURATION + CONFIGURATION_SIZE;
  }

  /** Reads {@code size} bytes at a machine address that it {@link #covers}. Nothing can be written. */
  static long read(long pa, int size) {
    long offset = pa - CONFIGURATION;
    boolean bridge = offset < 0x1000;
    long value = bridge ? (register((int) offset) & 0xffff_ffffL) >>> 8 * (pa & 3) : -1;
    if (bridge && size == 8) {
      value |= (long) register((int) offset + 4) << 32;
    }
    return value & -1L >>> 64 - 8 * size;
  }

  /** The bridge's register of 4 bytes that has the one at {@code offset}. */
  private static int register(int offset) {
    return offset >>> 2 < BRIDGE.length ? BRIDGE[offset >>> 2] : 0;
  }
}
