package org.xenolith.machine.pc;

import java.util.HexFormat;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Msrs;
import org.xenolith.machine.acpi.AcpiTables;
import org.xenolith.machine.acpi.Aml;
import org.xenolith.machine.acpi.Fadt;
import org.xenolith.machine.acpi.Madt;

/**
 * What a PC's firmware leaves: its data area, the ACPI tables, memory types, and at its entry code that starts the machine anew. There is
 * no other code: a kernel is started by a loader, and {@link WarmStart} does what INIT asks for.
 */
final class Firmware {
  /** Memory types, as in MTRRs. */
  private static final long UNCACHED = 0, WRITE_PROTECTED = 0x0505_0505_0505_0505L, WRITE_BACK = 0x0606_0606_0606_0606L;

  /** Fixed and variable MTRRs on, all else is write back. */
  private static final int MTRR_DEFAULT = 0xc06;

  private static final int MTRR_VALID = 0x800;

  /** mov dx, 0cf9h; mov al, 2; out dx, al; mov al, 6; out dx, al; hlt: to whom jumps here (Linux, machine_real_restart). */
  private static final byte[] RESET = HexFormat.of().parseHex("baf90cb002eeb006eef4");

  private Firmware() {}

  /**
   * Writes it all.
   *
   * @return the machine address of ACPI's root pointer
   */
  static long write(GuestMemory memory, int processors) {
    dataArea(memory);
    memory.write(MemoryMap.ENTRY, RESET, 0, RESET.length);
    return tables(memory, processors);
  }

  /** The few words at 400h that kernels read: where the extended data area is, KiB below it (Linux, reserve_bios_regions). */
  private static void dataArea(GuestMemory memory) {
    memory.writeShort(0x400, (short) Uart.PORTS);
    memory.writeShort(0x40e, (short) (MemoryMap.DATA_AREA >> 4));
    memory.writeShort(0x413, (short) (MemoryMap.DATA_AREA >> 10));
    memory.writeByte(MemoryMap.DATA_AREA, (byte) 1);
  }

  /**
   * Sets a processor's memory types: kernels do not use the page attribute table where firmware has not enabled them (Linux, pat_bp_init).
   */
  static void memoryTypes(Msrs msrs, int physicalBits) {
    for (int n = 0; n < FIXED_RANGES.length; n++) {
      // 512 KiB, 128 KiB, 128 KiB of the display's window, then eight times 32 KiB of the firmware's.
      msrs.write(FIXED_RANGES[n], n < 2 ? WRITE_BACK : n == 2 ? UNCACHED : WRITE_PROTECTED);
    }
    msrs.write(Msrs.MTRR_FIRST, MemoryMap.HOLE | UNCACHED);
    msrs.write(Msrs.MTRR_FIRST + 1, -(MemoryMap.HOLE_END - MemoryMap.HOLE) & (1L << physicalBits) - 1 | MTRR_VALID);
    msrs.write(Msrs.MTRR_DEF_TYPE, MTRR_DEFAULT);
  }

  private static final int[] FIXED_RANGES = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

  private static long tables(GuestMemory memory, int processors) {
    AcpiTables tables = new AcpiTables(memory, MemoryMap.TABLES, MemoryMap.ENTRY - MemoryMap.TABLES);
    long facs = tables.place(Fadt.facs());
    long dsdt = tables.place(devices());
    tables.add(Fadt.pc(dsdt, facs, AcpiPm.IRQ, AcpiPm.PORTS, Cmos.CENTURY, ResetPorts.CONTROL, ResetPorts.FULL_RESET));
    Madt madt = new Madt(processors, true).ioApic(processors, IoApic.BASE, 0);
    madt.override(0, IsaInterrupts.TIMER_PIN, Madt.CONFORMING).override(AcpiPm.IRQ, AcpiPm.IRQ, Madt.ACTIVE_HIGH | Madt.LEVEL);
    tables.add(madt.nonMaskable(1).table());
    tables.add(AcpiTables.pciConfiguration(PciBus.CONFIGURATION));
    return tables.finish();
  }

  /** The PCI bus, the clock and the serial port, which can be found no other way, and how to power off. */
  private static byte[] devices() {
    byte[] pci = Aml.device("PCI0", Aml.name("_HID", Aml.eisaId("PNP0A03")), Aml.name("_UID", Aml.integer(0)),
        Aml.name("_CRS", Aml.resources(Aml.busNumbers(0, 0), Aml.ports(0xcf8, 8), Aml.portWindow(0, 0xcf7), Aml.portWindow(0xd00, 0xffff),
            Aml.memoryWindow(PciBus.CONFIGURATION + PciBus.CONFIGURATION_SIZE, IoApic.BASE - 1))));
    byte[] clock = Aml.device("RTC", Aml.name("_HID", Aml.eisaId("PNP0B00")),
        Aml.name("_CRS", Aml.resources(Aml.ports(0x70, 2), Aml.interrupt(8))));
    byte[] serial = Aml.device("COM1", Aml.name("_HID", Aml.eisaId("PNP0501")), Aml.name("_UID", Aml.integer(1)),
        Aml.name("_CRS", Aml.resources(Aml.ports(Uart.PORTS, 8), Aml.interrupt(Uart.IRQ))));
    byte[] off = Aml.pack(Aml.integer(AcpiPm.OFF), Aml.integer(AcpiPm.OFF), Aml.integer(0), Aml.integer(0));
    return Aml.dsdt(Aml.scope("\\_SB", pci, clock, serial), Aml.name("\\_S5", off));
  }
}
