package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.mem;
import static org.xenolith.isa.Operand.register;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.machine.RunOutcome.Kind;
import org.xenolith.xen.XenMachine;

/** Instructions that Xen carries out for a PV guest's kernel, and those that stay faults. */
class PrivilegedOpsTest {
  private static final int FAULTS = 200;

  /** Counts #GP in word {@link #FAULTS} and goes on behind the instruction, whose length must be {@code length}. */
  private static MicroGuest countingFaults(int length) {
    MicroGuest guest = new MicroGuest();
    Label handler = guest.a.newLabel();
    Label start = guest.a.newLabel();
    guest.handler(13, 0, handler, 10);
    guest.a.jmp(start).bind(handler);
    guest.count(FAULTS);
    // rcx, r11, error code, rip
    guest.a.emit(Mnemonic.ADD, mem(Assembler.RSP, 24), imm(length));
    guest.a.emit(Mnemonic.POP, gpr(Assembler.RCX)).emit(Mnemonic.POP, gpr(Assembler.R11));
    guest.a.emit(Mnemonic.MOV, mem(Assembler.RSP, 0), imm(0));
    guest.a.emit(Mnemonic.PUSH, gpr(Assembler.RCX)).emit(Mnemonic.PUSH, gpr(Assembler.R11)).emit(Mnemonic.PUSH, gpr(Assembler.RAX));
    guest.a.mov(Assembler.RAX, MicroGuest.IRET).emit(Mnemonic.SYSCALL).bind(start);
    return guest;
  }

  private static void readMsr(MicroGuest guest, int msr, int word) {
    guest.a.mov(Assembler.RCX, msr & 0xffff_ffffL).mov(Assembler.RAX, 0x77).mov(Assembler.RDX, 0).emit(Mnemonic.RDMSR);
    guest.a.emit(Mnemonic.SHL, gpr(Assembler.RDX), imm(32)).emit(Mnemonic.OR, gpr(Assembler.RAX), gpr(Assembler.RDX));
    guest.keep(word);
  }

