package org.xenolith.translator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Decoder;

/** What the emitter writes is what the table of instructions reads. */
class EmitterTest {
  private static String text(Consumer<Emitter> code) {
    Emitter e = new Emitter();
    e.begin(0x1000);
    code.accept(e);
    return new Decoder().decode(e.bytes(), 0, e.position(), 0x1000, CpuMode.LONG64).toString();
  }

  @Test
  void addressesOfEveryBaseAreWritten() {
    for (int base = 0; base < 16; base++) {
      int register = base;
      for (int displacement : new int[] {0, 8, -128, 128, 0x12345}) {
        String name = new String[] {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15"}[base];
        String digits = "0x" + Integer.toHexString(Math.abs(displacement));
        String sign = displacement < 0 ? "-" + digits : displacement == 0 ? "" : digits;
        assertThat(text(e -> e.load(9, register, displacement))).isEqualTo("mov " + sign + "(%" + name + "),%r9");
      }
    }
  }

  @Test
  void scaledAddressesAreWritten() {
    assertThat(text(e -> e.lea(3, 13, 12, 3, 0))).isEqualTo("lea (%r13,%r12,8),%rbx");
    assertThat(text(e -> e.lea(8, -1, 9, 2, 16))).isEqualTo("lea 0x10(,%r9,4),%r8");
  }

  @Test
  void indexedAddressesAreWritten() {
    assertThat(text(e -> e.arithmeticIndexed(Emitter.SUB, 10, 15, 11, 0x4180))).isEqualTo("sub 0x4180(%r15,%r11,1),%r10");
    assertThat(text(e -> e.arithmeticIndexed(Emitter.ADD, 3, 13, 1, 0))).isEqualTo("add (%r13,%rcx,1),%rbx");
  }

  /** The VEX prefix is not in the table of instructions: the bytes are those of the manual (Intel SDM 2, RORX). */
  @Test
  void rotationsAreWritten() {
    Emitter e = new Emitter();
    e.begin(0);
    e.rotate32(11, 10, 8);
    e.rotate32(0, 7, 8);
    assertThat(HexFormat.of().formatHex(e.bytes(), 0, e.position())).isEqualTo("c4437bf0da08" + "c4e37bf0c708");
  }

  @Test
  void numbersTakeTheShortestForm() {
    assertThat(text(e -> e.constant(10, 5))).isEqualTo("mov $0x5,%r10d");
    assertThat(text(e -> e.constant(10, -5))).isEqualTo("mov $0xfffffffffffffffb,%r10");
    assertThat(text(e -> e.constant(10, 0x1234_5678_9abcL))).isEqualTo("movabs $0x123456789abc,%r10");
  }

  @Test
  void jumpsLeadWhereTheyAreBound() {
    assertThat(text(e -> e.jumpTo(0x2000))).isEqualTo("jmp 0x2000");
  }
}
