package org.xenolith.translator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.translator.HostileGuestTest.vector;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Fault;

/**
 * Machine code remembers pages: that of the stack from trace to trace, those of a loop's operands from round to round. The guest sees what
 * it sees on the interpreter all the same. The page at 0x203000 has its entry at 0x5018; behind 0x200000 each page is in another place.
 */
class RememberedPagesTest {
  /** mov esp, 0x203800; mov edi, 0x5018. */
  private static final String STACK = "bc00382000 bf18500000";

  @Test
  void stackIsInMoreThanOnePage() {
    // push rax; mov rcx, [rsp]; mov [rsp - 0x1100], rcx; mov rdx, [rsp]; pop rbx; inc rax; jmp back
    assertThat(vector(STACK + "50 488b0c24 48898c2400efffff 488b1424 5b 48ffc0 ebe7", 2000)).isEqualTo(-1);
  }

  @Test
  void stackCrossesIntoAnotherPage() {
    // mov esp, 0x203004; back: call to the sub; push rax, five times; pop rbx, five times; dec rax; jmp back
    String code = "bc04302000 e80f000000 5050505050 5b5b5b5b5b 48ffc8 ebec";
    // sub rsp, 0x100; push rax; pop rbx; add rsp, 0x100; ret
    assertThat(vector(code + "4881ec00010000 50 5b 4881c400010000 c3", 2000)).isEqualTo(-1);
  }

  @Test
  void codeOnTheStackIsPushedAnew() {
    // mov rbx, "mov eax, 0; ret; nop; nop"; push rbx; call rsp, three times; add rsi, rax; pop rdx; add rbx, 0x100; jmp to the push
    String code = "48bbb800000000c39090";
    assertThat(vector(STACK + code + "53 ffd4 ffd4 ffd4 4801c6 5a 4881c300010000 ebec", 3000)).isEqualTo(-1);
  }

  @Test
  void stackIsReadInOnePlaceAndWrittenInAnother() {
    // mov rax, [rsp]; mov qword [rdi], 0x3f0067: reads go on finding the page where it was
    String start = STACK + "488b0424 48c70767003f00";
    // mov rcx, [rsp + 8]; mov [rsp], rbx; inc rbx; add rsi, rcx; mov rdx, [rsp]; add rsi, rdx; jmp back
    assertThat(vector(start + "488b4c2408 48891c24 48ffc3 4801ce 488b1424 4801d6 ebe8", 2000)).isEqualTo(-1);
  }

  @Test
  void stackThatIsOnlyReadStaysReadOnly() {
    // and dword [rdi], ~2; mov ebx, 40; mov rcx, [rsp]; mov rdx, [rsp + 8]; dec ebx; jne back; push rax
    assertThat(vector(STACK + "8327fd bb28000000 488b0c24 488b542408 ffcb 75f3 50", 2000)).isEqualTo(Fault.PF);
  }

  @Test
  void loopReadsInOnePlaceAndWritesInAnother() {
    // mov ebx, 0x203000; mov rax, [rbx]; mov qword [rdi], 0x3f0067; mov [rbx], rax
    String start = STACK + "bb00302000 488b03 48c70767003f00 488903";
    // outer: xor esi, esi; back: mov rcx, [rbx + rsi]; add rdx, rcx; mov [rbx + rsi], rsi; add rsi, 8; cmp rsi, 0x800; jne back; jmp outer
    assertThat(vector(start + "31f6 488b0c33 4801ca 48893433 4883c608 4881fe00080000 75e8 ebe4", 9000)).isEqualTo(-1);
  }
}
