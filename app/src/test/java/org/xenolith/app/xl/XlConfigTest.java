package org.xenolith.app.xl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class XlConfigTest {
  @Test
  void aUsualFileIsRead() {
    XlConfig config =
        XlConfig.parse(
            """
            # a guest
            name = "test"
            type="pvh"   # in a container
            kernel = '/boot/vmlinuz'; ramdisk="initrd"
            root = "/dev/xvda1 ro"
            extra = "console=hvc0"
            memory = 512
            vcpus=2
            on_poweroff = 'destroy'
            """);
    assertThat(config).isEqualTo(
        new XlConfig(
            "test", true, "/boot/vmlinuz", "initrd", "root=/dev/xvda1 ro console=hvc0", 512, 512, 2, 2, false, java.util.List.of()));
  }

  @Test
  void whatIsNotHonouredIsNamed() {
    XlConfig config =
        XlConfig.parse(
            """
            kernel = "k"
            cmdline = "a \\"b\\""
            extra = "not this"
            memory = 128
            maxmem = 256
            type = "pvh"
            maxvcpus = 4
            vcpus = 1
            disk = [ 'phy:/dev/sda,xvda,w',
                     'b' ]   # two
            vif = []
            on_crash = "restart"
            """);
    assertThat(config.name()).isEqualTo("guest");
    assertThat(config.container()).isTrue();
    assertThat(config.maxMemoryMib()).isEqualTo(128);
    assertThat(config.commandLine()).isEqualTo("a \"b\"");
    assertThat(config.warnings()).hasSize(5);
    assertThat(String.join("\n", config.warnings()))
        .contains("'disk' is not honoured")
        .contains("'vif' is not honoured")
        .contains("'maxmem' is not honoured")
        .contains("'extra' do not count")
        .contains("'on_crash=\"restart\"' is not honoured");
  }

  @Test
  void aGuestThatMayGrowIsRead() {
    XlConfig config =
        XlConfig.parse("kernel='k'\ntype='pv'\nmemory=128\nmaxmem=256\nvcpus=2\nmaxvcpus=4\nmsr_relaxed=1");
    assertThat(new long[] {config.memoryMib(), config.maxMemoryMib(), config.vcpus(), config.maxVcpus()})
        .containsExactly(128, 256, 2, 4);
    assertThat(config.msrRelaxed()).isTrue();
    assertThat(config.warnings()).isEmpty();
    assertThat(XlConfig.parse("kernel='k'\nmaxvcpus=4").vcpus()).isEqualTo(1);
    assertThatThrownBy(() -> XlConfig.parse("kernel='k'\nmemory=256\nmaxmem=128")).hasMessageContaining("'maxmem' is less");
  }

  @Test
  void olderFilesNameABuilder() {
    assertThat(XlConfig.parse("kernel=\"k\"\nbuilder=\"linux\"").container()).isFalse();
    assertThatThrownBy(() -> XlConfig.parse("kernel=\"k\"\nbuilder=\"hvm\"")).isInstanceOf(XlException.class).hasMessageContaining("'hvm'");
  }

  @Test
  void whatIsWrongIsNamedWithItsLine() {
    assertThatThrownBy(() -> XlConfig.parse("name = \"a\"\nkernel\n")).hasMessage("line 2: '=' is wanted");
    assertThatThrownBy(() -> XlConfig.parse("kernel = \"k")).hasMessage("line 1: a string's closing quote is missing");
    assertThatThrownBy(() -> XlConfig.parse("kernel = [ 'k'")).hasMessage("line 1: a list's closing bracket is missing");
    assertThatThrownBy(() -> XlConfig.parse("kernel = k")).hasMessageContaining("line 1: a number, a string");
    assertThatThrownBy(() -> XlConfig.parse("name = 'x'")).hasMessageContaining("no 'kernel' is set");
    assertThatThrownBy(() -> XlConfig.parse("kernel = 'k'\nmemory = 'much'")).hasMessageContaining("'memory' is \"much\"");
    assertThatThrownBy(() -> XlConfig.parse("kernel = 'k' 3")).hasMessage("line 1: the end of the line is wanted");
  }
}
