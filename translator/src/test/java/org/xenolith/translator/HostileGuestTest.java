package org.xenolith.translator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.Fault;

/** What would hurt the JVM if machine code did it: the guest gets its fault, as on the interpreter, and all goes on. */
class HostileGuestTest {
  /**
   * Runs code on both engines, translated at its first run, at its third, and when it is known to be a loop of many rounds, and returns the
   * exit's vector or -1.
   */
  static int vector(String hex, long counts) {
    byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
    Guest interpreted = new Guest(0).code(code);
    Exit expected = interpreted.run(counts);
    for (int earned : new int[] {1, 3, 16}) {
      Guest translated = new Guest(earned).code(code);
      Exit found = translated.run(counts);
      assertThat(String.valueOf(found)).isEqualTo(String.valueOf(expected));
      assertThat(translated.state()).isEqualTo(interpreted.state());
    }
    return expected instanceof Exit.Exception e ? e.vector() : -1;
  }

  @Test
  void divisionByZeroIsTheGuestsFault() {
    // xor edx, edx; mov eax, 5; xor ecx, ecx; div ecx
    assertThat(vector("31d2 b805000000 31c9 f7f1", 100)).isEqualTo(Fault.DE);
    // The quotient does not fit: mov edx, 5; mov ecx, 2; div ecx
    assertThat(vector("ba05000000 b902000000 f7f1", 100)).isEqualTo(Fault.DE);
  }

  @Test
  void misalignedSseOperandIsTheGuestsFault() {
    // mov ebx, 0x200008; movaps xmm0, [rbx]
    assertThat(vector("bb08002000 0f2803", 100)).isEqualTo(Fault.GP);
  }

  @Test
  void unmaskedFloatingPointExceptionIsTheGuestsFault() {
    // mov dword [rsp], 0; ldmxcsr [rsp]; xorps xmm0, xmm0; xorps xmm1, xmm1; divps xmm0, xmm1
    assertThat(vector("c7042400000000 0fae1424 0f57c0 0f57c9 0f5ec1", 100)).isEqualTo(Fault.XM);
  }

  @Test
  void singleStepAlignmentCheckAndDirectionNeverReachTheHost() {
    // pushf; or dword [rsp], TF; popf; nop; nop
    assertThat(vector("9c 810c2400010000 9d 90 90", 100)).isEqualTo(Fault.DB);
    // pushf; or dword [rsp], AC; popf; mov eax, 0x200001; mov eax, [rax]
    assertThat(vector("9c 810c2400000400 9d b801002000 8b00", 100)).isEqualTo(Fault.AC);
    // std; mov esi, 0x200000; mov edi, 0x201000; mov ecx, 64; rep movsb; cld; jmp $
    assertThat(vector("fd be00002000 bf00102000 b940000000 f3a4 fc ebfe", 5000)).isEqualTo(-1);
  }

  @Test
  void stackThatOverflowsIntoCodeAndPageTablesHurtsTheGuestAlone() {
    // push rax; jmp back
    vector("50 ebfd", 1_000_000);
    // mov rax, -1; push rax; jmp back
    assertThat(vector("48c7c0ffffffff 50 ebfd", 1_000_000)).isNotNegative();
  }

  @Test
  void codeThatIsBeingWrittenIsRunAsItIsThen() {
    // mov eax, imm; inc dword [the imm]; jmp back
    vector("b800000000 ff05f6ffffff ebf3", 30_000);
    // mov byte [the next instruction], HLT; nop
    assertThat(vector("c60500000000f4 90 ebfd", 100)).isEqualTo(Fault.GP);
  }

  @Test
  void pageThatIsMappedElsewhereWithoutAFlushIsWhereTheInterpreterFindsIt() {
    // mov edi, 0x5000; mov ebx, 0x200000; xor esi, esi; mov qword [0x3f0010], 1; mov qword [0x3f1010], 1000
    String start = "bf00500000 bb00002000 31f6 48c7042510003f0001000000 48c7042510103f00e8030000";
    // back: mov qword [rdi], 0x3f0027; mov rax, [rbx]; mov qword [rdi], 0x3f1027; mov [rbx + 8], rcx; mov rdx, [rbx + 16]
    String accesses = "48c70727003f00 488b03 48c70727103f00 48894b08 488b5310";
    // add rsi, rdx; add rbx, 0x1000; add rdi, 8; jmp back. The store is the first to the page, and finds it in the other frame.
    assertThat(vector(start + accesses + "4801d6 4881c300100000 4883c708 ebd7", 900)).isEqualTo(-1);
  }

  @Test
  void jumpToAnAddressThatIsNotCanonicalIsTheGuestsFault() {
    // mov rax, 0x8000000000000000; jmp rax
    assertThat(vector("48b80000000000000080 ffe0", 100)).isEqualTo(Fault.GP);
    // push rax after that; ret
    assertThat(vector("48b80000000000000080 50 c3", 100)).isEqualTo(Fault.GP);
  }

  @Test
  void jumpToAddressZeroIsAsAnyOther() {
    // xor eax, eax; jmp rax: there the memory is zeros, add [rax], al
    assertThat(vector("31c0 ffe0", 100)).isEqualTo(-1);
  }
}
