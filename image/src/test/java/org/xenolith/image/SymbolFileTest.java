package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SymbolFileTest {
  private static KernelImage image() {
    long va = Samples.BASE + 0x8000;
    List<String> names = new ArrayList<>();
    long[] addresses = new long[1000];
    for (int n = 0; n < addresses.length; n++) {
      names.add((n % 2 == 0 ? "T" : "t") + "function_" + n);
      addresses[n] = Samples.BASE + 16L * n;
    }
    names.set(3, "Ddatum");
    byte[] rodata = new KallsymsBuilder(KallsymsBuilder.Layout.values()[0], va, names, addresses).build();
    return Samples.read(Samples.guest().load(va, 0x1010000, Segment.READ, rodata, rodata.length).build());
  }

  @Test
  void holdsEverySymbolWithKindAndSectionLocalOnesFirst() {
    KernelImage image = image();
    ByteBuffer file = ByteBuffer.wrap(SymbolFile.of(image)).order(ByteOrder.LITTLE_ENDIAN);
    int sections = (int) file.getLong(40);
    int symtab = section(file, Section.SYMTAB);
    int at = (int) file.getLong(symtab + 24);
    int count = (int) file.getLong(symtab + 32) / 24;
    int strings = (int) file.getLong(sections + 64 * file.getInt(symtab + 40) + 24);
    Symbols symbols = image.symbols();
    assertThat(count).isEqualTo(symbols.size() + 1);
    int firstGlobal = file.getInt(symtab + 44);
    for (int n = 1; n < count; n++) {
      int symbol = at + 24 * n;
      String name = string(file, strings + file.getInt(symbol));
      long address = file.getLong(symbol + 8);
      int kind = file.get(symbol + 4);
      assertThat(symbols.address(name)).hasValue(address);
      assertThat(kind >> 4).as(name).isEqualTo(n >= firstGlobal ? 1 : 0);
      assertThat(kind & 15).as(name).isEqualTo(name.equals("datum") ? 1 : 2);
      int section = sections + 64 * file.getShort(symbol + 6);
      assertThat(address - file.getLong(section + 16)).as(name).isBetween(0L, file.getLong(section + 32) - 1);
      assertThat(file.getInt(section + 4)).isEqualTo(Section.NOBITS);
    }
  }

  private static int section(ByteBuffer file, int type) {
    int at = (int) file.getLong(40);
    while (file.getInt(at + 4) != type) {
      at += 64;
    }
    return at;
  }

  private static String string(ByteBuffer file, int at) {
    StringBuilder text = new StringBuilder();
    for (int n = at; file.get(n) != 0; n++) {
      text.append((char) file.get(n));
    }
    return text.toString();
  }

  @Test
  void anImageWithoutSymbolsIsRefused() {
    KernelImage image = Samples.read(Samples.guest().build());
    assertThatThrownBy(() -> SymbolFile.of(image)).isInstanceOf(ImageException.class).hasMessageContaining("no symbols");
  }
}
