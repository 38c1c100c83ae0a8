package org.xenolith.isa;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What processors do with prefixes and with what is no instruction. Most of the refusals were seen on a Zen 4, too. */
class DecoderTest {
  private static final long ADDRESS = 0x401000;

  @ParameterizedTest
  @CsvSource({
    "f3 0f bc c1, 'bsf %ecx,%eax'",
    "f3 0f bd c1, 'bsr %ecx,%eax'",
    "f3 0f b8 c1, 'popcnt %ecx,%eax'",
    "66 f3 0f b8 c1, 'popcnt %cx,%ax'",
    "f3 90, pause",
    "90, nop",
    "41 90, 'xchg %eax,%r8d'",
    "f3 0f 1e fa, endbr64",
    "f3 0f 1e c8, nopl %eax",
    "f3 c3, ret",
    "66 f3 0f 58 c1, 'addss %xmm1,%xmm0'",
    "f2 f3 0f 58 c1, 'addss %xmm1,%xmm0'",
    "f3 f2 0f 58 c1, 'addsd %xmm1,%xmm0'",
    "66 f2 0f 38 f1 c1, 'crc32 %cx,%eax'",
    "f3 48 ab, 'rep stos %rax,%es:(%rdi)'",
    "f2 a6, 'repnz cmpsb %es:(%rdi),%ds:(%rsi)'",
    "48 66 01 c8, 'add %cx,%ax'",
    "66 48 01 c8, 'add %rcx,%rax'",
    "48 41 01 c8, 'add %ecx,%r8d'",
    "3e 64 8b 00, 'mov %fs:(%rax),%eax'",
    "64 3e 8b 00, 'mov %fs:(%rax),%eax'",
    "67 8b 05 00 00 00 00, 'mov 0x0(%eip),%eax        # 0x401007'",
    "40 88 e0, 'mov %spl,%al'",
    "88 e0, 'mov %ah,%al'",
    "f0 48 0f c7 0f, 'lock cmpxchg16b (%rdi)'",
    "0f ff c0, 'ud0 %eax,%eax'",
    "0f 20 04, 'mov %cr0,%rsp'",
    "d9 d9, fstp %st(1)"
  })
  void prefixesCountAsOnTheProcessor(String hex, String text) {
    assertThat(decode(hex, CpuMode.LONG64)).hasToString(text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "06", "27", "60", "82 c0", "9a", "ce", "d6", "ea", "c4 00", "62 00", // gone in 64-bit mode, or parts of no VEX or EVEX instruction
        "f0 90", "f0 01 c8", "f0 8b 00", "f0 84 00", "f0 c3", // LOCK where it cannot be
        "66 0f ae e8", "f3 0f 77", "66 0f 77", "f3 0f c3 03", "66 0f c3 03", "f2 0f 28 03", "f3 0f 54 c1", "66 0f 01 d0", // wrong prefixes
        "0f 20 c8", "44 0f 21 c0", "8e c8", "8c f0", // registers that do not exist or cannot be loaded
        "0f 0d c0", "0f c7 cf", "c6 0b", "8f c8", "fe d0", "ff f8", "0f ba 00", "d9 d1", "db e5", //
        "0f 04", "0f 0a", "0f 24 c0", "0f 38 0c c0"
      })
  void whatIsNoInstructionIsInvalid(String hex) {
    assertThat(decode(hex + " 00 00 00 00 00 00 00 00 00 00", CpuMode.LONG64).mnemonic).isEqualTo(Mnemonic.INVALID);
  }

  @ParameterizedTest
  @CsvSource({
    "40, inc %eax",
    "4b, dec %ebx",
    "06, push %es",
    "82 c0 01, 'add $0x1,%al'",
    "c4 03, 'les (%ebx),%eax'",
    "c5 f8 77, vzeroupper",
    "62 03, 'bound %eax,(%ebx)'",
    "26 8b 03, 'mov %es:(%ebx),%eax'",
    "67 8b 42 05, 'mov 0x5(%bp,%si),%eax'",
    "67 8b 06 34 12, 'mov 0x1234,%eax'",
    "66 67 8b 40 ff, 'mov -0x1(%bx,%si),%ax'",
    "8b 05 34 12 00 80, 'mov 0x80001234,%eax'",
    "9a 78 56 34 12 08 00, 'lcall $0x8,$0x12345678'",
    "63 c8, 'arpl %cx,%ax'"
  })
  void compatibilityModeHasTheOldForms(String hex, String text) {
    assertThat(decode(hex, CpuMode.COMPAT32)).hasToString(text);
  }

