package org.xenolith.isa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Instruction.NO_REGISTER;

import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the encoder makes of every form of every row, the decoder must take apart into the same row and operands. */
class EncoderDecoderTest {
  private static final List<Operand> ADDRESSES =
      List.of(
          Operand.mem(0, 0),
          Operand.mem(5, 0),
          Operand.mem(4, 8),
          Operand.mem(3, -128),
          Operand.mem(3, 0x12345678),
          Operand.mem(1, 7, 3, 4),
          Operand.mem(5, 5, 1, 0),
          Operand.mem(NO_REGISTER, 0x1000),
          Operand.mem(NO_REGISTER, 2, 2, -4),
          Operand.mem(6, 0).in(Instruction.GS));
  private static final List<Operand> LONG_ADDRESSES =
      List.of(
          Operand.ripRelative(-5),
          Operand.mem(13, 0),
          Operand.mem(12, 0),
          Operand.mem(15, 12, 0, 300),
          Operand.mem(8, 13, 2, 1),
          Operand.mem(4, 9, 1, 0));

  private final Decoder decoder = new Decoder();
  private final Random random = new Random(1);

  @ParameterizedTest
  @EnumSource(names = {"LONG64", "COMPAT32"})
  void everyFormOfEveryRowSurvivesEncodingAndDecoding(CpuMode mode) {
    int cases = 0;
    for (Encoding row : Encoding.all()) {
      for (Form form : Form.of(row, mode)) {
        for (int i = 0; i < 32; i++) {
          roundTrip(form, address(mode, i), row.condition ? i & 15 : 0);
          cases++;
        }
      }
    }
    assertThat(cases).isGreaterThan(40_000);
  }

  private static Operand address(CpuMode mode, int i) {
    int all = mode == CpuMode.LONG64 ? ADDRESSES.size() + LONG_ADDRESSES.size() : ADDRESSES.size();
    int n = i % all;
    return n < ADDRESSES.size() ? ADDRESSES.get(n) : LONG_ADDRESSES.get(n - ADDRESSES.size());
  }

  private void roundTrip(Form form, Operand address, int condition) {
    Operand[] operands = form.operands(random, address, form.row().notRexB ? 0xff00 : 0);
    if (form.row().opcode == 0x90 && form.row().map == 0 && operands.length > 0 && operands[0].register == 0) {
      operands[0] = Operand.gpr(3); // xchg of rax with itself is NOP
    }
    byte[] code = form.encoder().condition(condition).encode(operands);
    long va = 0x401000;
    Instruction instruction = decoder.decode(code, 0, code.length, va, form.mode());
    String what = form + " " + List.of(form.row().operands) + " " + HexFormat.of().formatHex(code);
    assertThat(instruction).as(what).isNotNull();
    assertThat(instruction.encoding).as(what).isSameAs(form.row());
    assertThat((int) instruction.length).as(what).isEqualTo(code.length);
    assertThat((int) instruction.condition).as(what).isEqualTo(condition);
    if (form.row().isVex() || form.row().isEvex()) {
      return;
    }
    for (int i = 0; i < operands.length; i++) {
      if (operands[i] != null) {
        assertThat(operand(instruction, i)).as(what).isEqualTo(expected(form.row().operand(i), operands[i], form));
      }
    }
    for (int cut = 0; cut < code.length; cut++) {
      assertThat(decoder.decode(code, 0, cut, va, form.mode())).as(what + " cut to " + cut).isNull();
    }
  }

  private static String operand(Instruction in, int i) {
    return switch (in.kind(i)) {
      case MEM -> "mem " + in.base + " " + in.index + " " + in.shift + " " + in.ripRelative + " " + in.displacement();
      case IMM, REL -> "number " + in.imm;
      case PORT -> "number " + (in.reg(i) == NO_REGISTER ? in.imm : -1);
      case IMM2 -> "number " + (int) in.imm2;
      case MOFFS -> "number " + in.ea;
      case FAR -> "far " + (int) in.imm2 + " " + in.imm;
      default -> in.kind(i) + " " + in.reg(i);
    };
  }

  private static String expected(OperandSpec spec, Operand operand, Form form) {
    return switch (operand.kind) {
      case MEM ->
          "mem " + operand.base + " " + operand.index + " " + operand.shift + " " + operand.ripRelative + " " + operand.value;
      case IMM -> {
        int unused = 64 - spec.width.bytes(form.operandSize(), form.mode()) * 8;
        yield "number " + (spec.signed ? operand.value : operand.value << unused >>> unused);
      }
      case MOFFS -> "number " + operand.value;
      case FAR -> {
        int unused = 64 - form.operandSize() * 8;
        yield "far " + operand.selector + " " + (operand.value << unused >>> unused);
      }
      default -> operand.kind + " " + operand.register;
    };
  }
}
