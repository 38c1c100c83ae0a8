package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.machine.RunOutcome.Kind;

class MulticallTest {
  private static final int LIST = 64;

  private static void entry(MicroGuest guest, int n, int op, long... args) {
    guest.put(LIST + 8 * n, op).put(LIST + 8 * n + 1, 0x5555);
    for (int k = 0; k < args.length; k++) {
      guest.put(LIST + 8 * n + 2 + k, args[k]);
    }
  }

  @Test
  void eachEntryGetsItsOwnResult() {
    try (MicroGuest guest = new MicroGuest()) {
      entry(guest, 0, MicroGuest.XEN_VERSION, 0);
      entry(guest, 1, 63);
      entry(guest, 2, MicroGuest.VM_ASSIST, 0, 4);
      guest.call(MicroGuest.MULTICALL, MicroGuest.DATA + 8 * LIST, 3).keep(0).powerOff();
      guest.run();
      assertThat(guest.word(0)).isZero();
      assertThat(guest.word(LIST + 1)).isEqualTo(4 << 16 | 17);
      assertThat(guest.word(LIST + 9)).isEqualTo(-38);
      assertThat(guest.word(LIST + 17)).isZero();
      assertThat(guest.machine().domain().assists).isEqualTo(1 << 4);
      assertThat(guest.machine().hypercalls()).containsEntry("xen_version", 1L).containsEntry("multicall", 1L);
    }
  }

  @Test
  void aMulticallInAMulticallIsRefused() {
    try (MicroGuest guest = new MicroGuest()) {
      entry(guest, 0, MicroGuest.MULTICALL, MicroGuest.DATA + 8 * LIST, 1);
      guest.call(MicroGuest.MULTICALL, MicroGuest.DATA + 8 * LIST, 1).keep(0).powerOff();
      guest.run();
      assertThat(guest.word(0)).isZero();
      assertThat(guest.word(LIST + 1)).isEqualTo(-22);
    }
  }

  @Test
  void aListThatCannotBeReadIsAFault() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.call(MicroGuest.MULTICALL, 0x7000_0000_0000L, 1).keep(0);
      guest.call(MicroGuest.MULTICALL, 0xffff_8200_0000_0000L, 1).keep(1);
      guest.call(MicroGuest.MULTICALL, MicroGuest.DATA, -1).keep(2).powerOff();
      guest.run();
      assertThat(new long[] {guest.word(0), guest.word(1), guest.word(2)}).containsOnly(-14);
    }
  }

  @Test
  void aLongListIsDoneInPartsUntilItsEnd() {
    try (MicroGuest guest = new MicroGuest()) {
      // Zeroed memory is set_trap_table(0), which is harmless; the list ends where memory is mapped no more.
      guest.call(MicroGuest.MULTICALL, MicroGuest.DATA + 0x1000, 3000).keep(0).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(0)).isZero();
      assertThat(guest.machine().hypercalls()).containsEntry("set_trap_table", 3000L).containsEntry("multicall", 3L);
    }
  }
}
