package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.sse.Mxcsr;

class FpuFaultsTest {
  private static final String FLD1 = "d9 e8", FNINIT = "db e3", FWAIT = "9b", ADDPS = "0f 58 ca", PADDB = "0f fc ca", EMMS = "0f 77";
  private static final String FXSAVE64_RSI = "48 0f ae 06", FXRSTOR64_RSI = "48 0f ae 0e", FSTP_M80_RSI = "db 3e", MOVAPS_RSI = "0f 28 0e";
  private static final String DIVSS = "f3 0f 5e ca";
  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  private Exit run(String code) {
    machine.code(code);
    cpu.rip = Machine.CODE;
    return machine.run(1);
  }

  private void assertVector(String code, int vector) {
    assertThat(run(code)).isInstanceOfSatisfying(Exit.Exception.class, e -> assertThat(e.vector()).isEqualTo(vector));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  private void assertRuns(String code) {
    assertThat(run(code)).isInstanceOf(Exit.Budget.class);
  }

  @Test
  void everythingIsUnavailableWhileTheTaskSwitchedFlagIsSet() {
    cpu.cr0 |= Cpu.CR0_TS;
    for (String code : new String[] {FLD1, FNINIT, FWAIT, ADDPS, PADDB, EMMS, FXSAVE64_RSI}) {
      cpu.r[Cpu.RSI] = Machine.DATA;
      assertVector(code, Fault.NM);
    }
    cpu.cr0 &= ~Cpu.CR0_MP;
    assertRuns(FWAIT);
  }

  @Test
  void emulationMakesX87UnavailableAndTheOthersUndefined() {
    cpu.cr0 |= Cpu.CR0_EM;
    assertVector(FLD1, Fault.NM);
    assertVector(ADDPS, Fault.UD);
    assertVector(PADDB, Fault.UD);
    assertRuns(FWAIT);
  }

  @Test
  void sseIsUndefinedUntilTheSystemSaysThatItSavesIt() {
    cpu.cr4 &= ~Cpu.CR4_OSFXSR;
    assertVector(ADDPS, Fault.UD);
    assertRuns(PADDB);
    assertRuns(FLD1);
  }

  @Test
  void anUnmaskedX87ExceptionWaitsForTheNextWaitingInstruction() {
    cpu.x87.state.setControlWord(0x37F & ~4);
    assertRuns(FLD1);
    assertRuns("d9 ee"); // fldz
    assertRuns("de f9"); // fdivp: 1 / 0
    assertThat(cpu.x87.state.statusWord() & 0x80).isNotZero();
    assertVector(FWAIT, Fault.MF);
    assertVector(PADDB, Fault.MF);
    assertRuns("df e0"); // fnstsw ax
    assertRuns("db e2"); // fnclex
    assertRuns(FWAIT);
  }

  @Test
  void anUnmaskedSseExceptionIsUndefinedWhereTheSystemDoesNotHandleIt() {
    cpu.vector.floats.mxcsr = Mxcsr.RESET & ~(Mxcsr.ZERO_DIVIDE << Mxcsr.MASK_SHIFT);
    cpu.xmm[2] = Float.floatToRawIntBits(1);
    cpu.xmm[4] = 0;
    assertVector(DIVSS, Fault.XM);
    assertThat(cpu.xmm[2]).isEqualTo(Float.floatToRawIntBits(1));
    assertThat(cpu.vector.floats.mxcsr & Mxcsr.ZERO_DIVIDE).isNotZero();
    cpu.cr4 &= ~Cpu.CR4_OSXMMEXCPT;
    assertVector(DIVSS, Fault.UD);
  }

  @Test
  void aligned128BitOperandsMustBeAlignedAndUnalignedOnesMayCrossPages() {
    cpu.r[Cpu.RSI] = Machine.DATA + 8;
    assertVector(MOVAPS_RSI, Fault.GP);
    machine.memory.writeLong(Machine.DATA + 0xff8, 1);
    machine.memory.writeLong(Machine.DATA + 0x1000, 2);
    cpu.r[Cpu.RSI] = Machine.DATA + 0xff8;
    assertRuns("0f 10 0e"); // movups
    assertThat(cpu.xmm[2]).isEqualTo(1);
    assertThat(cpu.xmm[3]).isEqualTo(2);
  }

  @Test
  void aStoreThatFaultsLeavesTheStackAsItWas() {
    assertRuns(FLD1);
    machine.memory.writeLong(Machine.entry(Machine.DATA + 0x1000), 0);
    cpu.r[Cpu.RSI] = Machine.DATA + 0xffc;
    int status = cpu.x87.state.statusWord();
    assertVector(FSTP_M80_RSI, Fault.PF);
    assertThat(cpu.x87.state.statusWord()).isEqualTo(status);
    assertThat(cpu.x87.state.occupied).isEqualTo(0x80);
    assertThat(machine.memory.readLong(Machine.DATA + 0xff8)).isZero();
  }

  @Test
  void fxsaveAndFxrstorMoveTheWholeState() {
    cpu.r[Cpu.RSI] = Machine.DATA;
    assertRuns(FLD1);
    for (int n = 0; n < 32; n++) {
      cpu.xmm[n] = 0x0101_0101_0101_0101L * n;
    }
    cpu.vector.floats.mxcsr = 0x3f81;
    machine.memory.writeLong(Machine.DATA + 464, -1);
    assertRuns(FXSAVE64_RSI);
    assertThat(machine.memory.readLong(Machine.DATA)).isEqualTo(0x0000_0080_3800_037FL);
    assertThat(machine.memory.readLong(Machine.DATA + 464)).isEqualTo(-1);
    assertRuns(FNINIT);
    cpu.vector.floats.mxcsr = Mxcsr.RESET;
    java.util.Arrays.fill(cpu.xmm, 0);
    cpu.x87.state.signExponents[7] = 0;
    assertRuns(FXRSTOR64_RSI);
    assertThat(cpu.xmm[31]).isEqualTo(0x1f1f_1f1f_1f1f_1f1fL);
    assertThat(cpu.vector.floats.mxcsr).isEqualTo(0x3f81);
    assertThat(cpu.x87.state.top).isEqualTo(7);
    assertThat(cpu.x87.state.signExponents[7]).isEqualTo(0x3FFF);
    assertThat(cpu.x87.state.occupied).isEqualTo(0x80);
  }

  @Test
  void fxrstorOfAReservedMxcsrBitRestoresNothing() {
    cpu.r[Cpu.RSI] = Machine.DATA;
    machine.memory.writeLong(Machine.DATA, 0x1234);
    machine.memory.writeLong(Machine.DATA + 24, 0x0001_1f80);
    cpu.xmm[0] = 5;
    assertVector(FXRSTOR64_RSI, Fault.GP);
    assertThat(cpu.xmm[0]).isEqualTo(5);
    assertThat(cpu.x87.state.control).isEqualTo(0x37F);
  }

  @Test
  void mmxInstructionsOccupyAllRegistersAndEmmsFreesThem() {
    assertRuns(FLD1);
    assertRuns(PADDB);
    assertThat(cpu.x87.state.top).isZero();
    assertThat(cpu.x87.state.tagWord() >> 2 & 3).isEqualTo(2); // mm1's exponent is all ones: special
    assertThat(cpu.x87.state.occupied).isEqualTo(0xFF);
    assertRuns(EMMS);
    assertThat(cpu.x87.state.tagWord()).isEqualTo(0xFFFF);
  }

  @Test
  void theLastInstructionAndItsOperandAreRemembered() {
    cpu.r[Cpu.RSI] = Machine.DATA;
    assertRuns("d9 06"); // fld dword [rsi]
    assertRuns("df e0"); // fnstsw ax: a control instruction
    assertThat(cpu.x87.state.instructionPointer).isEqualTo(Machine.CODE);
    assertThat(cpu.x87.state.dataPointer).isEqualTo(Machine.DATA);
    assertThat(cpu.x87.state.opcode).isEqualTo(0x106);
  }
}
