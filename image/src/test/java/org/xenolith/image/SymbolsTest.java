package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SymbolsTest {
  private static final int COUNT = 1_000;

  private static List<String> names() {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < COUNT; i++) {
      names.add("T" + (i % 3 == 0 ? "xen_" : "do_init") + "x86_start_" + i);
    }
    names.set(700, "t" + "a_name_of_more_than_128_bytes".repeat(8));
    names.set(701, "Dstart_info");
    return names;
  }

  private static Symbols find(KallsymsBuilder.Layout layout, long[] addresses) {
    long va = Samples.BASE + 0x8000;
    byte[] rodata = new KallsymsBuilder(layout, va, names(), addresses).build();
    ElfBuilder builder = Samples.guest().load(va, 0x1010000, Segment.READ, rodata, rodata.length);
    return Samples.read(builder.build()).symbols();
  }

  private static long[] addresses() {
    long[] addresses = new long[COUNT];
    for (int i = 0; i < COUNT; i++) {
      addresses[i] = Samples.BASE + 16L * i;
    }
    addresses[501] = addresses[500];
    return addresses;
  }

  @ParameterizedTest
  @EnumSource
  void kallsymsIsFoundInEveryLayoutLinuxHasHad(KallsymsBuilder.Layout layout) {
    long[] addresses = addresses();
    Symbols symbols = find(layout, addresses);
    assertThat(symbols.source()).isEqualTo(Symbols.Source.KALLSYMS);
    assertThat(symbols.size()).isEqualTo(COUNT);
    List<String> names = names();
    for (int i = 0; i < COUNT; i++) {
      assertThat(symbols.address(i)).isEqualTo(addresses[i]);
      assertThat(symbols.type(i) + symbols.name(i)).isEqualTo(names.get(i));
    }
  }

  @ParameterizedTest
  @EnumSource(names = "PER_CPU.*", mode = EnumSource.Mode.MATCH_ALL)
  void perCpuOffsetsAreFoundByNameAndNotByAddress(KallsymsBuilder.Layout layout) {
    long[] addresses = addresses();
    for (int i = 0; i < 10; i++) {
      addresses[i] = 8L * i;
    }
    Symbols symbols = find(layout, addresses);
    assertThat(symbols.address(symbols.name(3))).hasValue(24);
    assertThat(symbols.nearest(24)).isEmpty();
    assertThat(symbols.nearest(Samples.BASE)).isEmpty();
  }

  @Test
  void addressIsNamedByTheSymbolBeforeIt() {
    Symbols symbols = find(KallsymsBuilder.Layout.PER_CPU_ABSOLUTE_LAST, addresses());
    assertThat(symbols.nearest(Samples.BASE + 16 * 701 + 5).orElseThrow()).hasToString("start_info+0x5/0x10");
    assertThat(symbols.nearest(Samples.BASE - 1)).isEmpty();
    assertThat(symbols.nearest(0x1000)).isEmpty();
    assertThat(symbols.nearest(-1)).isEmpty();
  }

  @Test
  void ofSeveralNamesForAnAddressTheFirstIsTaken() {
    Symbols symbols = find(KallsymsBuilder.Layout.PLACE_RELATIVE, addresses());
    Symbols.Place place = symbols.nearest(Samples.BASE + 16 * 500 + 20).orElseThrow();
    assertThat(place.name()).isEqualTo(symbols.name(500));
    assertThat(place.offset()).isEqualTo(20);
    assertThat(place.size()).isEqualTo(32);
    assertThat(symbols.length(500)).isEqualTo(32);
  }

  @Test
  void nameLeadsToItsAddress() {
    Symbols symbols = find(KallsymsBuilder.Layout.BASE_RELATIVE, addresses());
    for (int i = 0; i < COUNT; i++) {
      assertThat(symbols.address(symbols.name(i))).hasValue(symbols.address(i));
    }
    assertThat(symbols.address("no_such_symbol")).isEmpty();
    assertThat(symbols.address("")).isEmpty();
  }

  @Test
  void imageWithoutSymbolsHasNone() {
    Symbols symbols = Samples.read(Samples.guest().build()).symbols();
    assertThat(symbols.source()).isEqualTo(Symbols.Source.NONE);
    assertThat(symbols.size()).isZero();
    assertThat(symbols.nearest(Samples.BASE)).isEmpty();
    assertThat(symbols.address("_text")).isEmpty();
  }

  @Test
  void symbolTableServesWhereThereIsOne() {
    StringBuilder strings = new StringBuilder("\0");
    ByteBuffer table = ElfBuilder.buffer(24 * 8).put(new byte[24]);
    symbol(table, strings, "later", 2, 1, 1, 0x100020);
    symbol(table, strings, "alias", 0, 1, 1, 0x100000);
    symbol(table, strings, "_start", 2, 1, 1, 0x100000);
    symbol(table, strings, "file.c", 4, 0, 0xfff1, 0);
    symbol(table, strings, "version", 1, 1, 0xfff1, 5);
    symbol(table, strings, "hidden", 1, 0, 1, 0x100028);
    byte[] text = Samples.mixed(64);
    ElfBuilder builder =
        new ElfBuilder(true)
            .load(0x100000, 0x100000, 7, text, 0x40)
            .section(".text", 1, Section.ALLOC | 4, 0x100000, text, 0, 0)
            .section(".symtab", Section.SYMTAB, 0, 0, ElfBuilder.used(table), 3, 24)
            .section(".strtab", 3, 0, 0, strings.toString().getBytes(), 0, 0);
    Symbols symbols = Samples.read(builder.build()).symbols();
    assertThat(symbols.source()).isEqualTo(Symbols.Source.SYMTAB);
    assertThat(symbols.size()).isEqualTo(4);
    assertThat(symbols.nearest(0x100001).orElseThrow()).hasToString("_start+0x1/0x20");
    assertThat(symbols.nearest(0x10003f).orElseThrow()).hasToString("hidden+0x17/0x18");
    assertThat(symbols.nearest(0x100040)).isEmpty();
    assertThat(symbols.address("alias")).hasValue(0x100000);
    assertThat(symbols.type(symbols.indexOf(0x100000))).isEqualTo('T');
    assertThat(symbols.type(symbols.indexOf(0x100028))).isEqualTo('t');
  }

  private static void symbol(ByteBuffer table, StringBuilder strings, String name, int kind, int binding, int section, long value) {
    table.putInt(strings.length()).put((byte) (binding << 4 | kind)).put((byte) 0).putShort((short) section).putLong(value).putLong(0);
    strings.append(name).append('\0');
  }
}
