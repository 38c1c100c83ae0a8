package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.mem;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome;
import org.xenolith.machine.RunOutcome.Kind;

class DebugRegistersTest {
  @Test
  void aGuestMayNotWatchXenOrSetBitsThatDoNotExist() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.call(MicroGuest.SET_DEBUGREG, 0, 0xffff_8000_0000_0000L).keep(0);
      guest.call(MicroGuest.SET_DEBUGREG, 7, 1L << 32).keep(1);
      guest.call(MicroGuest.SET_DEBUGREG, 7, 0x2000).keep(2);
      guest.call(MicroGuest.SET_DEBUGREG, 8, 0).keep(3);
      // A breakpoint on a port needs CR4.DE.
      guest.call(MicroGuest.SET_DEBUGREG, 7, 0x2_0001).keep(4);
      guest.call(MicroGuest.SET_DEBUGREG, 0, 0xffff_8880_0000_0000L).keep(5);
      guest.call(MicroGuest.GET_DEBUGREG, 0).keep(6).call(MicroGuest.GET_DEBUGREG, 6).keep(7);
      guest.call(MicroGuest.GET_DEBUGREG, 7).keep(8).powerOff();
      guest.run();
      assertThat(guest.word(0)).isEqualTo(-1);
      assertThat(guest.word(1)).isEqualTo(-22);
      assertThat(guest.word(2)).isEqualTo(-1);
      assertThat(guest.word(3)).isEqualTo(-19);
      assertThat(guest.word(4)).isEqualTo(-1);
      assertThat(guest.word(5)).isZero();
      assertThat(guest.word(6)).isEqualTo(0xffff_8880_0000_0000L);
      assertThat(guest.word(7)).isEqualTo(0xffff_0ff0L);
      assertThat(guest.word(8)).isEqualTo(0x400);
    }
  }

  @Test
  void aWatchpointIsATrapBehindTheStore() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(1, 0, handler, 10);
      guest.call(MicroGuest.SET_DEBUGREG, 0, MicroGuest.DATA + 8 * 50).call(MicroGuest.SET_DEBUGREG, 7, 0x9_0001).keep(0);
      guest.a.mov(Assembler.RAX, MicroGuest.DATA + 8 * 50).emit(Mnemonic.MOV, mem(Assembler.RAX, 0), gpr(Assembler.RAX));
      long after = guest.a.address();
      guest.a.emit(Mnemonic.NOP).emit(Mnemonic.NOP).bind(handler);
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RSP, 16));
      guest.keep(1).call(MicroGuest.GET_DEBUGREG, 6).keep(2).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(0)).isZero();
      assertThat(guest.word(1)).isEqualTo(after);
      assertThat(guest.word(2) & 0xf).isEqualTo(1);
    }
  }

  @Test
  void singleStepsAccumulateInTheStatusRegister() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      Label there = guest.a.newLabel();
      guest.handler(1, 0, handler, 10);
      guest.goTo(there, 0xe030, 0x302, MicroGuest.STACK, 0);
      long start = guest.a.address();
      guest.a.bind(there).emit(Mnemonic.NOP).emit(Mnemonic.NOP).bind(handler);
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RSP, 16));
      guest.keep(1).call(MicroGuest.GET_DEBUGREG, 6).keep(2).powerOff();
      guest.run();
      assertThat(guest.word(1)).isEqualTo(start + 1);
      assertThat(guest.word(2)).isEqualTo(0xffff_4ff0L);
    }
  }

  /** MOV SS holds the trap of its own read back until behind the SYSCALL: there Xen runs, not the guest. */
  @Test
  void aTrapThatStrikesInXensEntryIsNotTheGuests() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(50, 0xe02b).call(MicroGuest.SET_DEBUGREG, 0, MicroGuest.DATA + 400);
      // Breakpoint 0: reads and writes of four bytes.
      guest.call(MicroGuest.SET_DEBUGREG, 7, 0xf0001).put(51, 0);
      guest.a.mov(Assembler.RBX, MicroGuest.DATA + 400).mov(Assembler.RDI, 0).mov(Assembler.RAX, MicroGuest.XEN_VERSION);
      // mov (%rbx),%ss; syscall
      guest.a.raw(0x8e, 0x13, 0x0f, 0x05);
      guest.keep(0).powerOff();
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
      assertThat(guest.word(0)).isPositive();
      assertThat(guest.machine().faults()).doesNotContainKey(1);
    }
  }
}
