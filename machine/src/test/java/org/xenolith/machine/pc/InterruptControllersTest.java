package org.xenolith.machine.pc;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.machine.RunOutcome;

class InterruptControllersTest {
  private final TestBench pc = new TestBench();

  // ---- 8259 ----

  @Test
  void requestsComeByPriorityAndWaitForTheEndOfMoreImportantOnes() {
    pc.programPic(0xffff);
    pc.interrupts.line(4).set(true);
    pc.interrupts.line(1).set(true);
    assertThat(pc.apic.acknowledge()).isEqualTo(9);
    assertThat(pc.line).isFalse();
    pc.out(0x20, 0x20);
    assertThat(pc.apic.acknowledge()).isEqualTo(0xc);
    pc.interrupts.line(0).set(true);
    assertThat(pc.apic.acknowledge()).isEqualTo(8);
    pc.out(0x20, 0x0b);
    assertThat(pc.in(0x20)).isEqualTo(0x11);
    pc.out(0x20, 0x64);
    assertThat(pc.in(0x20)).isEqualTo(0x01);
  }

  @Test
  void theSecondOneComesThroughTheFirstOnesInputTwo() {
    pc.programPic(1 << 8 | 1 << 2);
    pc.interrupts.line(8).set(true);
    assertThat(pc.apic.acknowledge()).isEqualTo(0x70);
    pc.out(0xa0, 0x20);
    pc.out(0x20, 0x20);
    assertThat(pc.line).isFalse();
    pc.interrupts.line(8).set(false);
    pc.interrupts.line(8).set(true);
    assertThat(pc.line).isTrue();
  }

  @Test
  void maskedRequestsWaitAndMasksReadBack() {
    pc.programPic(0);
    pc.out(0x21, 0xfb);
    assertThat(pc.in(0x21)).isEqualTo(0xfb);
    pc.interrupts.line(3).set(true);
    assertThat(pc.line).isFalse();
    pc.out(0x20, 0x0a);
    assertThat(pc.in(0x20)).isEqualTo(8);
    pc.out(0x21, 0);
    assertThat(pc.apic.acknowledge()).isEqualTo(0xb);
  }

  @Test
  void aRequestThatWentAwayIsSpurious() {
    pc.programPic(0xffff);
    pc.out(0x4d0, 0xff);
    assertThat(pc.in(0x4d0)).isEqualTo(0xf8);
    pc.interrupts.line(5).set(true);
    pc.interrupts.line(5).set(false);
    assertThat(pc.line).isFalse();
    assertThat(pc.pic.acknowledge()).isEqualTo(0xf);
  }

  @Test
  void levelTriggeredRequestsComeAgainUntilTheyAreTakenAway() {
    pc.programPic(0xffff);
    pc.out(0x4d0, 1 << 5);
    pc.interrupts.line(5).set(true);
    for (int n = 0; n < 3; n++) {
      assertThat(pc.apic.acknowledge()).isEqualTo(0xd);
      assertThat(pc.line).isFalse();
      pc.out(0x20, 0x20);
      assertThat(pc.line).isTrue();
    }
  }

  @Test
  void prioritiesRotate() {
    pc.programPic(0xffff);
    pc.out(0x20, 0xc3);
    pc.interrupts.line(3).set(true);
    pc.interrupts.line(4).set(true);
    assertThat(pc.apic.acknowledge()).isEqualTo(0xc);
    pc.out(0x20, 0xa0);
    pc.interrupts.line(4).set(false);
    pc.interrupts.line(4).set(true);
    assertThat(pc.apic.acknowledge()).isEqualTo(0xb);
  }

  @Test
  void automaticEndLeavesNothingInService() {
    pc.programPic(0);
    pc.out(0x20, 0x11);
    pc.out(0x21, 0x20);
    pc.out(0x21, 4);
    pc.out(0x21, 3);
    pc.interrupts.line(1).set(true);
    assertThat(pc.apic.acknowledge()).isEqualTo(0x21);
    pc.interrupts.line(6).set(true);
    assertThat(pc.apic.acknowledge()).isEqualTo(0x26);
  }

