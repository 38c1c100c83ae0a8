package org.xenolith.xen.pv;

/**
 * The I/O ports of a domain without devices, as far as its I/O privilege lets it try them: nobody is there, except that PCI's address
 * register and the clock's index can be read back (guest_io_read and guest_io_write, pv/emul-priv-op.c). A toolstack gives a PV domU no
 * interval timer (libxl__arch_domain_prepare_config), so its ports read all ones like the rest (pv_pit_handler).
 */
final class Ports {
  private static final int CMOS_INDEX = 0x70, PCI_ADDRESS = 0xcf8;

  private int pciAddress;
  private int cmosIndex;

  /** Reads {@code size} (1, 2 or 4) bytes. */
  int read(int port, int size) {
    if (port == PCI_ADDRESS && size == 4) {
      return pciAddress;
    }
    int data = -1;
    int at = CMOS_INDEX - port;
    if (at >= 0 && at < size) {
      data = data & ~(0xff << 8 * at) | cmosIndex << 8 * at;
    }
    return size == 4 ? data : data & (1 << 8 * size) - 1;
  }

  /** Writes {@code size} (1, 2 or 4) bytes. */
  void write(int port, int size, int data) {
    if (port == PCI_ADDRESS && size == 4) {
      pciAddress = data;
      return;
    }
    int at = CMOS_INDEX - port;
    if (at >= 0 && at < size) {
      // Bit 7 switches NMIs and is not kept.
      cmosIndex = data >>> 8 * at & 0x7f;
    }
  }
}
