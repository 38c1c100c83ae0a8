package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome.Kind;

/** Callbacks, traps' table and NMIs. */
class CallbackTest {
  @Test
  void onlyTypesThatExistAndAddressesThatCanBeAreTaken() {
    try (MicroGuest guest = new MicroGuest()) {
      Label label = guest.a.here();
      guest.callback(0, 0, label, 20).keep(0).callback(3, 0, label, 20).keep(1);
      guest.put(20, 0).put(21, 0x8000_0000_0000L).call(MicroGuest.CALLBACK_OP, 0, MicroGuest.DATA + 160).keep(2);
      guest.put(20, 0).call(MicroGuest.CALLBACK_OP, 1, MicroGuest.DATA + 160).keep(3);
      guest.put(20, 4).call(MicroGuest.CALLBACK_OP, 1, MicroGuest.DATA + 160).keep(4);
      guest.call(MicroGuest.CALLBACK_OP, 2, MicroGuest.DATA + 160).keep(5);
      guest.call(MicroGuest.CALLBACK_OP, 0, 0x7000_0000_0000L).keep(6).powerOff();
      guest.run();
      assertThat(guest.word(0)).isZero();
      assertThat(guest.word(1)).isEqualTo(-38);
      assertThat(guest.word(2)).isEqualTo(-22);
      assertThat(guest.word(3)).isEqualTo(-22);
      assertThat(guest.word(4)).isZero();
      assertThat(guest.word(5)).isEqualTo(-38);
      assertThat(guest.word(6)).isEqualTo(-14);
    }
  }

  @Test
  void anNmiComesAtOnceAndNotAgainBeforeIret() {
    try (MicroGuest guest = new MicroGuest()) {
      Label nmi = guest.a.newLabel();
      Label start = guest.a.newLabel();
      guest.a.jmp(start).bind(nmi);
      guest.count(100);
      // From within the handler the next one waits.
      guest.call(MicroGuest.VCPU_OP, 11, 0, 0).load(0, 100);
      guest.keep(102);
      guest.a.emit(Mnemonic.CMP, gpr(0), imm(2));
      Label end = guest.a.newLabel();
      guest.a.jcc(Assembler.E, end);
      guest.goBack();
      guest.a.bind(end);
      guest.powerOff();
      guest.a.bind(start);
      guest.callback(4, 0, nmi, 20).call(MicroGuest.VCPU_OP, 11, 0, 0);
      Label loop = guest.a.here();
      guest.a.jmp(loop);
      assertThat(guest.run(10_000).kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(100)).isEqualTo(2);
      assertThat(guest.machine().faults()).containsEntry(2, 2L);
    }
  }

  @Test
  void aTableEndsAtTheFirstEntryWithoutAddress() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(20, 0xe030_0506L).put(21, 0x1234).put(22, 7).put(23, 0).put(24, 8).put(25, 0x5678);
      guest.call(MicroGuest.SET_TRAP_TABLE, MicroGuest.DATA + 160).keep(0).powerOff();
      guest.run();
      PvState pv = guest.vcpu().pv;
      assertThat(guest.word(0)).isZero();
      assertThat(pv.trapAddress[6]).isEqualTo(0x1234);
      assertThat(pv.trapFlags[6]).isEqualTo(5);
      assertThat(pv.trapCs[6]).isEqualTo(0xe033);
      assertThat(pv.trapAddress[7]).isZero();
      assertThat(pv.trapAddress[8]).isZero();
    }
  }

  @Test
  void nullClearsTheTable() {
    try (MicroGuest guest = new MicroGuest()) {
      Label label = guest.a.here();
      guest.handler(6, 0, label, 20).call(MicroGuest.SET_TRAP_TABLE, 0).powerOff();
      guest.run();
      assertThat(guest.vcpu().pv.trapAddress).containsOnly(0);
    }
  }
}
