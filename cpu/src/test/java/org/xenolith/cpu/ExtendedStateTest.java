package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** XSAVE and its like. */
class ExtendedStateTest {
  private static final String XSAVE = "48 0f ae 26", XRSTOR = "48 0f ae 2e", XSAVEOPT = "48 0f ae 36", XSAVEC = "48 0f c7 26"; // [rsi]
  private static final String XGETBV = "0f 01 d0", XSETBV = "0f 01 d1";
  private static final Exit GP = new Exit.Exception(Fault.GP, 0, 0);

  private final Machine machine = new Machine().privilege(0);
  private final Cpu cpu = machine.cpu;

  @BeforeEach
  void enabled() {
    cpu.cr4 |= Cpu.CR4_OSXSAVE;
    cpu.xcr0 = 3;
    cpu.r[Cpu.RSI] = Machine.DATA;
    cpu.x87.state.initialize();
    machine.memory.fill(Machine.DATA, 512, (byte) 0xee);
  }

  private void run(String code, int mask) {
    cpu.r[Cpu.RAX] = mask;
    cpu.r[Cpu.RDX] = 0;
    cpu.rip = Machine.CODE;
    machine.code(code).step(1);
  }

  private Exit fault(String code, int mask) {
    cpu.r[Cpu.RAX] = mask;
    cpu.r[Cpu.RDX] = 0;
    cpu.rip = Machine.CODE;
    return machine.code(code).fault();
  }

  private long at(int offset) {
    return machine.memory.readLong(Machine.DATA + offset);
  }

  private void put(int offset, long value) {
    machine.memory.writeLong(Machine.DATA + offset, value);
  }

  @Test
  void existWhereTheSystemSaysSo() {
    cpu.cr4 &= ~Cpu.CR4_OSXSAVE;
    for (String code : new String[] {XSAVE, XRSTOR, XSAVEOPT, XSAVEC, XGETBV, XSETBV}) {
      assertThat(fault(code, 3)).isEqualTo(new Exit.Exception(Fault.UD, Fault.NO_ERROR_CODE, 0));
    }
    cpu.cr4 |= Cpu.CR4_OSXSAVE;
    cpu.cr0 |= Cpu.CR0_TS;
    assertThat(fault(XSAVE, 3)).isEqualTo(new Exit.Exception(Fault.NM, Fault.NO_ERROR_CODE, 0));
    cpu.cr0 &= ~Cpu.CR0_TS;
    cpu.r[Cpu.RSI] = Machine.DATA + 16;
    assertThat(fault(XSAVE, 3)).isEqualTo(GP);
  }

  @Test
  void theControlRegisterHasTwoComponents() {
    cpu.r[Cpu.RCX] = 0;
    run(XSETBV, 1);
    run(XGETBV, 7);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(1);
    run(XSETBV, 3);
    assertThat(fault(XSETBV, 2)).isEqualTo(GP);
    assertThat(fault(XSETBV, 7)).isEqualTo(GP);
    cpu.r[Cpu.RCX] = 1;
    assertThat(fault(XSETBV, 3)).isEqualTo(GP);
    cpu.xmm[5] = 1;
    run(XGETBV, 0);
    assertThat(cpu.r[Cpu.RAX]).as("in use").isEqualTo(2);
    cpu.r[Cpu.RCX] = 2;
    assertThat(fault(XGETBV, 0)).isEqualTo(GP);
    cpu.r[Cpu.RCX] = 0;
    machine.privilege(3);
    assertThat(fault(XSETBV, 3)).isEqualTo(GP);
  }

  @Test
  void saveStoresWhatIsAskedForAndSaysWhatIsInUse() {
    cpu.xmm[1] = 0x1234;
    put(512, 0xf0 | 1);
    run(XSAVE, 2);
    assertThat(at(512)).as("the x87 unit's bit was not asked for").isEqualTo(0xf3);
    assertThat(at(0)).isEqualTo(0xeeee_eeee_eeee_eeeeL);
    assertThat(at(24)).isEqualTo(0xffff_0000_1f80L);
    assertThat(at(168)).isEqualTo(0x1234);
    run(XSAVE, 3);
    assertThat(at(512)).isEqualTo(0xf2);
    assertThat(at(0) & 0xffff).isEqualTo(0x37f);
    assertThat(at(416)).as("reserved").isEqualTo(0xeeee_eeee_eeee_eeeeL);
  }

