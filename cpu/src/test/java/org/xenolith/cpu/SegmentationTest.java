package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

class SegmentationTest {
  private static final int DATA = 2 << 3 | 3, CODE64 = 3 << 3 | 3, CODE32 = 4 << 3 | 3;
  private static final int KERNEL = 5 << 3, ABSENT = 6 << 3 | 3, GATE = 7 << 3 | 3;

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;
  private final Tables tables =
      new Tables()
          .data(2, 3)
          .code64(3, 3)
          .code32(4, 3)
          .data(5, 0)
          .set(6, 0x00cf_7200_0000_ffffL)
          .set(7, 0x0000_ec00_0000_0000L);

  SegmentationTest() {
    cpu.descriptors = tables;
  }

  private Exit.Exception loading(String hex, int selector) {
    machine.code(hex);
    cpu.rip = Machine.CODE;
    cpu.r[Cpu.RAX] = selector;
    Exit exit = machine.run(1);
    return exit instanceof Exit.Exception fault ? fault : null;
  }

  private static Exit.Exception fault(int vector, int errorCode) {
    return new Exit.Exception(vector, errorCode, 0);
  }

  private static final String MOV_DS = "8e d8", MOV_SS = "8e d0", MOV_FS = "8e e0";

  @Test
  void aDataSegmentLoadsAndIsMarkedAccessed() {
    tables.set(2, 0x12cf_f234_5678_ffffL);
    assertThat(loading(MOV_FS, DATA)).isNull();
    assertThat(cpu.selector[Instruction.FS]).isEqualTo(DATA);
    assertThat(cpu.segmentBase[Instruction.FS]).isEqualTo(0x1234_5678L);
    assertThat(cpu.segmentLimit[Instruction.FS]).isEqualTo(-1);
    assertThat(tables.accessed).isEqualTo(1 << 2);
  }

  @Test
  void badSelectorsFaultWithTheSelectorAsErrorCode() {
    assertThat(loading(MOV_DS, KERNEL)).isEqualTo(fault(Fault.GP, KERNEL));
    assertThat(loading(MOV_DS, 0x4b)).isEqualTo(fault(Fault.GP, 0x48));
    assertThat(loading(MOV_DS, ABSENT)).isEqualTo(fault(Fault.NP, ABSENT & ~3));
    assertThat(loading(MOV_DS, GATE)).isEqualTo(fault(Fault.GP, GATE & ~3));
    assertThat(loading(MOV_SS, ABSENT)).isEqualTo(fault(Fault.SS, ABSENT & ~3));
    assertThat(loading(MOV_SS, CODE64)).isEqualTo(fault(Fault.GP, CODE64 & ~3));
    assertThat(loading(MOV_SS, DATA & ~3)).isEqualTo(fault(Fault.GP, DATA & ~3));
    assertThat(tables.accessed).isZero();
  }

  @Test
  void nullSelectorsAreForDataSegmentsOnlyAndKeepTheBase() {
    cpu.segmentBase[Instruction.FS] = 0x1234;
    assertThat(loading(MOV_FS, 3)).isNull();
    assertThat(cpu.selector[Instruction.FS]).isEqualTo(3);
    assertThat(cpu.segmentBase[Instruction.FS]).isEqualTo(0x1234);
    assertThat(loading(MOV_SS, 0)).isEqualTo(fault(Fault.GP, 0));
  }

  @Test
  void limitsAndRightsAreWhatLarAndLslSay() {
    machine.code("0f 02 c8 0f 03 d0"); // lar ecx,ax; lsl edx,ax
    cpu.r[Cpu.RAX] = DATA;
    machine.step(2);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(0x00cf_f200L);
    assertThat(cpu.r[Cpu.RDX]).isEqualTo(0xffff_ffffL);
    assertThat(cpu.zf()).isTrue();
    cpu.r[Cpu.RAX] = KERNEL;
    cpu.rip = Machine.CODE;
    machine.step(2);
    assertThat(cpu.zf()).isFalse();
    assertThat(cpu.r[Cpu.RDX]).isEqualTo(0xffff_ffffL);
  }

  @Test
  void verrAndVerwAskForReadingAndWriting() {
    cpu.r[Cpu.RAX] = CODE64;
    machine.code("0f 00 e0 0f 94 c3  0f 00 e8 0f 94 c1").step(4); // verr; sete bl; verw; sete cl
    assertThat(cpu.r[Cpu.RBX]).isEqualTo(1);
    assertThat(cpu.r[Cpu.RCX]).isZero();
  }

