package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Transfers of control, interrupts and what only the privileged may. */
class ControlTest {
  private static final Exit.Exception GP = new Exit.Exception(Fault.GP, 0, 0);
  private static final Exit.Exception UD = new Exit.Exception(Fault.UD, Fault.NO_ERROR_CODE, 0);

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  @Test
  void aTransferToANonCanonicalAddressFaultsAtTheTransfer() {
    cpu.r[Cpu.RAX] = 1L << 47;
    for (String hex : new String[] {"ff e0", "ff d0", "c3"}) {
      machine.code(hex).memory.writeLong(Machine.STACK, 1L << 47);
      assertThat(machine.fault()).isEqualTo(GP);
      assertThat(cpu.rip).isEqualTo(Machine.CODE);
      assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
    }
  }

  @Test
  void aCallWhoseStackFaultsDoesNotJump() {
    machine.code("e8 10 00 00 00").map(Machine.STACK - 8, 0);
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_USER | Fault.PF_WRITE, Machine.STACK - 8));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
  }

  @Test
  void returnsReleaseWhatTheySay() {
    machine.code("c2 10 00").memory.writeLong(Machine.STACK, Machine.CODE + 0x80);
    machine.step(1);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 0x80);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK + 24);
  }

  @Test
  void syscallSavesNextInstructionAndFlags() {
    machine.code("0f 05");
    cpu.setArithmeticFlags(Cpu.ZF);
    assertThat(machine.run(10)).isInstanceOf(Exit.Syscall.class);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(Machine.CODE + 2).isEqualTo(cpu.rip);
    assertThat(cpu.r[Cpu.R11]).isEqualTo(2 | Cpu.ZF | Cpu.IF);
    cpu.efer &= ~Cpu.EFER_SCE;
    machine.code("0f 05");
    cpu.rip = Machine.CODE;
    assertThat(machine.fault()).isEqualTo(UD);
  }

  @Test
  void softwareInterruptsExitWithRipAtOrBehindThemAsTheirKindHasIt() {
    machine.code("cd 82");
    assertThat(machine.run(10)).isEqualTo(new Exit.SoftwareInterrupt(0x82, 2));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    machine.code("cc");
    assertThat(machine.run(10)).isEqualTo(new Exit.Exception(Fault.BP, Fault.NO_ERROR_CODE, 0));
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 1);
  }

  @ParameterizedTest
  @ValueSource(strings = {
    "f4", "0f 20 c0", "0f 22 d8", "0f 21 c0", "0f 23 c0", "0f 30", "0f 32", "0f 01 16", "0f 01 1e", "0f 01 3e", "0f 06", "0f 08", "0f 09",
    "0f 01 f8", "0f 07", "0f 33", "fa", "fb", "ec", "ee", "6c", "6f", "0f 00 d0", "0f 00 d8", "0f 01 f0", "0f 35"})
  void privilegedInstructionsAreGeneralProtectionFaultsForUserCode(String hex) {
    machine.code(hex);
    assertThat(machine.fault()).isEqualTo(GP);
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  /** STAC outside level 0; SYSENTER in long mode; XGETBV, RDRAND, VMCALL, VMMCALL, RDFSBASE, ADCX, VEX: not offered. */
  @ParameterizedTest
  @ValueSource(strings = {
    "0f 0b", "0f ff c0", "0f b9 c0", "0f 01 cb", "0f 34", "0f 01 d0", "0f c7 f0", "0f 01 c1", "0f 01 d9", "f3 0f ae c0",
    "66 0f 38 f6 c0", "c5 f8 77", "0f 20 c8", "06", "f0 90", "0f aa", "0f 38 f0 06"})
  void whatTheModelDoesNotHaveIsUndefined(String hex) {
    machine.code(hex);
    assertThat(machine.fault()).isEqualTo(UD);
  }

  @Test
  void sixteenBytesAreTooLong() {
    machine.code("66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90");
    assertThat(machine.fault()).isEqualTo(GP);
  }

  @Test
  void hltAtLevel0IsAnExitBehindIt() {
    machine.privilege(0).code("90 f4");
    assertThat(machine.run(10)).isInstanceOf(Exit.Halt.class);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 2);
  }

  @Test
  void repNopBranchesOfTheSilenceOfOldProcessorsAreNops() {
    machine.code("f3 0f 1e fa 0f 0d 0e 0f 18 06 0f 1f 00").step(4);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 13);
  }

  @Test
  void enterAndLeaveMakeAndDropAFrame() {
    cpu.r[Cpu.RBP] = 0x1234;
    machine.code("c8 20 00 00 c9").step(1);
    assertThat(cpu.r[Cpu.RBP]).isEqualTo(Machine.STACK - 8);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 8 - 0x20);
    machine.step(1);
    assertThat(cpu.r[Cpu.RBP]).isEqualTo(0x1234);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
  }

  @Test
  void rdtscCanBeForbidden() {
    cpu.cr4 |= Cpu.CR4_TSD;
    machine.code("0f 31");
    assertThat(machine.fault()).isEqualTo(GP);
  }

  @Test
  void cpuidCanBeMadeToFaultOutsideRing0() {
    cpu.cpuidFaults = true;
    machine.code("0f a2");
    assertThat(machine.fault()).isEqualTo(GP);
  }

  @Test
  void cpuidSpeaksForTheModel() {
    cpu.r[Cpu.RAX] = 1;
    machine.code("0f a2").step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x60fb1);
    assertThat(cpu.r[Cpu.RCX] >>> 26 & 3).as("XSAVE, OSXSAVE").isEqualTo(1);
    assertThat(cpu.r[Cpu.RDX] >>> 26 & 1).as("SSE2").isEqualTo(1);
    cpu.cr4 |= Cpu.CR4_OSXSAVE;
    cpu.apicId = 5;
    cpu.rip = Machine.CODE;
    cpu.r[Cpu.RAX] = 1;
    machine.step(1);
    assertThat(cpu.r[Cpu.RCX] >>> 26 & 3).isEqualTo(3);
    assertThat(cpu.r[Cpu.RBX] >>> 24).isEqualTo(5);
  }
}
