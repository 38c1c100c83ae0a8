package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.mem;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome.Kind;

/** The iret hypercall, and the way between the guest's kernel and its user mode. */
class IretTest {
  private static final int KERNEL = 0xe030, USER = 0xe033;
  private static final long IN_SYSCALL = 256;

  @Test
  void theKernelGoesOnWithTheFrame() {
    try (MicroGuest guest = new MicroGuest()) {
      Label there = guest.a.newLabel();
      guest.goTo(there, KERNEL, 0x246, MicroGuest.STACK - 0x100, 0);
      guest.a.bind(there);
      guest.keep(0).keep(1, Assembler.RCX).keep(2, Assembler.R11).keep(3, Assembler.RSP).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(0)).isEqualTo(0xaaaa);
      assertThat(guest.word(1)).isEqualTo(0xcccc);
      assertThat(guest.word(2)).isEqualTo(0xbbbb);
      assertThat(guest.word(3)).isEqualTo(MicroGuest.STACK - 0x100);
    }
  }

  @Test
  void aReturnFromASystemCallHasTheAddressInRcxAndTheFlagsInR11() {
    try (MicroGuest guest = new MicroGuest()) {
      Label there = guest.a.newLabel();
      guest.goTo(there, KERNEL, 0x247, MicroGuest.STACK, IN_SYSCALL);
      long at = guest.a.address();
      guest.a.bind(there);
      guest.keep(1, Assembler.RCX).keep(2, Assembler.R11).powerOff();
      guest.run();
      assertThat(guest.word(1)).isEqualTo(at);
      assertThat(guest.word(2)).isEqualTo(0x247);
    }
  }

  @Test
  void eventsAreMaskedAsTheFlagIfSays() {
    for (long rflags : new long[] {0x002, 0x202}) {
      try (MicroGuest guest = new MicroGuest()) {
        Label there = guest.a.newLabel();
        guest.goTo(there, KERNEL, rflags, MicroGuest.STACK, 0);
        guest.a.bind(there);
        guest.powerOff();
        guest.run();
        assertThat(guest.vcpu().eventsMasked()).isEqualTo(rflags == 2);
      }
    }
  }

  @Test
  void userModeNeedsARoot() {
    try (MicroGuest guest = new MicroGuest()) {
      Label there = guest.a.newLabel();
      guest.goTo(there, USER, 0x202, MicroGuest.STACK, 0);
      guest.a.bind(there);
      assertThat(guest.run().reason()).isEqualTo("guest switching to user mode with no user page tables");
    }
  }

  @Test
  void aFrameThatCannotBeReadCrashes() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.a.mov(Assembler.RSP, 0x7000_0000_0000L);
      guest.call(MicroGuest.IRET);
      assertThat(guest.run().reason()).contains("fault while reading the iret context");
    }
  }

  @Test
  void userModeHasAnotherGsAndCallsTheKernelByItsCallback() {
    try (MicroGuest guest = new MicroGuest()) {
      Label user = guest.a.newLabel();
      Label kernel = guest.a.newLabel();
      guest.call(MicroGuest.STACK_SWITCH, 0xe02b, MicroGuest.STACK - 0x800).userRoot(20).keep(0);
      guest.call(MicroGuest.SET_SEGMENT_BASE, 1, 0x1111_0000).call(MicroGuest.SET_SEGMENT_BASE, 2, 0x2222_0000);
      guest.callback(2, 1, kernel, 30);
      guest.goTo(user, USER, 0x602, MicroGuest.STACK, 0);
      guest.a.bind(user).mov(Assembler.RAX, MicroGuest.XEN_VERSION).emit(Mnemonic.SYSCALL);
      long after = guest.a.address();
      guest.a.bind(kernel);
      for (int n = 0; n < 7; n++) {
        guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RSP, 8 * n));
        guest.keep(100 + n);
      }
      guest.a.emit(Mnemonic.PUSHF).emit(Mnemonic.POP, gpr(Assembler.RAX));
      guest.keep(108).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(0)).isZero();
      assertThat(guest.word(102)).isEqualTo(after);
      assertThat(guest.word(103)).isEqualTo(USER);
      assertThat(guest.word(104) & 0x600).isEqualTo(0x600);
      assertThat(guest.word(105)).isEqualTo(MicroGuest.STACK);
      // The direction flag is clear in the handler, as after SYSCALL on a bare machine.
      assertThat(guest.word(108) & 0x400).isZero();
      assertThat(guest.vcpu().kernelMode).isTrue();
      assertThat(guest.vcpu().cpu.segmentBase[Instruction.GS]).isEqualTo(0x2222_0000);
      assertThat(guest.vcpu().cpu.kernelGsBase).isEqualTo(0x1111_0000);
      assertThat(guest.vcpu().eventsMasked()).isTrue();
      assertThat(guest.machine().exits()).containsEntry("syscall", 1L);
    }
  }

  @Test
  void aFaultOfUserModeSaysSo() {
    try (MicroGuest guest = new MicroGuest()) {
      Label user = guest.a.newLabel();
      Label kernel = guest.a.newLabel();
      guest.call(MicroGuest.STACK_SWITCH, 0xe02b, MicroGuest.STACK - 0x800).userRoot(20).handler(14, 0, kernel, 30);
      guest.goTo(user, USER, 0x202, MicroGuest.STACK, 0);
      guest.a.bind(user).mov(Assembler.RAX, 0x7000_0000_0000L).emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RAX, 0)).bind(kernel);
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RSP, 16));
      guest.keep(0).powerOff();
      guest.run();
      assertThat(guest.word(0)).isEqualTo(4);
    }
  }
}
