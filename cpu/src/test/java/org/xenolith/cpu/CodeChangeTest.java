package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Stores to code that has been decoded. */
class CodeChangeTest {
  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  @Test
  void aStoreIntoTheRunningBlockCountsFromTheNextInstruction() {
    // mov byte [rip+1],0xc0: the next instruction, inc ecx (ff c1), becomes inc eax (ff c0)
    machine.code("c6 05 01 00 00 00 c0  ff c1");
    machine.step(2);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(1);
    assertThat(cpu.r[Cpu.RCX]).isZero();
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 9);
  }

  @Test
  void aStoreBesideABlockDropsNothing() {
    // inc eax; mov [rip+0x100],eax; jmp back
    machine.code("ff c0  89 05 00 01 00 00  eb f6").step(30);
    long decoded = machine.code.decoded;
    machine.step(300);
    assertThat(machine.code.decoded).isEqualTo(decoded);
    assertThat(machine.code.dropped).isZero();
  }

  @Test
  void codeThatTheHypervisorWritesIsSeen() {
    machine.code("ff c0 eb fc").step(10);
    machine.code("ff c1").step(10);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(5);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(5);
  }

  @Test
  void aBulkStoreDropsTheBlocksItHits() {
    long target = Machine.CODE + 0x1000;
    // call rbx; rep stosb; call rbx
    machine.code(target, "ff c0 c3").code("ff d3 f3 aa ff d3");
    cpu.r[Cpu.RBX] = target;
    cpu.r[Cpu.RDI] = target;
    cpu.r[Cpu.RCX] = 2;
    machine.step(3);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(1);
    cpu.r[Cpu.RAX] = 0x90;
    machine.step(5);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x90);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 6);
  }

  @Test
  void anInstructionAcrossTwoPagesFollowsBothPages() {
    long at = Machine.CODE + 0xffe;
    machine.code(at, "b8 01 00 00 00"); // mov eax,1
    cpu.rip = at;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(1);
    machine.memory.writeByte(Machine.CODE + 0x1000, (byte) 2);
    cpu.rip = at;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x201);
    machine.code(Machine.DATA, "03 00 00").map(Machine.CODE + 0x1000, Machine.DATA | Machine.FLAGS);
    cpu.rip = at;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x301);
    machine.map(Machine.CODE + 0x1000, 0);
    cpu.rip = at;
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_USER | Fault.PF_FETCH, Machine.CODE + 0x1000));
    assertThat(cpu.rip).isEqualTo(at);
  }

  @Test
  void theSameBytesSeenAtTwoAddressesAreTwoBlocks() {
    machine.map(Machine.DATA, Machine.CODE | Machine.FLAGS);
    machine.code("48 8d 05 00 00 00 00"); // lea rax,[rip]
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(Machine.CODE + 7);
    cpu.rip = Machine.DATA;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(Machine.DATA + 7);
  }

  @Test
  void aDroppedFrameGetsFastWritesBack() {
    machine.code("ff c0").step(1);
    assertThat(machine.memory.hasCode(Machine.CODE >>> 12)).isTrue();
    machine.memory.fill(Machine.CODE, 4096, (byte) 0);
    assertThat(machine.memory.hasCode(Machine.CODE >>> 12)).isFalse();
  }
}
