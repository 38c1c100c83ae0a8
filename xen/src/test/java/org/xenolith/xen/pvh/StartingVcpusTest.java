package org.xenolith.xen.pvh;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Errno;

/** The two ways of starting a container's further vcpus. */
class StartingVcpusTest {
  private static final int INITIALISE = 0, UP = 1, DOWN = 2, IS_UP = 3;
  private static final long A = TinyContainer.ARGUMENTS, FLAG = 0x1a0000, OTHER = 0x1b0000, REAL = 0x8000, REAL_FLAG = 0x7000;
  private static final int APIC = 0xfee0_0000;

  private final TinyContainer guest = new TinyContainer().vcpus(2);

  @AfterEach
  void close() {
    guest.close();
  }

  /** {@code 1: pause; cmpl $0,flag; je 1b}. */
  private void waitFor(long flag) {
    guest.code(0xf3, 0x90, 0x83, 0x3d, (int) flag & 0xff, (int) (flag >>> 8) & 0xff, (int) (flag >>> 16) & 0xff, 0, 0, 0x74, 0xf5);
  }

  /** struct vcpu_hvm_context for 32-bit protected mode without paging, with a stack and flat segments. */
  private void context(int eip, int csRights) {
    int[] words = new int[30];
    words[6] = (int) TinyContainer.STACK;
    words[10] = eip;
    words[11] = 2;
    words[12] = 1;
    for (int segment = 0; segment < 4; segment++) {
      words[23 + segment] = -1;
    }
    words[27] = 0x67;
    words[28] = csRights | 0xc93 << 16;
    words[29] = 0xc93 | 0xc93 << 16;
    guest.words(A, words);
    guest.words(A + 120, 0x8b);
    guest.words(A + 124, 0);
    // movl $0x5a,flag; cli; hlt
    int flag = (int) FLAG;
    guest.words(OTHER, 0x05c7 | flag << 16, flag >>> 16 | 0x5a << 16, 0xf4fa_0000);
  }

  @Test
  void aVcpuStartsWithTheContextThatItIsGiven() {
    guest.call(TinyContainer.VCPU_OP, INITIALISE, 1, A).keep(A + 0x200).call(TinyContainer.VCPU_OP, UP, 1, 0).keep(A + 0x204);
    waitFor(FLAG);
    guest.powerOff().build();
    guest.words(FLAG, 0);
    context((int) OTHER, 0xc9b);

    assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
    assertThat(guest.word(A + 0x200)).isZero();
    assertThat(guest.word(A + 0x204)).isZero();
    assertThat(guest.word(FLAG)).isEqualTo(0x5a);
  }

  @Test
  void aContextThatNoProcessorHasIsRefused() {
    guest.code(0xf4).build();
    context((int) OTHER, 0xc93);
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, INITIALISE, 1, A)).as("data in CS").isEqualTo(-Errno.EINVAL);
    context((int) OTHER, 0xc9b);
    guest.words(A, 7);
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, INITIALISE, 1, A)).as("no mode").isEqualTo(-Errno.EINVAL);
    context((int) OTHER, 0xc9b);
    guest.words(A + 56, 1 << 30);
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, INITIALISE, 1, A)).as("a bit of CR4").isEqualTo(-Errno.EINVAL);
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, UP, 1, 0)).isEqualTo(-Errno.EINVAL);
    context((int) OTHER, 0xc9b);
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, INITIALISE, 1, A)).isZero();
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, INITIALISE, 1, A)).isEqualTo(-Errno.EEXIST);
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, IS_UP, 1, 0)).isZero();
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, UP, 1, 0)).isZero();
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, IS_UP, 1, 0)).isEqualTo(1);
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, DOWN, 1, 0)).isZero();
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, IS_UP, 1, 0)).isZero();
  }

  /** Enables the local APIC and sends INIT and startup to the one of number 2. */
  private void initAndStartup() {
    guest.put(APIC + 0xf0L, 0x1ff).put(APIC + 0x310L, 2 << 24).put(APIC + 0x300L, 0x4500).put(APIC + 0x300L, 0x4600 | REAL >> 12);
  }

  @Test
  void aVcpuStartsInRealModeByInitAndStartup() {
    initAndStartup();
    waitFor(REAL_FLAG);
    guest.powerOff().build();
    guest.words((int) REAL_FLAG, 0);
    // movb $0x5a,flag; cli; hlt, in 16-bit code
    guest.words(REAL, 0x06c6 | (int) REAL_FLAG << 16, 0xf4fa5a);

    assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
    assertThat(guest.word(REAL_FLAG)).isEqualTo(0x5a);
    assertThat(guest.machine().exits()).containsEntry("apic-access", 4L);
  }

  @Test
  void aStartupInterruptDoesNotWakeAVcpuThatWasTakenDown() {
    guest.code(0xf4).build();
    context((int) OTHER, 0xc9b);
    guest.hypercall(TinyContainer.VCPU_OP, INITIALISE, 1, A);
    long rip = guest.machine().cpus().get(1).rip;
    guest.vcpu().cpu.mmu.write(APIC + 0xf0L & 0xffff_ffffL, 4, 0x1ff);
    guest.vcpu().cpu.mmu.write(APIC + 0x310L & 0xffff_ffffL, 4, 2 << 24);
    guest.vcpu().cpu.mmu.write(APIC + 0x300L & 0xffff_ffffL, 4, 0x4608);
    assertThat(guest.machine().cpus().get(1).rip).isEqualTo(rip);
    assertThat(guest.hypercall(TinyContainer.VCPU_OP, IS_UP, 1, 0)).isZero();
  }

  @Test
  void theLastVcpuThatGoesDownPowersOff() {
    guest.call(TinyContainer.VCPU_OP, INITIALISE, 1, A).call(TinyContainer.VCPU_OP, UP, 1, 0).code(0xfa, 0xf4).build();
    context((int) OTHER, 0xc9b);
    assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
    assertThat(guest.word(FLAG)).isEqualTo(0x5a);
  }
}