  @Test
  void modelSpecificRegistersReadAsXenAnswersThem() {
    try (MicroGuest guest = countingFaults(2)) {
      readMsr(guest, 0x1b, 0);
      readMsr(guest, 0x277, 1);
      readMsr(guest, 0xc000_0080, 2);
      readMsr(guest, 0xc001_0015, 3);
      readMsr(guest, 0xce, 4);
      readMsr(guest, 0xc001_0000, 5);
      readMsr(guest, 0x1d9, 6);
      readMsr(guest, 0xc000_0082, 7);
      guest.powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(0)).isEqualTo(0xfee0_0900L);
      assertThat(guest.word(1)).isEqualTo(0x0501_0007_0406L);
      assertThat(guest.word(2)).isEqualTo(0xd01);
      assertThat(new long[] {guest.word(3), guest.word(4), guest.word(5)}).containsOnly(0);
      assertThat(new long[] {guest.word(6), guest.word(7)}).containsOnly(0x77);
      assertThat(guest.word(FAULTS)).isEqualTo(2);
    }
  }

  @Test
  void registersThatXenDoesNotAnswerForReadAsZeroWhereTheConfigurationIsRelaxed() {
    try (MicroGuest guest = countingFaults(2).settings(new XenMachine.Settings("relaxed", 0, 1, true))) {
      readMsr(guest, 0x1d9, 0);
      readMsr(guest, 0xc000_0082, 1);
      // The processor has no such register.
      readMsr(guest, 0xce + 1, 2);
      guest.a.mov(Assembler.RCX, 0x1d9).mov(Assembler.RAX, 1).mov(Assembler.RDX, 0).emit(Mnemonic.WRMSR);
      readMsr(guest, 0x1d9, 3);
      guest.powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(new long[] {guest.word(0), guest.word(1), guest.word(3)}).containsOnly(0);
      assertThat(guest.word(2)).isEqualTo(0x77);
      assertThat(guest.word(FAULTS)).isEqualTo(1);
    }
  }

  @Test
  void beforeTheKernelHasAHandlerWhatTheProcessorHasReadsAsZero() {
    for (int msr : new int[] {0x1d9, 0xcf}) {
      try (MicroGuest guest = new MicroGuest()) {
        readMsr(guest, msr, 0);
        guest.powerOff();
        // There is no 0xcf.
        assertThat(guest.run().kind()).isEqualTo(msr == 0xcf ? Kind.CRASH : Kind.POWEROFF);
        assertThat(guest.word(0)).isZero();
      }
    }
  }

  @Test
  void theMemoryMapHasRoomForWhatTheGuestMayHaveOneDay() {
    try (MicroGuest guest = new MicroGuest().settings(new XenMachine.Settings("small", 32L << 20, 1, false))) {
      guest.put(0, 1).put(1, MicroGuest.DATA + 0x100).call(12, 9, MicroGuest.DATA).keep(2).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(2)).isZero();
      assertThat(guest.word(0x20)).isZero();
      assertThat(guest.word(0x21)).isEqualTo(32L << 20);
      assertThat(guest.machine().domain().maxPages).isLessThan(8192);
    }
  }

  @Test
  void anInstructionIsReadWithOneWalkOfThePageTables() {
    long[] references = new long[2];
    for (int more = 0; more < 2; more++) {
      try (MicroGuest guest = new MicroGuest()) {
        for (int n = 0; n < 100 * (1 + more); n++) {
          guest.a.emit(Mnemonic.MOV, gpr(Assembler.RCX), register(OperandKind.CR, 3));
        }
        guest.powerOff();
        assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
        references[more] = guest.vcpu().cpu.tlbStatistics()[1];
      }
    }
    assertThat(references[1] - references[0]).isEqualTo(100 * 4);
  }

  @Test
  void anInstructionMayLieInTwoPages() {
    try (MicroGuest guest = new MicroGuest()) {
      while (guest.a.address() < MicroGuest.CODE + 0x1000 - 2) {
        guest.a.emit(Mnemonic.NOP);
      }
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), register(OperandKind.CR, 3));
      guest.keep(0).powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(0)).isNotZero();
    }
  }

  @Test
  void modelSpecificRegistersAreWrittenAsXenAllows() {
    try (MicroGuest guest = countingFaults(2)) {
      write(guest, 0xc000_0102, 0x1234_5000L);
      write(guest, 0xc000_0100, 0x7654_3000L);
      write(guest, 0xc000_0080, 0xd01);
      write(guest, 0xc000_0080, 0);
      write(guest, 0xc000_0102, 0x8000_0000_0000L);
      write(guest, 0x199, 5);
      guest.powerOff();
      guest.run();
      assertThat(guest.vcpu().cpu.kernelGsBase).isEqualTo(0x1234_5000L);
      assertThat(guest.vcpu().cpu.segmentBase[4]).isEqualTo(0x7654_3000L);
      assertThat(guest.word(FAULTS)).isEqualTo(3);
    }
  }

  private static void write(MicroGuest guest, int msr, long value) {
    guest.a.mov(Assembler.RCX, msr & 0xffff_ffffL).mov(Assembler.RAX, value & 0xffff_ffffL).mov(Assembler.RDX, value >>> 32);
    guest.a.emit(Mnemonic.WRMSR);
  }

  @Test
  void interruptFlagInstructionsNeedPrivilegeAndDoNothing() {
    try (MicroGuest guest = countingFaults(1)) {
      guest.a.emit(Mnemonic.CLI);
      guest.put(20, 1).call(MicroGuest.PHYSDEV_OP, 6, MicroGuest.DATA + 160);
      guest.a.emit(Mnemonic.CLI).emit(Mnemonic.STI);
      guest.powerOff();
      guest.run();
      assertThat(guest.word(FAULTS)).isEqualTo(1);
      assertThat(guest.vcpu().eventsMasked()).isTrue();
    }
  }

  @Test
  void whatXenDoesNotCarryOutStaysAFault() {
    try (MicroGuest guest = countingFaults(1)) {
      guest.a.emit(Mnemonic.HLT);
      guest.powerOff();
      guest.run();
      assertThat(guest.word(FAULTS)).isEqualTo(1);
    }
    try (MicroGuest guest = countingFaults(2)) {
      guest.a.emit(Mnemonic.INVD).emit(Mnemonic.WBINVD);
      guest.powerOff();
      guest.run();
      assertThat(guest.word(FAULTS)).isEqualTo(1);
    }
  }

  @Test
  void controlRegistersAreTheGuestsOwn() {
    try (MicroGuest guest = countingFaults(3)) {
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), register(OperandKind.CR, 0));
      guest.keep(0);
      guest.a.emit(Mnemonic.OR, gpr(Assembler.RAX), imm(8)).emit(Mnemonic.MOV, register(OperandKind.CR, 0), gpr(Assembler.RAX));
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), register(OperandKind.CR, 0));
      guest.keep(1);
      guest.a.emit(Mnemonic.CLTS).emit(Mnemonic.MOV, gpr(Assembler.RAX), register(OperandKind.CR, 0));
      guest.keep(2);
      guest.a.mov(Assembler.RAX, 0x33).emit(Mnemonic.MOV, register(OperandKind.CR, 0), gpr(Assembler.RAX));
      guest.a.mov(Assembler.RAX, 0xffff_ffffL).emit(Mnemonic.MOV, register(OperandKind.CR, 4), gpr(Assembler.RAX));
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RAX), register(OperandKind.CR, 4));
      guest.keep(3);
      guest.a.mov(Assembler.RAX, 0xabcd).emit(Mnemonic.MOV, register(OperandKind.CR, 2), gpr(Assembler.RAX));
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RDX), register(OperandKind.CR, 2));
      guest.keep(4, Assembler.RDX);
      guest.a.emit(Mnemonic.MOV, gpr(Assembler.RDX), register(OperandKind.CR, 3));
      guest.keep(5, Assembler.RDX).powerOff();
      guest.run();
      assertThat(guest.word(0)).isEqualTo(0x8005_0033L);
      assertThat(guest.word(1)).isEqualTo(0x8005_003bL);
      assertThat(guest.word(2)).isEqualTo(0x8005_0033L);
      // TSD, DE, FSGSBASE and OSXSAVE are a guest's to set; PAE, MCE, OSFXSR and OSXMMEXCPT are Xen's and seen.
      assertThat(guest.word(3)).isEqualTo(0x5_066c);
      assertThat(guest.word(4)).isEqualTo(0xabcd);
      assertThat(guest.word(5)).isEqualTo(guest.vcpu().kernelRootMfn << 12);
      assertThat(guest.word(FAULTS)).isEqualTo(1);
    }
  }

  @Test
  void theFloatingPointUnitFaultsOnceAfterTaskSwitchIsSet() {
    try (MicroGuest guest = new MicroGuest()) {
      Label handler = guest.a.newLabel();
      Label start = guest.a.newLabel();
      guest.handler(7, 0, handler, 10);
      guest.a.jmp(start).bind(handler);
      guest.count(FAULTS).goBack();
      guest.a.bind(start);
      guest.call(MicroGuest.FPU_TASKSWITCH, 1);
      guest.a.emit(Mnemonic.FNINIT).emit(Mnemonic.FNINIT);
      guest.powerOff();
      assertThat(guest.run().kind()).isEqualTo(Kind.POWEROFF);
      assertThat(guest.word(FAULTS)).isEqualTo(1);
    }
  }

  @Test
  void portsOfNobodyReadAllOnesWhereTheyMayBeTried() {
    try (MicroGuest guest = countingFaults(2)) {
      guest.a.mov(Assembler.RAX, 0x1234_5678).raw(0xe4, 0x80);
      guest.keep(0);
      guest.put(20, 1).call(MicroGuest.PHYSDEV_OP, 6, MicroGuest.DATA + 160);
      guest.a.mov(Assembler.RAX, 0x1234_5678).raw(0xe4, 0x80);
      guest.keep(1);
      guest.a.mov(Assembler.RDX, 0xcf8).mov(Assembler.RAX, 0x8000_1234L).raw(0xef).mov(Assembler.RAX, 0).raw(0xed);
      guest.keep(2);
      guest.a.mov(Assembler.RDX, 0x3fc).raw(0x66, 0xed);
      guest.keep(3).powerOff();
      guest.run();
      assertThat(guest.word(FAULTS)).isEqualTo(1);
      assertThat(guest.word(0)).isEqualTo(0x1234_5678);
      assertThat(guest.word(1)).isEqualTo(0x1234_56ff);
      assertThat(guest.word(2)).isEqualTo(0x8000_1234L);
      assertThat(guest.word(3)).isEqualTo(0x8000_ffffL);
    }
  }

  @Test
  void theBitmapGrantsSinglePorts() {
    try (MicroGuest guest = countingFaults(2)) {
      // 0x80 is allowed, 0x81 is not.
      guest.put(300 + 2, 0xfffe).put(20, MicroGuest.DATA + 8 * 300).put(21, 0x100);
      guest.call(MicroGuest.PHYSDEV_OP, 7, MicroGuest.DATA + 160).keep(5);
      guest.a.mov(Assembler.RAX, 0).raw(0xe4, 0x80);
      guest.keep(0);
      guest.a.mov(Assembler.RAX, 0).raw(0xe4, 0x81);
      guest.keep(1).powerOff();
      guest.run();
      assertThat(guest.word(5)).isZero();
      assertThat(guest.word(0)).isEqualTo(0xff);
      assertThat(guest.word(1)).isZero();
      assertThat(guest.word(FAULTS)).isEqualTo(1);
    }
  }

  @Test
  void cpuidByPrefixAndByInstructionSaysTheSame() {
    try (MicroGuest guest = new MicroGuest()) {
      for (int form = 0; form < 2; form++) {
        guest.a.mov(Assembler.RAX, 0x4000_0000).mov(Assembler.RCX, 0);
        if (form == 0) {
          guest.a.raw(0x0f, 0x0b).text("xen");
        }
        guest.a.emit(Mnemonic.CPUID);
        guest.a.emit(Mnemonic.MOV, gpr(Assembler.RSI), gpr(Assembler.RBX));
        guest.keep(4 * form).keep(4 * form + 1, Assembler.RSI).keep(4 * form + 2, Assembler.RCX).keep(4 * form + 3, Assembler.RDX);
      }
      guest.powerOff();
      guest.run();
      assertThat(guest.word(0)).isEqualTo(0x4000_0005).isEqualTo(guest.word(4));
      assertThat(guest.word(1)).isEqualTo(0x566e_6558).isEqualTo(guest.word(5));
      assertThat(guest.machine().exits()).containsEntry("forced-emulation", 1L);
    }
  }

  @Test
  void extendedStateIsAnnouncedToTheKernelByPrefixAndEnabledByItself() {
    try (MicroGuest guest = countingFaults(3)) {
      guest.a.mov(Assembler.RAX, 1).raw(0x0f, 0x0b).text("xen").emit(Mnemonic.CPUID);
      guest.keep(0, Assembler.RCX);
      guest.a.mov(Assembler.RAX, 1).emit(Mnemonic.CPUID);
      guest.keep(1, Assembler.RCX);
      // mov rax,cr4; bts rax,18; mov cr4,rax
      guest.a.raw(0x0f, 0x20, 0xe0, 0x48, 0x0f, 0xba, 0xe8, 18, 0x0f, 0x22, 0xe0);
      guest.a.mov(Assembler.RAX, 1).emit(Mnemonic.CPUID);
      guest.keep(2, Assembler.RCX);
      guest.a.mov(Assembler.RCX, 0).mov(Assembler.RDX, 0).mov(Assembler.RAX, 3).raw(0x0f, 0x01, 0xd1); // xsetbv
      guest.a.raw(0x0f, 0x01, 0xd0); // xgetbv
      guest.keep(3);
      guest.a.mov(Assembler.RCX, 0).mov(Assembler.RDX, 0).mov(Assembler.RAX, 2).raw(0x0f, 0x01, 0xd1);
      guest.powerOff();
      guest.run();
      assertThat(guest.word(0) >>> 26 & 3).isEqualTo(3);
      assertThat(guest.word(1) >>> 26 & 3).isEqualTo(1);
      assertThat(guest.word(2) >>> 26 & 3).isEqualTo(3);
      assertThat(guest.word(3)).isEqualTo(3);
      assertThat(guest.word(FAULTS)).as("what XCR0 cannot be").isEqualTo(1);
    }
  }
}
