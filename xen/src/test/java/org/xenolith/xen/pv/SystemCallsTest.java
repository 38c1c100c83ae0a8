package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** xen_version, vm_assist, console_io, physdev_op, and what a domain without privilege is refused. */
class SystemCallsTest {
  private static final long BUFFER = MicroGuest.DATA + 8 * 64;

  @Test
  void theVersionIsThatOfXen417() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.call(MicroGuest.XEN_VERSION, 0).keep(0).call(MicroGuest.XEN_VERSION, 7, 0).keep(1).call(MicroGuest.XEN_VERSION, 10).keep(2);
      guest.call(MicroGuest.XEN_VERSION, 77).keep(3).call(MicroGuest.XEN_VERSION, 3, BUFFER).keep(4).powerOff();
      guest.run();
      assertThat(guest.word(0)).isEqualTo(0x4_0011);
      assertThat(guest.word(1)).isEqualTo(4096);
      assertThat(guest.word(2)).isEqualTo(-1);
      assertThat(guest.word(3)).isEqualTo(-38);
      assertThat(guest.word(4)).isZero();
      assertThat(guest.word(64)).isEqualTo(0x2d30_2e33_2d6e_6578L); // "xen-3.0-"
    }
  }

  @Test
  void featuresFollowTheAssists() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(64, 0).call(MicroGuest.XEN_VERSION, 6, BUFFER).load(0, 64).keep(0);
      guest.call(MicroGuest.VM_ASSIST, 0, 3).keep(1).put(64, 0).call(MicroGuest.XEN_VERSION, 6, BUFFER).load(0, 64).keep(2);
      guest.put(64, 1).call(MicroGuest.XEN_VERSION, 6, BUFFER).keep(3).call(MicroGuest.VM_ASSIST, 0, 6).keep(4).powerOff();
      guest.run();
      int map = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 13 | 1 << 17;
      assertThat(guest.word(0) >>> 32).isEqualTo(map);
      assertThat(guest.word(1)).isZero();
      assertThat(guest.word(2) >>> 32).isEqualTo(map | 1 << 4);
      assertThat(guest.word(3)).isEqualTo(-22);
      assertThat(guest.word(4)).isEqualTo(-22);
    }
  }

  @Test
  void privilegedCallsAreRefusedAsXenRefusesThem() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(64, 0x15L << 32).call(35, BUFFER).keep(0).put(64, 0x11L << 32).call(35, BUFFER).keep(1).call(35, 0x7000_0000_0000L).keep(2);
      guest.call(37, 0).keep(3).call(48, BUFFER).keep(4).call(40, 0, BUFFER).keep(5).call(MicroGuest.CONSOLE_IO, 1, 10, BUFFER).keep(6);
      guest.call(MicroGuest.PHYSDEV_OP, 13, BUFFER).keep(7).powerOff();
      guest.run();
      assertThat(guest.word(0)).isEqualTo(-1);
      assertThat(guest.word(1)).isEqualTo(-13);
      assertThat(guest.word(2)).isEqualTo(-14);
      assertThat(guest.word(3)).isEqualTo(-1);
      assertThat(guest.word(4)).isEqualTo(-1);
      assertThat(guest.word(5)).isEqualTo(-95);
      assertThat(guest.word(6)).isEqualTo(-1);
      assertThat(guest.word(7)).isEqualTo(-1);
    }
  }

  @Test
  void aPageForInterruptsIsTakenOnce() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(64, 0x7fff_ffff).call(MicroGuest.PHYSDEV_OP, 28, BUFFER).keep(0).call(MicroGuest.PHYSDEV_OP, 12, BUFFER).keep(1).powerOff();
      guest.run();
      assertThat(guest.word(0)).isEqualTo(-22);
      assertThat(guest.word(1)).isEqualTo(-22);
    }
  }
}
