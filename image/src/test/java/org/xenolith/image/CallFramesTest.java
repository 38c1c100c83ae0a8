package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** ORC entries as DWARF call frame information; entry n is for 16 bytes of code, with offsets 8 (n + 1) and -16 n. */
class CallFramesTest {
  private static final int CALL = 0, REGISTERS = 1 << 8, PARTIAL = 2 << 8, END = 1 << 10;

  private record Entry(String augmentation, long from, long length, String program) {}

  /** The entries for code, with the programs' padding left away. */
  private static List<Entry> entries(int... bits) {
    Orc orc = Orc.find(OrcTest.kernel(bits), "6.1.0").orElseThrow();
    ByteBuffer section = ByteBuffer.wrap(CallFrames.of(orc)).order(ByteOrder.LITTLE_ENDIAN);
    List<Entry> entries = new ArrayList<>();
    while (section.hasRemaining()) {
      int end = section.getInt() + section.position();
      int id = section.getInt();
      if (id != -1) {
        String augmentation = section.get(id + 9) == 'S' ? "S" : "";
        long from = section.getLong();
        long length = section.getLong();
        byte[] program = new byte[end - section.position()];
        section.get(program);
        entries.add(new Entry(augmentation, from, length, HexFormat.of().formatHex(program).replaceAll("(00)+$", "")));
      }
      section.position(end);
    }
    return entries;
  }

  private static final long CODE = 0xffffffff81000000L;

  @Test
  void framesOfCallsAreFoundByTheirRegisters() {
    assertThat(entries(Orc.SP | CALL, Orc.BP | Orc.PREVIOUS_SP << 4, Orc.R10 | Orc.BP << 4, 0))
        .containsExactly(
            // rsp + 8, rbp unchanged; after 16 bytes rbp + 16, rbp saved 16 below; after 16 more r10, rbp saved 32 below rbp.
            new Entry("", CODE, 0x30, "0c0708" + "0806" + "50" + "0c0610" + "110602" + "50" + "0c0a00" + "1006027660"));
  }

  @Test
  void indirectFramesAreExpressions() {
    String program = "0f06" + "7700" + "06" + "1108" + "22" + "0806" + "50" + "0f06" + "7610" + "06" + "1100" + "22" + "0806";
    assertThat(entries(Orc.SP_INDIRECT, Orc.BP_INDIRECT, 0)).containsExactly(new Entry("", CODE, 0x20, program));
  }

  @Test
  void interruptedFramesAreOfTheirOwnSortAndCodeWithoutACallerEndsTheStack() {
    assertThat(entries(Orc.SP | REGISTERS, Orc.SP | PARTIAL, END, 0))
        .containsExactly(
            new Entry("S", CODE, 0x10, "0c0708"), new Entry("S", CODE + 0x10, 0x10, "0c0710"), new Entry("", CODE + 0x20, 0x10, ""));
  }

  @Test
  void whereOrcSaysNothingNothingIsSaid() {
    assertThat(entries(0, Orc.SP, 0)).extracting(Entry::from).containsExactly(CODE + 0x10);
  }
}
