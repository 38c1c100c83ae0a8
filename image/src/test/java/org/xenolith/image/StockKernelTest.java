package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A distribution's PV kernel, if the property {@code xenolith.test.kernel} leads to one. */
class StockKernelTest {
  private static KernelImage image;

  @BeforeAll
  static void read() {
    Path path = Path.of(System.getProperty("xenolith.test.kernel", "none"));
    assumeTrue(Files.isReadable(path), "no kernel at " + path + ": ./xenolith kernel fetch gets one");
    image = KernelImage.read(path);
  }

  @Test
  void entryOfTheNotesIsNamed() {
    assertThat(image.symbols().nearest(image.pvLayout().virtEntry()).orElseThrow().name()).isEqualTo("startup_xen");
    assertThat(image.symbols().address("startup_xen")).hasValue(image.pvLayout().virtEntry());
  }

  @Test
  void everySymbolHasANameAndLeadsBackToItsAddress() {
    Symbols symbols = image.symbols();
    assertThat(symbols.size()).isGreaterThan(10_000);
    for (int i = 0; i < symbols.size(); i++) {
      assertThat(symbols.name(i)).isNotEmpty().matches("[\\x21-\\x7e]+");
      assertThat(symbols.type(i)).isBetween('A', 'z');
    }
    assertThat(symbols.address("_text")).hasValue(image.pvLayout().virtStart());
  }

  @Test
  void headersReleaseIsTheBanners() {
    assertThat(image.banner().orElseThrow()).startsWith("Linux version " + image.release().orElseThrow());
    assertThat(image.buildId().orElseThrow()).hasSize(40);
  }

  @Test
  void everyFunctionCanBeUnwoundAtItsFirstInstruction() {
    Orc orc = image.orc().orElseThrow();
    Symbols symbols = image.symbols();
    for (String name : new String[] {"do_sys_open", "vfs_read", "schedule", "xen_mc_flush"}) {
      Orc.Hint hint = orc.at(symbols.address(name).orElseThrow()).orElseThrow();
      assertThat(hint).as(name).isEqualTo(new Orc.Hint(Orc.Kind.CALL, Orc.SP, 8, Orc.UNDEFINED, 0));
    }
    for (int i = 1; i < orc.size(); i++) {
      assertThat(orc.address(i)).isGreaterThanOrEqualTo(orc.address(i - 1));
    }
  }
}