  @Test
  void theOptimizedFormLeavesOutWhatIsInItsInitialState() {
    put(512, 3);
    run(XSAVEOPT, 3);
    assertThat(at(512)).isZero();
    assertThat(at(0)).isEqualTo(0xeeee_eeee_eeee_eeeeL);
    assertThat(at(24)).as("MXCSR is always stored").isEqualTo(0xffff_0000_1f80L);
    assertThat(at(160)).isEqualTo(0xeeee_eeee_eeee_eeeeL);
  }

  @Test
  void theCompactedFormSaysSoInItsHeader() {
    cpu.vector.floats.mxcsr = 0x9f80;
    run(XSAVEC, 3);
    assertThat(at(512)).as("for MXCSR's sake").isEqualTo(2);
    assertThat(at(520)).isEqualTo(1L << 63 | 3);
    assertThat(at(160)).isZero();
    assertThat(at(0)).isEqualTo(0xeeee_eeee_eeee_eeeeL);
  }

  @Test
  void whatWasSavedComesBack() {
    for (String save : new String[] {XSAVE, XSAVEC}) {
      machine.memory.fill(Machine.DATA, 576, (byte) 0);
      cpu.xmm[31] = 77;
      cpu.x87.state.significands[3] = 5;
      cpu.x87.state.occupied = 8;
      cpu.vector.floats.mxcsr = 0x1fa0;
      run(save, 3);
      cpu.xmm[31] = 0;
      cpu.x87.state.reset();
      cpu.vector.floats.mxcsr = 0x1f80;
      run(XRSTOR, 3);
      assertThat(cpu.xmm[31]).isEqualTo(77);
      assertThat(cpu.x87.state.significands[3]).isEqualTo(5);
      assertThat(cpu.vector.floats.mxcsr).isEqualTo(0x1fa0);
    }
  }

  @Test
  void whatTheHeaderDoesNotNameBecomesInitial() {
    machine.memory.fill(Machine.DATA, 576, (byte) 0);
    put(24, 0x9f80);
    cpu.xmm[31] = 77;
    cpu.x87.state.occupied = 8;
    run(XRSTOR, 3);
    assertThat(cpu.xmm[31]).isZero();
    assertThat(cpu.x87.state.occupied).isZero();
    assertThat(cpu.x87.state.control).isEqualTo(0x37f);
    assertThat(cpu.vector.floats.mxcsr).as("the standard form loads MXCSR all the same").isEqualTo(0x9f80);
    put(520, 1L << 63 | 3);
    run(XRSTOR, 3);
    assertThat(cpu.vector.floats.mxcsr).isEqualTo(0x1f80);
  }

  @Test
  void restoreRefusesHeadersThatMakeNoSense() {
    machine.memory.fill(Machine.DATA, 576, (byte) 0);
    put(24, 0x1f80);
    put(512, 4);
    assertThat(fault(XRSTOR, 3)).isEqualTo(GP);
    put(512, 3);
    put(520, 1);
    assertThat(fault(XRSTOR, 3)).isEqualTo(GP);
    put(520, 1L << 63 | 1);
    assertThat(fault(XRSTOR, 3)).isEqualTo(GP);
    put(520, 1L << 63 | 7);
    assertThat(fault(XRSTOR, 3)).isEqualTo(GP);
    put(520, 1L << 63 | 3);
    put(560, 1);
    assertThat(fault(XRSTOR, 3)).isEqualTo(GP);
    put(560, 0);
    put(24, 0x1_0000);
    assertThat(fault(XRSTOR, 3)).isEqualTo(GP);
  }
}
