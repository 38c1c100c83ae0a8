package org.xenolith.isa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.xenolith.isa.Assembler.*;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.mem;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

class AssemblerTest {
  @Test
  void theShortestEncodingIsChosen() {
    assertThat(hex(new Assembler(0).emit(Mnemonic.ADD, 8, gpr(RCX), imm(1)))).isEqualTo("4883c101");
    assertThat(hex(new Assembler(0).emit(Mnemonic.ADD, 4, gpr(RAX), imm(0x12345678)))).isEqualTo("0578563412");
    assertThat(hex(new Assembler(0).emit(Mnemonic.AND, 4, gpr(RCX), imm(0xfffffff0L)))).isEqualTo("83e1f0");
    assertThat(hex(new Assembler(0).emit(Mnemonic.CMP, 1, mem(RDI, 0), imm(0x80)))).isEqualTo("803f80");
    assertThat(hex(new Assembler(0).emit(Mnemonic.PUSH, gpr(R12)))).isEqualTo("4154");
    assertThat(hex(new Assembler(0).emit(Mnemonic.SHL, 4, gpr(RDX), imm(1)))).isEqualTo("d1e2");
    assertThat(hex(new Assembler(0).emit(Mnemonic.OUT, 1, gpr(RDX), gpr(RAX)))).isEqualTo("ee");
    assertThat(hex(new Assembler(0).emit(Mnemonic.MOV, Operand.register(OperandKind.CR, 3), gpr(RAX)))).isEqualTo("0f22d8");
  }

  @Test
  void numbersAreLoadedTheShortestWay() {
    assertThat(hex(new Assembler(0).mov(RAX, 0xffffffffL))).isEqualTo("b8ffffffff");
    assertThat(hex(new Assembler(0).mov(RAX, -1))).isEqualTo("48c7c0ffffffff");
    assertThat(hex(new Assembler(0).mov(R9, 0x123456789abcdef0L))).isEqualTo("49b9f0debc9a78563412");
  }

  @Test
  void labelsAreReachedForwardsAndBackwards() {
    Assembler a = new Assembler(0x1000);
    Label end = a.newLabel();
    Label data = a.newLabel();
    Label loop = a.here();
    a.emit(Mnemonic.DEC, gpr(RCX)).jcc(NE, loop).call(end).lea(RSI, data).jmp(end).bind(end).emit(Mnemonic.RET);
    a.align(16).bind(data).data(end).text("ok");
    byte[] program = a.toBytes();
    List<String> texts = new ArrayList<>();
    Decoder decoder = new Decoder();
    for (int at = 0; at < a.address(end) - 0x1000 + 1; ) {
      Instruction in = decoder.decode(program, at, program.length, 0x1000 + at, CpuMode.LONG64);
      texts.add(in.toString());
      at += in.length;
    }
    assertThat(texts).containsExactly("dec %rcx", "jne 0x1000", "call 0x101a", "lea 0xb(%rip),%rsi        # 0x1020", "jmp 0x101a", "ret");
    assertThat(a.address(data)).isEqualTo(0x1020);
    assertThat(HexFormat.of().formatHex(program, 0x20, 0x2a)).isEqualTo("1a10000000000000" + "6f6b");
  }

  @Test
  void whatCannotBeEncodedIsRefused() {
    assertThatThrownBy(() -> new Assembler(0).emit(Mnemonic.ADD, 8, gpr(RCX), imm(1L << 40)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no encoding of ADD");
    assertThatThrownBy(() -> new Assembler(0).emit(Mnemonic.MOV, 8, mem(RAX, 0), mem(RAX, 0))).isInstanceOf(IllegalArgumentException.class);
    Assembler a = new Assembler(0);
    a.jmp(a.newLabel());
    assertThatThrownBy(a::toBytes).isInstanceOf(IllegalStateException.class).hasMessage("the label has no place");
  }

  private static String hex(Assembler a) {
    return HexFormat.of().formatHex(a.toBytes());
  }
}
