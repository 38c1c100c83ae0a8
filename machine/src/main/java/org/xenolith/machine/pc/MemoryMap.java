package org.xenolith.machine.pc;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.GuestMemory;

/**
 * Which machine addresses of a PC are what. Low memory is cut as on every PC: 639 KiB, the firmware's data area, the window of the display,
 * and below 1 MiB the firmware's tables.
 */
final class MemoryMap {
  /** Types of ranges, as firmware and boot loaders number them (ACPI specification 6.5, section 15). */
  static final int RAM = 1, RESERVED = 2;

  /**
   * A range of machine addresses.
   *
   * @param pa the first
   * @param size in bytes
   * @param type {@link #RAM} or {@link #RESERVED}
   */
  record Range(long pa, long size, int type) {}

  /** The firmware's data area, and the end of conventional memory. */
  static final long DATA_AREA = 0x9_fc00, LOW_END = 0xa_0000, DISPLAY_END = 0xc_0000;

  /** The firmware's tables, and behind them its code's entry, where real mode's FFFF:0 and F000:FFF0 are. */
  static final long TABLES = 0xf_0000, ENTRY = 0xf_fff0, TABLES_END = 0x10_0000;

  /** What lies above does so from 4 GiB on: devices are below. The first are the PCI bus's registers. */
  static final long HOLE = 0xc000_0000L, HOLE_END = 1L << 32;

  private final long below;
  private final long above;

  MemoryMap(long bytes) {
    below = Math.min(bytes, HOLE);
    above = bytes - below;
  }

  /** Bytes of RAM below the hole, from address 0. */
  long below4G() {
    return below;
  }

  /** Bytes of RAM from 4 GiB on. */
  long above4G() {
    return above;
  }

  /** The end of the highest RAM. */
  long end() {
    return above == 0 ? below : HOLE_END + above;
  }

  /** Makes the display's window and the devices' addresses holes in memory. */
  void punch(GuestMemory memory) {
    memory.exclude(LOW_END >> GuestMemory.FRAME_SHIFT, (DISPLAY_END - LOW_END) >> GuestMemory.FRAME_SHIFT);
    if (above > 0) {
      memory.exclude(HOLE >> GuestMemory.FRAME_SHIFT, (HOLE_END - HOLE) >> GuestMemory.FRAME_SHIFT);
    }
  }

  /** What firmware tells, ascending. */
  List<Range> ranges() {
    List<Range> ranges = new ArrayList<>();
    ranges.add(new Range(0, DATA_AREA, RAM));
    ranges.add(new Range(DATA_AREA, LOW_END - DATA_AREA, RESERVED));
    ranges.add(new Range(TABLES, TABLES_END - TABLES, RESERVED));
    ranges.add(new Range(TABLES_END, below - TABLES_END, RAM));
    ranges.add(new Range(PciBus.CONFIGURATION, PciBus.CONFIGURATION_SIZE, RESERVED));
    if (above > 0) {
      ranges.add(new Range(HOLE_END, above, RAM));
    }
    return ranges;
  }
}
