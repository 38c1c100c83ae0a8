package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.mem;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome;
import org.xenolith.machine.RunOutcome.Kind;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/** Frames that exceptions leave on the guest kernel's stack. */
class BounceFrameTest {
  private static final int FRAME = 100;

  /** Copies {@code words} of the stack into the data, and powers off. */
  private static void takeFrame(MicroGuest guest, int words) {
    for (int n = 0; n < words; n++) {
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RSP, 8 * n));
      guest.keep(FRAME + n);
    }
    guest.keep(FRAME + words, Assembler.RSP).powerOff();
  }

  @Test
  void aFaultWithoutErrorCode() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(6, 0, handler, 10);
      guest.a.mov(Assembler.RCX, 0x1111).mov(Assembler.R11, 0x2222);
      long at = guest.a.address();
      guest.a.emit(Mnemonic.UD2).bind(handler);
      takeFrame(guest, 7);
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(FRAME)).isEqualTo(0x1111);
      assertThat(guest.word(FRAME + 1)).isEqualTo(0x2222);
      assertThat(guest.word(FRAME + 2)).isEqualTo(at);
      // A kernel sees itself in ring 0; events are masked at the start, which the high half of cs and IF tell.
      assertThat(guest.word(FRAME + 3)).isEqualTo(0x1_0000_e030L);
      // RF, as the processor sets it for a fault.
      assertThat(guest.word(FRAME + 4) & 0x1_0200).isEqualTo(0x1_0000);
      assertThat(guest.word(FRAME + 5)).isEqualTo(MicroGuest.STACK);
      assertThat(guest.word(FRAME + 6)).isEqualTo(0xe02b);
      assertThat(guest.word(FRAME + 7)).isEqualTo(MicroGuest.STACK - 56);
      assertThat(guest.machine().faults()).containsEntry(6, 1L);
    }
  }

  @Test
  void aTrapLeavesTheResumeFlagClear() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(3, 1, handler, 10);
      guest.a.emit(Mnemonic.INT3);
      long after = guest.a.address();
      guest.a.bind(handler);
      takeFrame(guest, 7);
      guest.run();
      assertThat(guest.word(FRAME + 2)).isEqualTo(after);
      assertThat(guest.word(FRAME + 4) & 0x1_0000).isZero();
    }
  }

  @Test
  void theHandlerGetsItsAddressAndFlagsInRcxAndR11() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(6, 0, handler, 10);
      guest.a.emit(Mnemonic.STD).emit(Mnemonic.UD2);
      long at = guest.a.address();
      guest.a.bind(handler).emit(Mnemonic.CLD);
      guest.keep(0, Assembler.RCX).keep(1, Assembler.R11).powerOff();
      guest.run();
      assertThat(guest.word(0)).isEqualTo(at);
      assertThat(guest.word(1) & 0x600).isEqualTo(0x600);
    }
  }

  @Test
  void anInterruptThatTheTableForbidsIsAGeneralProtectionFaultThatNamesIt() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(13, 0, handler, 10);
      guest.a.mov(Assembler.RSP, MicroGuest.STACK);
      long at = guest.a.address();
      guest.a.emit(Mnemonic.INT, imm(0x20)).bind(handler);
      takeFrame(guest, 8);
      guest.run();
      assertThat(guest.word(FRAME + 2)).isEqualTo(0x20 * 8 + 2);
      assertThat(guest.word(FRAME + 3)).isEqualTo(at);
      assertThat(guest.word(FRAME + 8)).isEqualTo(MicroGuest.STACK - 64);
    }
  }

  @Test
  void anInterruptThatTheTableAllowsIsATrap() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(0x20, 1, handler, 10);
      guest.a.emit(Mnemonic.INT, imm(0x20));
      long after = guest.a.address();
      guest.a.bind(handler);
      takeFrame(guest, 7);
      guest.run();
      assertThat(guest.word(FRAME + 2)).isEqualTo(after);
    }
  }

  @Test
  void aPageFaultTellsItsAddressAndThatTheKernelMadeIt() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(14, 0, handler, 10);
      guest.a.mov(Assembler.RAX, 0x7000_0000_1234L).emit(Mnemonic.MOV, mem(Assembler.RAX, 0), gpr(Assembler.RAX)).bind(handler);
      takeFrame(guest, 8);
      guest.run();
      assertThat(guest.word(FRAME + 2)).isEqualTo(2);
      assertThat(guest.machine().xen().memory.readLong(guest.vcpu().vcpuInfoPa + 16)).isEqualTo(0x7000_0000_1234L);
    }
  }

  @Test
  void withoutAHandlerTheDomainIsCrashed() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.a.emit(Mnemonic.UD2);
      RunOutcome outcome = guest.run();
      assertThat(outcome.kind()).isEqualTo(Kind.CRASH);
      assertThat(outcome.reason()).contains("unhandled exception 6").contains("rip 0x10");
    }
  }

  @Test
  void aPageFaultWithoutAHandlerTellsWhatIsThere() {
    try (MicroGuest guest = new MicroGuest()) {
      guest.a.mov(Assembler.RAX, 0x7000_0000_1234L).emit(Mnemonic.MOV, mem(Assembler.RAX, 0), gpr(Assembler.RAX));
      assertThat(guest.run().reason()).contains("unhandled exception 14[2]").contains("for va 0x700000001234, which maps nothing");
    }
    try (MicroGuest guest = new MicroGuest()) {
      // The root is mapped read-only, at start_info's pt_base, offset 88; rsi is start_info's address at the start.
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RSI, 88));
      guest.a.emit(Mnemonic.MOV, mem(Assembler.RAX, 0), gpr(Assembler.RAX));
      List<Breach> breaches = new ArrayList<>();
      Observer observer = new Observer() {
        @Override
        public void breach(Vcpu vcpu, Breach breach) {
          breaches.add(breach);
        }
      };
      assertThat(guest.run(1_000_000, observer).reason()).contains("unhandled exception 14[3]").contains("type L4");
      assertThat(breaches).hasSize(1);
      Breach breach = breaches.getFirst();
      assertThat(breach.rule()).isEqualTo(Rule.HANDLERS);
      assertThat(breach.mfn()).isEqualTo(guest.vcpu().kernelRootMfn);
      assertThat(breach.slots()).hasSize(1);
      assertThat(breach.lines().getFirst().text()).isEqualTo("Unhandled: vec 14, #PF[0003]");
    }
  }

  @Test
  void withoutAStackTheDomainIsCrashed() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(6, 0, handler, 10);
      guest.a.mov(Assembler.RSP, 0x7000_0000_0000L).bind(handler).emit(Mnemonic.UD2);
      assertThat(guest.run().reason()).contains("no stack for a frame").contains("cannot be written");
    }
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(6, 0, handler, 10);
      guest.a.mov(Assembler.RSP, 0xffff_8200_0000_0000L).bind(handler).emit(Mnemonic.UD2);
      assertThat(guest.run().reason()).contains("in Xen's range");
    }
  }

  @Test
  void aSyscallThatEndsPastTheLastAddressFaultsThere() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      guest.handler(13, 0, handler, 10);
      // The iret hypercall returns to where no address is.
      for (long word : new long[] {0xe02b, MicroGuest.STACK, 0x202, 0xe030, 0x0000_8000_0000_0000L, 0, 0, 0, 0}) {
        guest.a.mov(Assembler.RAX, word).emit(Mnemonic.PUSH, gpr(Assembler.RAX));
      }
      guest.call(MicroGuest.IRET);
      guest.a.bind(handler);
      takeFrame(guest, 8);
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(FRAME + 2)).isZero();
      assertThat(guest.word(FRAME + 3)).isEqualTo(0x0000_8000_0000_0000L);
    }
  }
}
