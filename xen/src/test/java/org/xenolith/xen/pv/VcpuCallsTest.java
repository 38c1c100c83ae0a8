package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.register;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.machine.RunOutcome.Kind;

/** Bringing vcpus up and down, and where their information lies. */
class VcpuCallsTest {
  private static final int CONTEXT = 0x800;

  @Test
  void aSecondVcpuStartsWithTheStateThatItIsGiven() {
    try (MicroGuest guest = new MicroGuest().vcpus(2)) {
      Label second = guest.a.newLabel();
      Label wait = guest.a.newLabel();
      // flags: in kernel; r15 and on are the registers from word 65; rip, cs, rflags, rsp, ss follow.
      guest.put(CONTEXT + 64, 4).put(CONTEXT + 65, 0x15151515).put(CONTEXT + 81, second).put(CONTEXT + 82, 0xe033);
      guest.put(CONTEXT + 83, 0x202).put(CONTEXT + 84, MicroGuest.STACK - 0x2000).put(CONTEXT + 85, 0xe02b);
      guest.put(CONTEXT + 5144 / 8, 0x1111_0000).put(CONTEXT + 5152 / 8, 0x2222_0000).put(CONTEXT + 5160 / 8, 0x3333_0000);
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RCX), register(OperandKind.CR, 3));
      guest.keep(CONTEXT + 4984 / 8 + 3, Assembler.RCX);
      guest.call(MicroGuest.VCPU_OP, 3, 1, 0).keep(0).call(MicroGuest.VCPU_OP, 1, 1, 0).keep(1);
      guest.call(MicroGuest.VCPU_OP, 0, 1, MicroGuest.DATA + 8 * CONTEXT).keep(2);
      guest.call(MicroGuest.VCPU_OP, 0, 1, MicroGuest.DATA + 8 * CONTEXT).keep(3);
      guest.call(MicroGuest.VCPU_OP, 1, 1, 0).keep(4).call(MicroGuest.VCPU_OP, 3, 1, 0).keep(5).call(MicroGuest.VCPU_OP, 3, 2, 0).keep(6);
      guest.a.jmp(wait).bind(second);
      guest.keep(10, Assembler.R15).keep(11, Assembler.RSP).print("second").call(MicroGuest.VCPU_OP, 2, 1, 0);
      guest.shutdown(3);
      guest.a.bind(wait);
      // Its turn comes when this one yields.
      guest.call(MicroGuest.SCHED_OP, 0).call(MicroGuest.VCPU_OP, 3, 1, 0).keep(7).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(0)).isZero();
      assertThat(guest.word(1)).isEqualTo(-22);
      assertThat(guest.word(2)).isZero();
      assertThat(guest.word(3)).isEqualTo(-17);
      assertThat(guest.word(4)).isZero();
      assertThat(guest.word(5)).isEqualTo(1);
      assertThat(guest.word(6)).isEqualTo(-2);
      assertThat(guest.word(7)).isZero();
      assertThat(guest.word(10)).isEqualTo(0x15151515);
      assertThat(guest.word(11)).isEqualTo(MicroGuest.STACK - 0x2000);
      assertThat(guest.printed()).isEqualTo("second");
      assertThat(guest.machine().domain().vcpus.get(1).cpu.segmentBase[5]).isEqualTo(0x2222_0000);
      assertThat(guest.machine().domain().vcpus.get(1).cpu.kernelGsBase).isEqualTo(0x3333_0000);
    }
  }

  @Test
  void theLastVcpuThatGoesDownPowersOff() {
    try (MicroGuest guest = new MicroGuest().vcpus(2)) {
      guest.call(MicroGuest.VCPU_OP, 2, 0, 0);
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
    }
  }

  @Test
  void aRunstateAreaIsKeptUpToDate() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.put(20, MicroGuest.DATA + 8 * 40).call(MicroGuest.VM_ASSIST, 0, 5);
      guest.call(MicroGuest.VCPU_OP, 5, 0, MicroGuest.DATA + 160).keep(0);
      guest.put(30, 0).put(31, 0).put(32, 1_000_000).call(MicroGuest.SCHED_OP, 3, MicroGuest.DATA + 240).powerOff();
      guest.run();
      assertThat(guest.word(0)).isZero();
      // Running again; blocked until the poll's end.
      assertThat(guest.word(40) & 0xffff_ffffL).isZero();
      assertThat(guest.word(41)).isEqualTo(1_000_000);
      assertThat(guest.word(44)).isBetween(999_800L, 1_000_000L);
    }
  }
}
