package org.xenolith.xen.pvh;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Cpu;

class PvhBuilderTest {
  private TinyContainer guest = new TinyContainer().code(0x90);

  @AfterEach
  void close() {
    guest.close();
  }

  @Test
  void startsInThirtyTwoBitModeWithTheStartInfoInEbx() {
    guest.build();
    Cpu cpu = guest.vcpu().cpu;
    assertThat(cpu.rip).isEqualTo(TinyContainer.CODE);
    assertThat(cpu.r[Cpu.RBX]).isEqualTo(0x102000);
    assertThat(cpu.cr0 & (Cpu.CR0_PE | Cpu.CR0_PG)).isEqualTo(Cpu.CR0_PE);
    assertThat(cpu.cr4).isZero();
    assertThat(cpu.efer).isZero();
    assertThat(cpu.rflags() & (Cpu.VM | Cpu.IF | Cpu.TF)).isZero();
    assertThat(cpu.taskLimit).isEqualTo(0x67);
  }

  @Test
  void tellsTheGuestWhereEverythingIs() {
    guest.commandLine("console=hvc0").initrd(new byte[] {1, 2, 3, 4, 5}).build();
    long info = 0x103000;
    assertThat(guest.vcpu().cpu.r[Cpu.RBX]).isEqualTo(info);
    assertThat(guest.word(info)).isEqualTo(0x336ec578);
    assertThat(guest.word(info + 4)).isEqualTo(1);
    assertThat(guest.word(info + 12)).isEqualTo(1);
    long modules = guest.read(info + 16);
    assertThat(guest.read(modules)).isEqualTo(0x102000);
    assertThat(guest.read(modules + 8)).isEqualTo(5);
    assertThat(guest.read(0x102000) & 0xff_ffff_ffffL).isEqualTo(0x0504030201L);
    long line = guest.read(info + 24);
    assertThat(guest.read(line)).isEqualTo(0x3d656c6f736e6f63L);
    assertThat(guest.read(guest.read(info + 32))).as("RSDP").isEqualTo(0x2052545020445352L);
    long map = guest.read(info + 40);
    assertThat(guest.word(info + 48)).isEqualTo(3);
    assertThat(guest.read(map)).isZero();
    assertThat(guest.read(map + 8)).isEqualTo(TinyContainer.MEMORY);
    assertThat(guest.word(map + 16)).isEqualTo(1);
    assertThat(guest.read(map + 48)).as("special pages").isEqualTo(0xfeff8000L);
    assertThat(guest.word(map + 64)).isEqualTo(2);
  }

  @Test
  void leavesNothingUnspecifiedToChanceButTakesItFromTheSeed() {
    guest.build();
    long[] registers = guest.vcpu().cpu.r.clone();
    long word = guest.read(0x2000);
    assertThat(guest.read(TinyContainer.CODE + 0x1800)).as("what the image says is zero").isZero();
    try (TinyContainer same = new TinyContainer().code(0x90).build();
        TinyContainer other = new TinyContainer().code(0x90).seed(2).build()) {
      assertThat(same.vcpu().cpu.r).isEqualTo(registers);
      assertThat(same.read(0x2000)).isEqualTo(word);
      assertThat(other.vcpu().cpu.r[Cpu.RSP]).isNotEqualTo(registers[Cpu.RSP]);
      assertThat(other.read(0x2000)).isNotEqualTo(word);
    }
  }

  @Test
  void mapsMemoryByLargeLeavesAndKeepsTheWayBack() {
    guest.build();
    P2m p2m = guest.machine().p2m();
    assertThat(p2m.order(0x200)).isEqualTo(P2m.ORDER_2M);
    p2m.forEach((gfn, mfn, order, kind) -> {
      for (int n = 0; n < 1 << order; n++) {
        assertThat(guest.machine().xen().frames.pfn(mfn + n)).isEqualTo(gfn + n);
      }
    });
  }
}
