package org.xenolith.machine.acpi;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.GuestMemory;

/**
 * Puts tables into memory: the root pointer at the start of an area, then one table after another, at last the extended root table that
 * names them (sections 5.2.5 and 5.2.8). The area is memory that the guest is told to leave alone.
 */
public final class AcpiTables {
  /** The guest's memory, by physical address. */
  public interface Memory {
    void write(long pa, byte[] bytes);
  }

  private final Memory memory;
  private final long start;
  private final long end;
  private final List<Long> named = new ArrayList<>();
  private long next;

  /**
   * @param pa the area's machine address, a multiple of 64; the root pointer will be there. On a PC without another way to tell, it must be
   *     between E0000h and FFFFFh
   * @param size of the area in bytes
   */
  public AcpiTables(GuestMemory memory, long pa, long size) {
    this((at, bytes) -> memory.write(at, bytes, 0, bytes.length), pa, size);
  }

  /** Likewise in memory that is reached some other way. */
  public AcpiTables(Memory memory, long pa, long size) {
    this.memory = memory;
    start = pa;
    end = pa + size;
    next = pa + 64;
  }

  /** Places a table that others name by its address, such as the DSDT, and returns the address. */
  public long place(byte[] table) {
    long pa = next;
    if (pa + table.length > end) {
      throw new IllegalStateException("tables of more than %d bytes".formatted(end - start));
    }
    memory.write(pa, table);
    next = pa + table.length + 63 & -64;
    return pa;
  }

  /** Places a table that the root table names. */
  public void add(byte[] table) {
    named.add(place(table));
  }

  /** Writes the root table and the pointer to it, and returns the pointer's address. */
  public long finish() {
    ByteBuffer body = Layout.buffer(8 * named.size());
    named.forEach(body::putLong);
    long xsdt = place(Layout.table("XSDT", 1, body.array()));
    byte[] pointer = Layout.rootPointer(xsdt);
    memory.write(start, pointer);
    return start;
  }

  /** The table that tells where PCI bus 0 has its registers in memory (PCI Firmware Specification 3.3, section 4.1.2). */
  public static byte[] pciConfiguration(long pa) {
    return Layout.table("MCFG", 1, Layout.buffer(24).putLong(0).putLong(pa).putLong(0).array());
  }

  /** The address behind the last byte used. */
  public long used() {
    return next;
  }
}
