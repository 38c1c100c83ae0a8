package org.xenolith.machine.acpi;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.GuestMemory;

class AcpiTablesTest {
  private static int sum(byte[] bytes, int length) {
    int sum = 0;
    for (int n = 0; n < length; n++) {
      sum += bytes[n];
    }
    return sum & 0xff;
  }

  @Test
  void thePointerLeadsToEveryTableAndAllSumsAreZero() {
    GuestMemory memory = new GuestMemory(Arena.ofAuto().allocate(16 * 4096, 4096));
    new CodeCache(memory);
    AcpiTables tables = new AcpiTables(memory, 0x8000, 0x1000);
    long dsdt = tables.place(Aml.dsdt());
    tables.add(Fadt.hardwareReduced(dsdt));
    tables.add(new Madt(2, false).table());
    long pointer = tables.finish();
    byte[] rsdp = new byte[36];
    memory.read(pointer, rsdp, 0, 36);
    assertThat(new String(rsdp, 0, 8, StandardCharsets.US_ASCII)).isEqualTo("RSD PTR ");
    assertThat(sum(rsdp, 20)).isZero();
    assertThat(sum(rsdp, 36)).isZero();
    long xsdt = memory.readLong(pointer + 24);
    assertThat(memory.readInt(xsdt + 4)).isEqualTo(36 + 16);
    String[] signatures = {"FACP", "APIC"};
    for (int n = 0; n < 2; n++) {
      long pa = memory.readLong(xsdt + 36 + 8 * n);
      byte[] table = new byte[memory.readInt(pa + 4)];
      memory.read(pa, table, 0, table.length);
      assertThat(new String(table, 0, 4, StandardCharsets.US_ASCII)).isEqualTo(signatures[n]);
      assertThat(sum(table, table.length)).isZero();
    }
    assertThat(memory.readLong(memory.readLong(xsdt + 36) + 140)).isEqualTo(dsdt);
    assertThat(tables.used()).isGreaterThan(xsdt);
  }

  @Test
  void interruptControllersAreListedByTheirKind() {
    byte[] madt = new Madt(2, true).ioApic(1, 0xfec0_0000L, 0).override(0, 2, Madt.CONFORMING).nonMaskable(1).table();
    assertThat(HexFormat.of().formatHex(madt, 36, madt.length))
        .isEqualTo("0000e0fe01000000" + "0008000001000000" + "0008010101000000" + "010c01000000c0fe00000000" + "020a00000200000000" + "00"
            + "0406ff000001");
  }

  @Test
  void aProcessorThatMayComeLaterIsListedButNotEnabled() {
    byte[] madt = new Madt(2, 1, 2, false).table();
    assertThat(HexFormat.of().formatHex(madt, 36, madt.length)).isEqualTo("0000e0fe00000000" + "0008000001000000" + "0008010200000000");
  }

  @Test
  void fixedFieldsAreWhereTheSpecificationHasThem() {
    byte[] fadt = Fadt.pc(0x1000, 0x2000, 9, 0x600, 0x32, 0xcf9, 6);
    HexFormat hex = HexFormat.of();
    assertThat(fadt).hasSize(276);
    assertThat(hex.formatHex(fadt, 56, 80)).isEqualTo("00060000" + "00000000" + "04060000" + "00000000" + "00000000" + "08060000");
    assertThat(hex.formatHex(fadt, 116, 129)).isEqualTo("01080001" + "f90c000000000000" + "06");
    assertThat(hex.formatHex(fadt, 148, 160)).isEqualTo("01200003" + "0006000000000000");
    assertThat(hex.formatHex(fadt, 172, 184)).isEqualTo("01100002" + "0406000000000000");
    assertThat(Fadt.facs()).hasSize(64);
  }

  @Test
  void machineLanguageIsEncodedAsTheSpecificationSays() {
    HexFormat hex = HexFormat.of();
    byte[] sleep = Aml.name("\\_S5", Aml.pack(Aml.integer(5), Aml.integer(0), Aml.integer(0x1234), Aml.integer(0x12_3456)));
    assertThat(hex.formatHex(sleep)).isEqualTo("08" + "5c5f53355f" + "12" + "0d" + "04" + "0a05" + "00" + "0b3412" + "0c56341200");
    byte[] clock = Aml.scope("\\_SB", Aml.device("RTC", Aml.name("_HID", Aml.eisaId("PNP0B00"))));
    assertThat(hex.formatHex(clock)).isEqualTo("10" + "17" + "5c5f53425f" + "5b82" + "0f" + "5254435f" + "08" + "5f484944" + "0c41d00b00");
    byte[] ports = Aml.resources(Aml.ports(0x70, 8), Aml.interrupt(8));
    assertThat(hex.formatHex(ports)).isEqualTo("11" + "10" + "0a0d" + "4701700070000108" + "220001" + "7900");
    byte[] longOne = Aml.pack(Aml.string("x".repeat(100)));
    assertThat(hex.formatHex(longOne, 0, 4)).isEqualTo("12" + "4906" + "01");
  }
}
