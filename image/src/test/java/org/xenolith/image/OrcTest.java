package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class OrcTest {
  private static final long CODE = 0xffffffff81000000L, DISTANCES = 0xffffffff82000000L;

  /** A kernel with two functions: one whose frame is found by rsp and one that is entered by an exception. */
  static Elf kernel(int... bits) {
    ByteBuffer distances = ElfBuilder.buffer(64);
    ByteBuffer entries = ElfBuilder.buffer(64);
    for (int n = 0; n < bits.length; n++) {
      distances.putInt((int) (CODE + 0x10L * n - (DISTANCES + 4L * n)));
      entries.putShort((short) (8 * (n + 1))).putShort((short) (-16 * n)).putShort((short) bits[n]);
    }
    byte[] elf =
        new ElfBuilder(true)
            .load(CODE, 0x1000000, 5, new byte[64], 64)
            .section(".orc_unwind_ip", DISTANCES, ElfBuilder.used(distances))
            .section(".orc_unwind", DISTANCES + 0x100, ElfBuilder.used(entries))
            .build();
    return Elf.parse(MemorySegment.ofArray(elf));
  }

  @Test
  void entriesHoldFromTheirAddressToTheNext() {
    Orc orc = Orc.find(kernel(Orc.SP | Orc.UNDEFINED << 4, Orc.BP | Orc.PREVIOUS_SP << 4 | 1 << 8, 1 << 10, 0), "6.1.0").orElseThrow();
    assertThat(orc.size()).isEqualTo(4);
    assertThat(orc.at(CODE - 1)).isEmpty();
    assertThat(orc.at(CODE)).hasValue(new Orc.Hint(Orc.Kind.CALL, Orc.SP, 8, Orc.UNDEFINED, 0));
    assertThat(orc.at(CODE + 0xf)).isEqualTo(orc.at(CODE));
    assertThat(orc.at(CODE + 0x10)).hasValue(new Orc.Hint(Orc.Kind.REGISTERS, Orc.BP, 16, Orc.PREVIOUS_SP, -16));
    assertThat(orc.at(CODE + 0x20).orElseThrow().kind()).isEqualTo(Orc.Kind.END);
    assertThat(orc.at(CODE + 0x1000).orElseThrow().kind()).isEqualTo(Orc.Kind.NONE);
  }

  @Test
  void linux64NumbersTheKindsAnew() {
    Orc orc = Orc.find(kernel(Orc.SP | 2 << 8, 1 << 8, Orc.SP | 3 << 8, Orc.SP | 4 << 8, 0), "6.4.1").orElseThrow();
    assertThat(orc.at(CODE).orElseThrow().kind()).isEqualTo(Orc.Kind.CALL);
    assertThat(orc.at(CODE + 0x10).orElseThrow().kind()).isEqualTo(Orc.Kind.END);
    assertThat(orc.at(CODE + 0x20).orElseThrow().kind()).isEqualTo(Orc.Kind.REGISTERS);
    assertThat(orc.at(CODE + 0x30).orElseThrow().kind()).isEqualTo(Orc.Kind.PARTIAL_REGISTERS);
    assertThat(orc.at(CODE + 0x40).orElseThrow().kind()).isEqualTo(Orc.Kind.NONE);
  }

  @Test
  void anImageWithoutTheTablesHasNone() {
    byte[] elf = new ElfBuilder(true).load(CODE, 0x1000000, 5, new byte[64], 64).build();
    assertThat(Orc.find(Elf.parse(MemorySegment.ofArray(elf)), "6.1.0")).isEmpty();
  }
}