  @Test
  void stackSegmentIsTheDefaultForRspAndRbpOnly() {
    assertThat((int) decode("8b 45 00", CpuMode.LONG64).segment).isEqualTo(Instruction.SS);
    assertThat((int) decode("8b 04 24", CpuMode.LONG64).segment).isEqualTo(Instruction.SS);
    assertThat((int) decode("41 8b 45 00", CpuMode.LONG64).segment).isEqualTo(Instruction.DS);
    assertThat((int) decode("65 8b 45 00", CpuMode.LONG64).segment).isEqualTo(Instruction.GS);
  }

  @Test
  void fifteenBytesAreTheMost() {
    byte[] code = new byte[32];
    Arrays.fill(code, (byte) 0x66);
    code[13] = 0x01; // 66 x 13, add, ModRM: 15 bytes
    code[14] = (byte) 0xc8;
    assertThat((int) new Decoder().decode(code, 0, 32, ADDRESS, CpuMode.LONG64).length).isEqualTo(15);
    code[13] = 0x66;
    code[14] = 0x01;
    assertThat(new Decoder().decode(code, 0, 32, ADDRESS, CpuMode.LONG64).mnemonic).isEqualTo(Mnemonic.TOO_LONG);
    assertThat(new Decoder().decode(code, 0, 15, ADDRESS, CpuMode.LONG64).mnemonic).isEqualTo(Mnemonic.TOO_LONG);
    assertThat(new Decoder().decode(code, 0, 14, ADDRESS, CpuMode.LONG64)).isNull();
  }

  @Test
  void bytesAreAskedForOneByOneAndNoneTooMany() {
    byte[] code = HexFormat.of().parseHex("4881c478563412c3");
    int[] asked = {0};
    Instruction in =
        new Decoder()
            .decode(
                i -> {
                  assertThat(i).isEqualTo(asked[0]++);
                  return code[i] & 0xff;
                },
                ADDRESS,
                CpuMode.LONG64);
    assertThat(asked[0]).isEqualTo(7);
    assertThat(in).hasToString("add $0x12345678,%rsp");
    assertThat(new Decoder().decode(i -> i < 6 ? code[i] & 0xff : -1, ADDRESS, CpuMode.LONG64)).isNull();
  }

  @Test
  void memorySegmentsAndArraysDecodeAlike() {
    byte[] code = HexFormat.of().parseHex("90488b05100000000f05");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocateFrom(ValueLayout.JAVA_BYTE, code);
      Instruction in = new Decoder().decode(memory, 1, code.length, ADDRESS, CpuMode.LONG64);
      assertThat(in).hasToString("mov 0x10(%rip),%rax        # 0x401017");
      assertThat(in.ea).isEqualTo(0x401017);
      assertThat(new Decoder().decode(memory, 1, 7, ADDRESS, CpuMode.LONG64)).isNull();
    }
  }

  @Test
  void branchesTellTheirTargets() {
    assertThat(decode("eb fe", CpuMode.LONG64).target()).isEqualTo(ADDRESS);
    assertThat(decode("0f 84 00 01 00 00", CpuMode.LONG64).target()).isEqualTo(ADDRESS + 0x106);
    assertThat(decode("66 e9 00 00", CpuMode.LONG64).target()).isEqualTo(0x1004); // AMD: 66 cuts the target to 16 bits
    Instruction jcc = decode("7f 10", CpuMode.LONG64);
    assertThat((int) jcc.condition).isEqualTo(15);
    assertThat(jcc.next()).isEqualTo(ADDRESS + 2);
    assertThat(Condition.holds(15, 0)).isTrue();
    assertThat(Condition.holds(15, Encoding.SF)).isFalse();
    assertThat(Condition.holds(15, Encoding.SF | Encoding.OF)).isTrue();
    assertThat(Condition.holds(6, Encoding.CF)).isTrue();
  }

  private static Instruction decode(String hex, CpuMode mode) {
    byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
    Instruction in = new Decoder().decode(code, 0, code.length, ADDRESS, mode);
    assertThat(in).as(hex).isNotNull();
    return in;
  }
}