  @Test
  void pollingAcknowledges() {
    pc.programPic(0xffff);
    pc.interrupts.line(6).set(true);
    pc.out(0x20, 0x0c);
    assertThat(pc.in(0x20)).isEqualTo(0x86);
    pc.out(0x20, 0x0c);
    assertThat(pc.in(0x20)).isZero();
  }

  // ---- I/O APIC ----

  @Test
  void registersReadBackWithoutWhatOnlyTheControllerSets() {
    pc.programPin(5, 0xff00_0000_0001_ffffL);
    pc.ioApic.write(IoApic.BASE, 4, 0x1a);
    assertThat(pc.ioApic.read(IoApic.BASE + 0x10, 4)).isEqualTo(0x1_afff);
    pc.ioApic.write(IoApic.BASE, 4, 1);
    assertThat(pc.ioApic.read(IoApic.BASE + 0x10, 4)).isEqualTo(0x17_0020);
    pc.ioApic.write(IoApic.BASE, 4, 0);
    pc.ioApic.write(IoApic.BASE + 0x10, 4, 0x0400_0000);
    assertThat(pc.ioApic.read(IoApic.BASE + 0x10, 4)).isEqualTo(0x0400_0000);
  }

  @Test
  void theTimerIsAtPinTwo() {
    pc.programPin(2, 0x30);
    pc.interrupts.line(0).set(true);
    assertThat(pc.taken()).containsExactly(0x30);
  }

  @Test
  void anEdgeComesOnceAndIsLostWhileMasked() {
    pc.programPin(4, 0x1_0034);
    pc.interrupts.line(4).set(true);
    pc.programPin(4, 0x34);
    assertThat(pc.taken()).isEmpty();
    pc.interrupts.line(4).set(false);
    pc.interrupts.line(4).set(true);
    pc.interrupts.line(4).set(true);
    assertThat(pc.taken()).containsExactly(0x34);
  }

  @Test
  void aLevelComesAgainAfterItsEndUntilItIsTakenAway() {
    pc.programPin(9, 0x8039);
    pc.interrupts.line(9).set(true);
    assertThat(pc.apic.acknowledge()).isEqualTo(0x39);
    pc.ioApic.write(IoApic.BASE, 4, 0x22);
    assertThat(pc.ioApic.read(IoApic.BASE + 0x10, 4)).isEqualTo(0xc039);
    assertThat(pc.line).isFalse();
    pc.interrupts.line(9).set(true);
    assertThat(pc.line).isFalse();
    pc.apic.write(0xfee0_00b0L, 4, 0);
    assertThat(pc.apic.acknowledge()).isEqualTo(0x39);
    pc.interrupts.line(9).set(false);
    pc.apic.write(0xfee0_00b0L, 4, 0);
    assertThat(pc.line).isFalse();
  }

  @Test
  void anEdgeFormForgetsTheRemoteState() {
    pc.programPin(9, 0x8039);
    pc.interrupts.line(9).set(true);
    pc.apic.acknowledge();
    pc.programPin(9, 0x1_0039);
    pc.programPin(9, 0x8039);
    assertThat(pc.ioApic.read(IoApic.BASE + 0x10, 4)).isZero();
    pc.apic.write(0xfee0_00b0L, 4, 0);
    assertThat(pc.apic.acknowledge()).isEqualTo(0x39);
  }

  @Test
  void externalInterruptsThroughAPinAreNotThere() {
    pc.programPin(3, 0x700);
    pc.interrupts.line(3).set(true);
    assertThat(pc.ending.outcome().kind()).isEqualTo(RunOutcome.Kind.UNIMPLEMENTED);
    assertThat(pc.ending.outcome().reason()).contains("pin 3", "ExtINT");
  }
}
