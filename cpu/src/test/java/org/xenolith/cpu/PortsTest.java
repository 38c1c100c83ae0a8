package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** IN, OUT, INS, OUTS, and who may. */
class PortsTest {
  private static final long TSS = 0x28_0000;
  private static final Exit GP = new Exit.Exception(Fault.GP, 0, 0);

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;
  private final List<String> seen = new ArrayList<>();

  @BeforeEach
  void aPlatformThatNotes() {
    cpu.platform = new TestPlatform() {
      @Override
      public long in(int port, int size) {
        seen.add("in %x %d at %d".formatted(port, size, machine.clock.now));
        return 0x1122_3344L & -1L >>> 64 - 8 * size;
      }

      @Override
      public void out(int port, int size, long value) {
        seen.add("out %x %d %x at %d".formatted(port, size, value, machine.clock.now));
      }
    };
    cpu.r[Cpu.RDX] = 0x3f8;
    cpu.r[Cpu.RAX] = 0xffff_ffff_ffff_ffffL;
  }

  @Test
  void havePortAndWidthFromTheInstructionAndSeeAnExactClock() {
    machine.privilege(0).code("90 90 ec 66 ed ed e4 71 ee 90 e7 80").step(9);
    assertThat(seen).containsExactly(
        "in 3f8 1 at 2", "in 3f8 2 at 3", "in 3f8 4 at 4", "in 71 1 at 5", "out 3f8 1 44 at 6", "out 80 4 11223344 at 8");
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x1122_3344L);
  }

  @Test
  void stringsMoveWhatTheCounterSays() {
    cpu.r[Cpu.RCX] = 3;
    cpu.r[Cpu.RDI] = Machine.DATA;
    cpu.r[Cpu.RSI] = Machine.DATA;
    machine.privilege(0).code("f3 6c f3 6e 6d").step(1);
    assertThat(machine.memory.readInt(Machine.DATA)).isEqualTo(0x44_4444);
    assertThat(cpu.r[Cpu.RDI]).isEqualTo(Machine.DATA + 3);
    cpu.r[Cpu.RCX] = 2;
    machine.step(2);
    assertThat(seen).containsExactly(
        "in 3f8 1 at 0", "in 3f8 1 at 0", "in 3f8 1 at 0", "out 3f8 1 44 at 1", "out 3f8 1 44 at 1", "in 3f8 4 at 2");
    assertThat(machine.memory.readInt(Machine.DATA + 3)).isEqualTo(0x1122_3344);
  }

  @Test
  void aStringThatCannotBeStoredIsNotReadFromTheDevice() {
    cpu.r[Cpu.RCX] = 3;
    cpu.r[Cpu.RDI] = Machine.DATA + 0xfff;
    machine.privilege(0).map(Machine.DATA + 0x1000, 0).code("f3 6c");
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_WRITE, Machine.DATA + 0x1000));
    assertThat(seen).hasSize(1);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(2);
  }

  @Test
  void belowTheIoPrivilegeLevelTheBitmapDecides() {
    machine.code("ee");
    assertThat(machine.fault()).isEqualTo(GP);
    // A busy TSS of 64 bits, its bitmap behind it; its page is the supervisor's.
    cpu.taskBase = TSS;
    cpu.taskAccess = 0x8b;
    cpu.taskLimit = 0x68 + 0x80 + 1;
    machine.map(TSS, TSS | Machine.FLAGS & ~Mmu.USER);
    machine.memory.writeShort(TSS + 0x66, (short) 0x68);
    machine.memory.writeByte(TSS + 0x68 + 0x7f, (byte) 0xfe);
    assertThat(machine.run(1)).isEqualTo(new Exit.Budget());
    cpu.rip = Machine.CODE;
    cpu.r[Cpu.RDX] = 0x3f9;
    assertThat(machine.fault()).isEqualTo(GP);
    cpu.r[Cpu.RDX] = 0x3f8;
    assertThat(machine.code("ef").fault()).as("four ports").isEqualTo(GP);
    cpu.r[Cpu.RDX] = 0x410;
    assertThat(machine.code("ee").fault()).as("beyond the limit").isEqualTo(GP);
    assertThat(seen).hasSize(1);
    cpu.eflags |= Cpu.IOPL;
    machine.step(1);
  }
}
