package org.xenolith.isa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The system's objdump as a second opinion on lengths and mnemonics. */
class ObjdumpAgreementTest {
  private static final List<Operand> ADDRESSES =
      List.of(
          Operand.mem(1, 7, 3, 4),
          Operand.mem(3, 16),
          Operand.mem(6, -300),
          Operand.mem(7, 8).in(Instruction.GS),
          Operand.mem(Instruction.NO_REGISTER, 0x7000));

  @BeforeEach
  void objdumpIsNeeded() {
    assumeTrue(Objdump.isInstalled(), "objdump (binutils) is not installed");
  }

  @ParameterizedTest
  @EnumSource(names = {"LONG64", "COMPAT32"})
  void objdumpReadsEveryFormOfEveryRowAsWeDo(CpuMode mode) throws Exception {
    Random random = new Random(3);
    ByteArrayOutputStream code = new ByteArrayOutputStream();
    for (Encoding row : Encoding.all()) {
      if (isUnknownToObjdump(row)) {
        continue;
      }
      for (Form form : Form.of(row, mode)) {
        for (int i = 0; i < 5; i++) {
          boolean vector = row.isVex() || row.isEvex();
          Operand address = vector ? ADDRESSES.getFirst() : ADDRESSES.get(i);
          Operand[] operands = form.operands(random, address, row.notRexB ? 0xff00 : 0);
          code.write(form.encoder().condition(row.condition ? random.nextInt(16) : 0).encode(operands));
        }
      }
    }
    code.write(new byte[16]);
    Objdump objdump = new Objdump(mode);
    objdump.compare(code.toByteArray(), 0x10000);
    assertThat(objdump.instructions).isGreaterThan(15_000);
    assertThat(objdump.differences).isEmpty();
  }

  /** Processors run these, objdump calls them bad: undocumented x87 encodings, SALC; and FWAIT, which it joins with what follows. */
  private static boolean isUnknownToObjdump(Encoding row) {
    boolean undocumented = row.has(Encoding.ALIAS) && row.feature == Feature.X87 || row.mnemonic == Mnemonic.SALC;
    return undocumented || row.mnemonic == Mnemonic.FWAIT;
  }

  @Test
  void objdumpReadsTheWholeTextOfAKernelAsWeDo() throws Exception {
    Path kernel = Path.of(System.getProperty("xenolith.test.kernel", "none"));
    assumeTrue(Files.isReadable(kernel), "no kernel at " + kernel + ": ./xenolith kernel fetch gets one");
    byte[] elf = vmlinux(kernel);
    ByteBuffer buffer = ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN);
    long sections = buffer.getLong(0x28);
    int count = buffer.getShort(0x3c);
    Objdump objdump = new Objdump(CpuMode.LONG64);
    for (int i = 0; i < count; i++) { // an ELF section header: type at 4, flags at 8, address at 16, offset at 24, size at 32
      int at = (int) sections + i * 64;
      boolean code = buffer.getInt(at + 4) == 1 && (buffer.getLong(at + 8) & 4) != 0;
      if (code) {
        byte[] text = new byte[(int) buffer.getLong(at + 32)];
        buffer.get((int) buffer.getLong(at + 24), text);
        objdump.compare(text, buffer.getLong(at + 16));
      }
    }
    System.out.println(objdump.instructions + " instructions of the kernel's text compared with objdump, " + objdump.different + " differ");
    assertThat(objdump.instructions).isGreaterThan(1_000_000);
    assertThat(objdump.differences).isEmpty();
  }

  /** The kernel's ELF file: as it is, or from a bzImage with an xz payload by the system's xz. */
  private static byte[] vmlinux(Path kernel) throws IOException, InterruptedException {
    byte[] image = Files.readAllBytes(kernel);
    if (image[0] == 0x7f) {
      return image;
    }
    byte[] magic = {(byte) 0xfd, '7', 'z', 'X', 'Z', 0};
    int start = 0;
    while (start < image.length - 6 && !Arrays.equals(image, start, start + 6, magic, 0, 6)) {
      start++;
    }
    assumeTrue(start < image.length - 6, "the payload of " + kernel + " is not xz: give the unpacked vmlinux instead");
    Path payload = Files.createTempFile("xenolith-isa", ".xz");
    try {
      Files.write(payload, Arrays.copyOfRange(image, start, image.length));
      Process xz = new ProcessBuilder("xz", "-dc", "--single-stream", payload.toString()).start();
      try (InputStream out = xz.getInputStream()) {
        return out.readAllBytes();
      }
    } finally {
      Files.delete(payload);
    }
  }
}
