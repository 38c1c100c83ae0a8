package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.isa.Instruction;

/** RDMSR, WRMSR and the instructions on segment bases. */
class MsrsTest {
  private static final Exit GP = new Exit.Exception(Fault.GP, 0, 0);

  private final Machine machine = new Machine().privilege(0);
  private final Cpu cpu = machine.cpu;

  private Exit write(int msr, long value) {
    cpu.r[Cpu.RCX] = msr;
    cpu.r[Cpu.RAX] = value & 0xffff_ffffL;
    cpu.r[Cpu.RDX] = value >>> 32;
    cpu.rip = Machine.CODE;
    return machine.code("0f 30").run(1);
  }

  private Exit read(int msr) {
    cpu.r[Cpu.RCX] = msr | 0x5555L << 32;
    cpu.rip = Machine.CODE;
    return machine.code("0f 32").run(1);
  }

  private long value(int msr) {
    assertThat(read(msr)).isEqualTo(new Exit.Budget());
    return cpu.r[Cpu.RAX] | cpu.r[Cpu.RDX] << 32;
  }

  @ParameterizedTest
  @ValueSource(strings = {
    "00000174", "00000175", "00000176", "00000277", "c0000081", "c0000082", "c0000083", "c0000084", "c0000100", "c0000101", "c0000102",
    "000002ff", "00000200", "00000201", "00000250", "0000026f", "00000400", "0000017b", "c0010015", "c001001a"
  })
  void keepWhatWasWritten(String msr) {
    int number = Integer.parseUnsignedInt(msr, 16);
    long value = number == Msrs.MTRR_DEF_TYPE ? 0xc06 : number == 0x201 ? 0xff_c000_0800L : 0x0606_0606L;
    value = number == 0x200 ? 6 : value;
    assertThat(write(number, value)).isEqualTo(new Exit.Budget());
    assertThat(value(number)).isEqualTo(value);
  }

  @ParameterizedTest
  @CsvSource({
    "c0000082, 800000000000", "c0000083, 800000000000", "c0000100, 800000000000", "c0000101, 800000000000", "c0000102, 800000000000",
    "c0000103, 100000000", "c0000080, 1000", "c0000080, 200", "c0000080, 1", "00000277, 2", "00000277, 800", "000002ff, 1000",
    "000002ff, 2",
    "00000200, 10000000006", "00000200, 106", "00000201, 10", "00000250, 2", "00000401, 1", "000000fe, 0", "00000179, 0"
  })
  void refuseWhatIsReserved(String msr, String value) {
    assertThat(write(Integer.parseUnsignedInt(msr, 16), Long.parseUnsignedLong(value, 16))).isEqualTo(GP);
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  @ParameterizedTest
  @ValueSource(strings = {
    "0000003a", "00000048", "0000010a", "000001a0", "00000345", "0000001b", "0000080b", "00000414", "40000000", "c0010200"
  })
  void knownAbsentOnesFault(String msr) {
    int number = Integer.parseUnsignedInt(msr, 16);
    assertThat(read(number)).isEqualTo(GP);
    assertThat(write(number, 0)).isEqualTo(GP);
  }

  @Test
  void theRecordOfBranchesIsOff() {
    assertThat(value(Msrs.DEBUG_CONTROL)).isZero();
    assertThat(value(0x1db)).isZero();
    assertThat(write(Msrs.DEBUG_CONTROL, 0)).isEqualTo(new Exit.Budget());
    assertThat(write(Msrs.DEBUG_CONTROL, 2)).isInstanceOf(Exit.Unimplemented.class);
    assertThat(write(0x1db, 0)).isEqualTo(GP);
  }

  @Test
  void unknownOnesAreNamed() {
    assertThat(read(0x1234)).isEqualTo(new Exit.Unimplemented("RDMSR of 0x1234", Fault.GP));
    assertThat(write(0x1234, 7)).isEqualTo(new Exit.Unimplemented("WRMSR of 0x1234, value 0x7", Fault.GP));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  @Test
  void thePlatformsComeFromThePlatform() {
    long[] base = {0xfee0_0900L};
    cpu.platform = new TestPlatform() {
      @Override
      public boolean readMsr(int msr, long[] value) {
        value[0] = base[0];
        return msr == Msrs.APIC_BASE;
      }

      @Override
      public boolean writeMsr(int msr, long value) {
        if (msr != Msrs.APIC_BASE || value == 0) {
          return false;
        }
        base[0] = value;
        return true;
      }
    };
    assertThat(value(Msrs.APIC_BASE)).isEqualTo(0xfee0_0900L);
    write(Msrs.APIC_BASE, 0xfee0_0d00L);
    assertThat(value(Msrs.APIC_BASE)).isEqualTo(0xfee0_0d00L);
    assertThat(write(Msrs.APIC_BASE, 0)).isEqualTo(GP);
  }

  @Test
  void theTimeStampCounterIsTheClockAndItsAdjustmentMovesWithIt() {
    assertThat(value(Msrs.TSC)).isEqualTo(machine.clock.now - 1);
    write(Msrs.TSC, 1_000_000);
    assertThat(value(Msrs.TSC)).isEqualTo(1_000_001);
    long adjust = value(Msrs.TSC_ADJUST);
    assertThat(adjust).isEqualTo(cpu.tscOffset).isPositive();
    write(Msrs.TSC_ADJUST, adjust - 500_000);
    assertThat(value(Msrs.TSC)).isBetween(500_000L, 500_010L);
  }

  @Test
  void longModeIsActiveByTheProcessorsWordAlone() {
    cpu.efer &= ~Cpu.EFER_NXE;
    write(Msrs.EFER, Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_NXE);
    assertThat(cpu.efer).isEqualTo(Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_NXE | Cpu.EFER_LMA);
  }

  @Test
  void segmentBasesHaveInstructionsOfTheirOwnWhereTheSystemAllowsThem() {
    String readFs = "f3 48 0f ae c0", writeGs = "f3 48 0f ae d8"; // rdfsbase rax, wrgsbase rax
    machine.privilege(3);
    assertThat(machine.code(readFs).fault()).isEqualTo(new Exit.Exception(Fault.UD, Fault.NO_ERROR_CODE, 0));
    cpu.cr4 |= Cpu.CR4_FSGSBASE;
    cpu.segmentBase[Instruction.FS] = 0x1234_5678_9abcL;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x1234_5678_9abcL);
    cpu.rip = Machine.CODE;
    machine.code(writeGs).step(1);
    assertThat(cpu.segmentBase[Instruction.GS]).isEqualTo(0x1234_5678_9abcL);
    cpu.r[Cpu.RSI] = Machine.DATA - 0x1234_5678_9abcL;
    machine.memory.writeByte(Machine.DATA, (byte) 77);
    machine.code(cpu.rip, "65 8a 06").step(1); // mov al,gs:[rsi]
    assertThat(cpu.r[Cpu.RAX] & 0xff).isEqualTo(77);
  }

  @Test
  void aSegmentBaseMustBeCanonical() {
    cpu.cr4 |= Cpu.CR4_FSGSBASE;
    cpu.r[Cpu.RAX] = 1L << 47;
    assertThat(machine.code("f3 48 0f ae d8").fault()).isEqualTo(GP);
    cpu.r[Cpu.RAX] = -1;
    machine.code("f3 0f ae d8").step(1);
    assertThat(cpu.segmentBase[Instruction.GS]).isEqualTo(0xffff_ffffL);
  }
}
