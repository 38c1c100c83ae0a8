package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Single-step, breakpoints, the shadow of MOV SS, tracing. */
class DebugTest {
  private static final int BS = 1 << 14;

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  private static Exit.Exception debug(long dr6) {
    return new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, dr6);
  }

  private void watch(int n, long address, int kind, int length) {
    cpu.dr[n] = address;
    cpu.dr[7] |= 1L << 2 * n | (long) (kind | length << 2) << 16 + 4 * n;
    cpu.debugRegistersChanged();
  }

  @Test
  void singleStepTrapsBehindEachInstruction() {
    machine.code("ff c0 ff c0 ff c0");
    cpu.setRflags(cpu.rflags() | Cpu.TF);
    for (int n = 1; n <= 3; n++) {
      assertThat(machine.run(100)).isEqualTo(debug(BS));
      assertThat(cpu.rip).isEqualTo(Machine.CODE + 2 * n);
      assertThat(cpu.r[Cpu.RAX]).isEqualTo(n);
    }
  }

  @Test
  void popfThatSetsTheTrapFlagTrapsAfterTheNextInstruction() {
    machine.code("9d ff c0 ff c0").memory.writeLong(Machine.STACK, Cpu.TF);
    assertThat(machine.run(100)).isEqualTo(debug(BS));
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 3);
  }

  @Test
  void anInstructionBreakpointFaultsBeforeItAndRfPassesItOnce() {
    machine.code("ff c0 ff c0 eb fa");
    watch(1, Machine.CODE + 2, 0, 0);
    assertThat(machine.run(100)).isEqualTo(debug(2));
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 2);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(1);
    cpu.setRflags(cpu.rflags() | Cpu.RF);
    assertThat(machine.run(100)).isEqualTo(debug(2));
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(3);
    assertThat(cpu.rflags() & Cpu.RF).isZero();
  }

  @Test
  void aWriteWatchpointTrapsBehindTheWriteOnly() {
    machine.code("8b 06 89 06 90"); // mov eax,[rsi]; mov [rsi],eax; nop
    cpu.r[Cpu.RSI] = Machine.DATA + 4;
    watch(0, Machine.DATA + 4, 1, 3);
    assertThat(machine.run(100)).isEqualTo(debug(1));
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 4);
  }

  @Test
  void anAccessWatchpointTrapsForReadsAndSeesPartialOverlap() {
    machine.code("48 8b 06");
    cpu.r[Cpu.RSI] = Machine.DATA;
    watch(3, Machine.DATA + 7, 3, 0);
    assertThat(machine.run(100)).isEqualTo(debug(8));
  }

  @Test
  void accessesBesideAWatchpointDoNotTrap() {
    machine.code("48 8b 06 eb fb");
    cpu.r[Cpu.RSI] = Machine.DATA;
    watch(3, Machine.DATA + 8, 3, 2);
    machine.step(100);
  }

  @Test
  void anAccessAcrossPagesIsWatched() {
    machine.code("48 8b 06");
    cpu.r[Cpu.RSI] = Machine.DATA + 0xffc;
    watch(0, Machine.DATA + 0x1000, 3, 0);
    assertThat(machine.run(100)).isEqualTo(debug(1));
  }

  @Test
  void aStringInstructionStopsAtAWatchpoint() {
    machine.code("f3 aa");
    cpu.r[Cpu.RDI] = Machine.DATA;
    cpu.r[Cpu.RCX] = 10;
    watch(0, Machine.DATA + 3, 1, 0);
    assertThat(machine.run(100)).isEqualTo(debug(1));
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(6);
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  @Test
  void movSsHoldsTrapsBackForOneInstruction() {
    cpu.descriptors = new Tables().data(5, 3);
    // mov ss,[rsi]; nop; nop
    machine.code("8e 16 90 90").memory.writeShort(Machine.DATA, (short) 0x2b);
    cpu.r[Cpu.RSI] = Machine.DATA;
    watch(0, Machine.DATA, 3, 1);
    assertThat(machine.run(100)).isEqualTo(debug(1));
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 3);
  }

  @Test
  void int1TrapsWithoutABitInDr6() {
    machine.code("f1");
    assertThat(machine.run(100)).isEqualTo(debug(0));
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 1);
  }

  @Test
  void aTracerSeesEveryInstructionAndChangesNothing() {
    machine.code("ff c0 ff c0 eb fa").step(7);
    long now = machine.clock.now;
    List<Long> seen = new ArrayList<>();
    cpu.trace((c, i) -> seen.add(i.address));
    machine.step(4);
    assertThat(machine.clock.now).isEqualTo(now + 4);
    assertThat(seen).containsExactly(Machine.CODE + 2, Machine.CODE + 4, Machine.CODE, Machine.CODE + 2);
    cpu.trace(null);
    machine.step(4);
    assertThat(seen).hasSize(4);
  }

  @Test
  void aDumpNamesEveryRegister() {
    cpu.r[Cpu.R9] = 0xabc;
    cpu.setArithmeticFlags(Cpu.ZF);
    assertThat(cpu.dump())
        .contains("rip=0000000000100000 rflags=000242 [..I..Z......]", "r9 =0000000000000abc", "gs=0000", "cr3=0000000000001000");
  }
}
