package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.xenolith.image.KernelImage;

class BootOptionsTest {
  /** An ELF32 file of one segment at 1 MiB; its 12 bytes at 60h are a Multiboot header, or zero. */
  private static KernelImage image(boolean multiboot) {
    ByteBuffer elf = ByteBuffer.allocate(0x80).order(ByteOrder.LITTLE_ENDIAN);
    elf.put(new byte[] {0x7f, 'E', 'L', 'F', 1, 1, 1}).position(16);
    elf.putShort((short) 2).putShort((short) 3).putInt(1).putInt(0x10_0000).putInt(52).putInt(0).putInt(0);
    elf.putShort((short) 52).putShort((short) 32).putShort((short) 1).putShort((short) 40).putShort((short) 0).putShort((short) 0);
    elf.putInt(1).putInt(0).putInt(0x10_0000).putInt(0x10_0000).putInt(0x80).putInt(0x80).putInt(7).putInt(0x1000);
    if (multiboot) {
      elf.putInt(0x60, 0x1bad_b002).putInt(0x64, 0).putInt(0x68, -0x1bad_b002);
    }
    return KernelImage.read("kernel", MemorySegment.ofArray(elf.array()));
  }

  private static BootOptions options(BootOptions.Mode mode, String append) {
    BootOptions options = new BootOptions();
    options.mode = mode;
    options.append = append;
    return options;
  }

  @Test
  void theCommandLineBeginsWithTheConsoleOfTheMode() {
    assertThat(options(BootOptions.Mode.pv, "").commandLine(image(false))).isEqualTo("console=hvc0");
    assertThat(options(BootOptions.Mode.pvh, "quiet").commandLine(image(false))).isEqualTo("console=hvc0 quiet");
    assertThat(options(BootOptions.Mode.bare, "quiet").commandLine(image(false))).isEqualTo("console=ttyS0 quiet");
  }

  @Test
  void aMultibootKernelGetsOnlyWhatIsAppended() {
    assertThat(options(BootOptions.Mode.bare, " 200000 10 ").commandLine(image(true))).isEqualTo("200000 10");
    assertThat(options(BootOptions.Mode.bare, "").commandLine(image(true))).isEmpty();
  }
}