  @Test
  void fsAndGsBasesCountInLongMode() {
    machine.code("65 48 8b 06 48 8b 1e").memory.writeLong(Machine.DATA + 0x100, 42);
    cpu.segmentBase[Instruction.GS] = 0x100;
    cpu.segmentBase[Instruction.DS] = 0x200;
    cpu.r[Cpu.RSI] = Machine.DATA;
    machine.step(2);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(42);
    assertThat(cpu.r[Cpu.RBX]).isZero();
  }

  @Test
  void aFarJumpEntersCompatibilityModeAndComesBack() {
    // jmp far [rsi]
    machine.code("ff 2e").memory.writeInt(Machine.DATA, (int) Machine.CODE + 0x100);
    machine.memory.writeShort(Machine.DATA + 4, (short) CODE32);
    cpu.r[Cpu.RSI] = Machine.DATA;
    // inc eax (one byte there); jmp far CODE64:CODE+0x200
    machine.code(Machine.CODE + 0x100, "40 ea 00 02 10 00 1b 00").code(Machine.CODE + 0x200, "90");
    machine.step(2);
    assertThat(cpu.mode).isEqualTo(CpuMode.COMPAT32);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(1);
    machine.step(2);
    assertThat(cpu.mode).isEqualTo(CpuMode.LONG64);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 0x201);
  }

  @Test
  void iretKeepsThePrivilegeAndTakesStackAndFlags() {
    machine.code("48 cf");
    long[] frame = {Machine.CODE + 0x40, CODE64, Cpu.CF | Cpu.IOPL, Machine.STACK - 64, DATA};
    for (int n = 0; n < 5; n++) {
      machine.memory.writeLong(Machine.STACK + 8 * n, frame[n]);
    }
    machine.step(1);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 0x40);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 64);
    assertThat(cpu.selector[Instruction.SS]).isEqualTo(DATA);
    assertThat(cpu.rflags()).isEqualTo(2 | Cpu.CF | Cpu.IF);
  }

  @Test
  void iretToANonCanonicalAddressFaultsWithNothingChanged() {
    machine.code("48 cf").memory.writeLong(Machine.STACK, 1L << 47);
    machine.memory.writeLong(Machine.STACK + 8, CODE64);
    machine.memory.writeLong(Machine.STACK + 32, DATA);
    assertThat(machine.fault()).isEqualTo(fault(Fault.GP, 0));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK);
  }

  @Test
  void iretAndFarReturnCannotRaisePrivilege() {
    machine.code("48 cb").memory.writeLong(Machine.STACK + 8, CODE64 & ~3);
    assertThat(machine.fault()).isEqualTo(fault(Fault.GP, CODE64 & ~3));
  }

  @Test
  void limitsHoldInCompatibilityModeOnly() {
    machine.compatibility().code("8b 06"); // mov eax,[esi]
    cpu.segmentLimit[Instruction.DS] = (int) Machine.DATA + 2;
    cpu.r[Cpu.RSI] = Machine.DATA;
    assertThat(machine.fault()).isEqualTo(fault(Fault.GP, 0));
    cpu.segmentLimit[Instruction.DS] = (int) Machine.DATA + 3;
    machine.step(1);
    cpu.segmentAccess[Instruction.DS] = 0;
    cpu.rip = Machine.CODE;
    assertThat(machine.fault()).isEqualTo(fault(Fault.GP, 0));
  }

  @Test
  void writesNeedAWritableSegmentInCompatibilityMode() {
    machine.compatibility().code("89 06");
    cpu.r[Cpu.RSI] = Machine.DATA;
    cpu.segmentAccess[Instruction.DS] &= ~Segments.WRITABLE;
    assertThat(machine.fault()).isEqualTo(fault(Fault.GP, 0));
  }

  @Test
  void theStackIsOf32BitsInCompatibilityMode() {
    cpu.r[Cpu.RSP] = 7L << 32 | Machine.STACK;
    machine.compatibility().code("50 68 01 02 03 04 5b");
    cpu.r[Cpu.RAX] = 0x1111_1111_2222_2222L;
    machine.step(3);
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(Machine.STACK - 4);
    assertThat(cpu.r[Cpu.RBX]).isEqualTo(0x0403_0201);
    assertThat(machine.memory.readInt(Machine.STACK - 4)).isEqualTo(0x2222_2222);
  }
}
