package org.xenolith.machine.pc;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.machine.acpi.AcpiTables;
import org.xenolith.machine.acpi.Aml;
import org.xenolith.machine.acpi.Fadt;
import org.xenolith.machine.acpi.Madt;

/** What a PC's firmware leaves in memory: its data area and the ACPI tables. There is no code: a kernel is started by a loader. */
final class Firmware {
  private Firmware() {}

  /**
   * Writes it all.
   *
   * @return the machine address of ACPI's root pointer
   */
  static long write(GuestMemory memory, int processors) {
    dataArea(memory);
    return tables(memory, processors);
  }

  /** The few words at 400h that kernels read: where the extended data area is, KiB below it (Linux, reserve_bios_regions). */
  private static void dataArea(GuestMemory memory) {
    memory.writeShort(0x400, (short) Uart.PORTS);
    memory.writeShort(0x40e, (short) (MemoryMap.DATA_AREA >> 4));
    memory.writeShort(0x413, (short) (MemoryMap.DATA_AREA >> 10));
    memory.writeByte(MemoryMap.DATA_AREA, (byte) 1);
  }

  private static long tables(GuestMemory memory, int processors) {
    AcpiTables tables = new AcpiTables(memory, MemoryMap.TABLES, MemoryMap.TABLES_END - MemoryMap.TABLES);
    long facs = tables.place(Fadt.facs());
    long dsdt = tables.place(devices());
    tables.add(Fadt.pc(dsdt, facs, AcpiPm.IRQ, AcpiPm.PORTS, Cmos.CENTURY, ResetPorts.CONTROL, ResetPorts.FULL_RESET));
    Madt madt = new Madt(processors, true).ioApic(processors, IoApic.BASE, 0);
    madt.override(0, IsaInterrupts.TIMER_PIN, Madt.CONFORMING).override(AcpiPm.IRQ, AcpiPm.IRQ, Madt.ACTIVE_HIGH | Madt.LEVEL);
    tables.add(madt.nonMaskable(1).table());
    return tables.finish();
  }

  /** The PCI bus, the clock and the serial port, which can be found no other way, and how to power off. */
  private static byte[] devices() {
    byte[] pci = Aml.device("PCI0", Aml.name("_HID", Aml.eisaId("PNP0A03")), Aml.name("_UID", Aml.integer(0)),
        Aml.name("_CRS", Aml.resources(Aml.busNumbers(0, 0), Aml.ports(0xcf8, 8), Aml.portWindow(0, 0xcf7), Aml.portWindow(0xd00, 0xffff),
            Aml.memoryWindow(MemoryMap.HOLE, IoApic.BASE - 1))));
    byte[] clock = Aml.device("RTC", Aml.name("_HID", Aml.eisaId("PNP0B00")),
        Aml.name("_CRS", Aml.resources(Aml.ports(0x70, 2), Aml.interrupt(8))));
    byte[] serial = Aml.device("COM1", Aml.name("_HID", Aml.eisaId("PNP0501")), Aml.name("_UID", Aml.integer(1)),
        Aml.name("_CRS", Aml.resources(Aml.ports(Uart.PORTS, 8), Aml.interrupt(Uart.IRQ))));
    byte[] off = Aml.pack(Aml.integer(AcpiPm.OFF), Aml.integer(AcpiPm.OFF), Aml.integer(0), Aml.integer(0));
    return Aml.dsdt(Aml.scope("\\_SB", pci, clock, serial), Aml.name("\\_S5", off));
  }
}
