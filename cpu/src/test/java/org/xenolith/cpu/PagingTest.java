package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Page walks, the faults they end in, and what the TLB keeps. */
class PagingTest {
  private static final String LOAD = "48 8b 06"; // mov rax,[rsi]
  private static final String STORE = "48 89 06"; // mov [rsi],rax
  private static final String ADD = "48 01 06"; // add [rsi],rax
  private static final long VA = Machine.DATA;

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  @BeforeEach
  void pointAtData() {
    cpu.r[Cpu.RSI] = VA;
    cpu.r[Cpu.RAX] = 0x1122_3344_5566_7788L;
  }

  private void faults(String hex, int errorCode) {
    faults(hex, VA, errorCode);
  }

  private void faults(String hex, long address, int errorCode) {
    machine.code(hex);
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, errorCode, address));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  @Test
  void aPageThatIsNotPresentFaultsByAccessAndPrivilege() {
    machine.map(VA, 0);
    faults(LOAD, Fault.PF_USER);
    faults(STORE, Fault.PF_USER | Fault.PF_WRITE);
    faults(ADD, Fault.PF_USER | Fault.PF_WRITE);
    machine.privilege(0);
    faults(LOAD, 0);
    faults(STORE, Fault.PF_WRITE);
  }

  @Test
  void aReadOnlyPageFaultsForWritesAlone() {
    machine.map(VA, VA | Machine.FLAGS & ~Mmu.WRITABLE);
    faults(STORE, Fault.PF_PRESENT | Fault.PF_USER | Fault.PF_WRITE);
    faults(ADD, Fault.PF_PRESENT | Fault.PF_USER | Fault.PF_WRITE);
    machine.code(LOAD).step(1);
  }

  @Test
  void aReadOnlyUpperLevelFaultsToo() {
    machine.memory.writeLong(Machine.LEVEL2 + 8, Machine.LEVEL1 + 0x1000 | Machine.FLAGS & ~Mmu.WRITABLE);
    faults(STORE, Fault.PF_PRESENT | Fault.PF_USER | Fault.PF_WRITE);
  }

  @Test
  void theSupervisorWritesReadOnlyPagesOnlyWithoutWp() {
    machine.map(VA, VA | Machine.FLAGS & ~Mmu.WRITABLE).privilege(0);
    faults(STORE, Fault.PF_PRESENT | Fault.PF_WRITE);
    cpu.cr0 &= ~Cpu.CR0_WP;
    cpu.mmu.flushAll();
    machine.step(1);
    assertThat(machine.memory.readLong(VA)).isEqualTo(0x1122_3344_5566_7788L);
  }

  @Test
  void aSupervisorPageFaultsForUserCode() {
    machine.map(VA, VA | Machine.FLAGS & ~Mmu.USER);
    faults(LOAD, Fault.PF_PRESENT | Fault.PF_USER);
    machine.privilege(0).step(1);
  }

  @Test
  void fetchingFromANoExecutePageFaults() {
    machine.code("ff e6"); // jmp rsi
    machine.map(VA, VA | Machine.FLAGS | Mmu.NO_EXECUTE);
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_PRESENT | Fault.PF_USER | Fault.PF_FETCH, VA));
    assertThat(cpu.rip).isEqualTo(VA);
  }

  @Test
  void withoutNxeTheNoExecuteBitIsReserved() {
    cpu.efer &= ~Cpu.EFER_NXE;
    machine.map(VA, VA | Machine.FLAGS | Mmu.NO_EXECUTE);
    faults(LOAD, Fault.PF_PRESENT | Fault.PF_USER | Fault.PF_RESERVED);
  }

  @Test
  void addressBitsBeyondThePhysicalWidthAreReserved() {
    machine.map(VA, VA | Machine.FLAGS | 1L << 40);
    faults(LOAD, Fault.PF_PRESENT | Fault.PF_USER | Fault.PF_RESERVED);
  }

  @Test
  void smapKeepsTheSupervisorFromUserPagesUnlessAcIsSet() {
    cpu.cr4 |= Cpu.CR4_SMAP;
    // The code itself must be a supervisor page's or SMEP off; reads are what SMAP is about.
    machine.privilege(0);
    faults(LOAD, Fault.PF_PRESENT);
    cpu.setRflags(cpu.rflags() | Cpu.AC);
    machine.step(1);
    cpu.rip = Machine.CODE;
    cpu.setRflags(cpu.rflags() & ~Cpu.AC);
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_PRESENT, VA));
  }

  @Test
  void smepKeepsTheSupervisorFromRunningUserPages() {
    cpu.cr4 |= Cpu.CR4_SMEP;
    machine.code("90").privilege(0);
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_PRESENT | Fault.PF_FETCH, Machine.CODE));
  }

  @Test
  void aReadSetsAccessedAndAWriteDirty() {
    long clean = VA | Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER;
    machine.map(VA, clean);
    machine.code(LOAD + STORE).step(1);
    assertThat(machine.entryOf(VA)).isEqualTo(clean | Mmu.ACCESSED);
    machine.step(1);
    assertThat(machine.entryOf(VA)).isEqualTo(clean | Mmu.ACCESSED | Mmu.DIRTY);
  }

  @Test
  void aFaultingWalkSetsNoBit() {
    long clean = VA | Mmu.PRESENT | Mmu.USER;
    machine.map(VA, clean);
    machine.memory.writeLong(Machine.LEVEL2 + 8, Machine.LEVEL1 + 0x1000 | Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER);
    faults(STORE, Fault.PF_PRESENT | Fault.PF_USER | Fault.PF_WRITE);
    assertThat(machine.entryOf(VA)).isEqualTo(clean);
    assertThat(machine.memory.readLong(Machine.LEVEL2 + 8) & Mmu.ACCESSED).isZero();
  }

  @Test
  void upperLevelsGetTheAccessedBit() {
    machine.memory.writeLong(Machine.LEVEL2 + 8, Machine.LEVEL1 + 0x1000 | Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER);
    machine.code(STORE).step(1);
    assertThat(machine.memory.readLong(Machine.LEVEL2 + 8) & 0xfff).isEqualTo(Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER | Mmu.ACCESSED);
  }

  @Test
  void aTranslationStaysUntilItIsFlushed() {
    machine.code(LOAD).memory.writeLong(VA, 1);
    machine.memory.writeLong(VA + 0x1000, 2);
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(1);
    machine.memory.writeLong(Machine.entry(VA), VA + 0x1000 | Machine.FLAGS);
    cpu.rip = Machine.CODE;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(1);
    cpu.mmu.flushPage(VA);
    cpu.rip = Machine.CODE;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(2);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 31, 32, 33, 100, 300})
  void aFlushForgetsFewTranslationsAsWellAsMany(int pages) {
    machine.code(LOAD);
    for (int round = 1; round <= 3; round++) {
      long shift = 0x1000L * round;
      machine.memory.writeLong(VA + 0x1000L * (pages - 1) + shift, round);
      for (int n = 0; n < pages; n++) {
        machine.memory.writeLong(Machine.entry(VA + 0x1000L * n), VA + 0x1000L * n + shift | Machine.FLAGS);
      }
      cpu.mmu.flushAll();
      for (int n = 0; n < pages; n++) {
        cpu.r[Cpu.RSI] = VA + 0x1000L * n;
        cpu.rip = Machine.CODE;
        machine.step(1);
      }
      assertThat(cpu.r[Cpu.RAX]).isEqualTo(round);
    }
  }

  @Test
  void rootsAndPrivilegesHaveTranslationsOfTheirOwn() {
    machine.code(LOAD).step(1);
    long other = 0x8000;
    machine.memory.copyFrame(Machine.ROOT >>> 12, other >>> 12);
    machine.memory.writeLong(other, 0);
    cpu.cr3 = other;
    cpu.rip = Machine.CODE;
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_USER | Fault.PF_FETCH, Machine.CODE));
    long fills = cpu.tlbStatistics()[0];
    cpu.cr3 = Machine.ROOT;
    machine.step(1);
    assertThat(cpu.tlbStatistics()[0]).isEqualTo(fills);
  }

  @Test
  void largePagesOfTwoMegabytesAndOneGigabyteTranslate() {
    machine.memory.writeLong(Machine.LEVEL2 + 8 * 2, 0x20_0000 | Machine.FLAGS | Mmu.LARGE);
    machine.memory.writeLong(Machine.LEVEL3 + 8, Machine.FLAGS | Mmu.LARGE);
    machine.memory.writeLong(0x20_1238, 77);
    machine.code(LOAD + LOAD);
    cpu.r[Cpu.RSI] = 0x40_1238;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
    cpu.r[Cpu.RSI] = 0x4020_1238L;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
  }

  @Test
  void anAccessAcrossTwoPagesReadsBothAndFaultsAtTheSecond() {
    machine.memory.writeInt(VA + 0xffc, 0x1111_1111);
    machine.memory.writeInt(VA + 0x1000, 0x2222_2222);
    cpu.r[Cpu.RSI] = VA + 0xffc;
    machine.code(LOAD).step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x2222_2222_1111_1111L);
    machine.map(VA + 0x1000, 0);
    cpu.rip = Machine.CODE;
    faults(LOAD, VA + 0x1000, Fault.PF_USER);
    faults(STORE, VA + 0x1000, Fault.PF_USER | Fault.PF_WRITE);
    assertThat(machine.memory.readInt(VA + 0xffc)).isEqualTo(0x1111_1111);
  }

  @Test
  void aNonCanonicalAddressIsAGeneralProtectionOrAStackFault() {
    cpu.r[Cpu.RSI] = 1L << 47;
    machine.code(LOAD);
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
    cpu.r[Cpu.RBP] = 1L << 47;
    machine.code("48 8b 45 00"); // mov rax,[rbp]
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.SS, 0, 0));
    cpu.r[Cpu.RSP] = 1L << 47;
    machine.code("ff 36"); // push [rsi]
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
    machine.code("58"); // pop rax
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.SS, 0, 0));
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(1L << 47);
  }

  @Test
  void alignmentIsCheckedForUserCodeWithAcAndAm() {
    cpu.r[Cpu.RSI] = VA + 1;
    cpu.cr0 |= Cpu.CR0_AM;
    machine.code(LOAD).step(1);
    cpu.rip = Machine.CODE;
    cpu.setRflags(cpu.rflags() | Cpu.AC);
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.AC, 0, 0));
  }

  @Test
  void tablesOutsideMemoryAreReadAndMarkedOverTheBus() {
    long[] entry = {VA | Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER};
    Bus bus =
        new Bus() {
          @Override
          public long read(long pa, int size) {
            return entry[0];
          }

          @Override
          public void write(long pa, int size, long value) {
            entry[0] = value;
          }
        };
    Cpu other = new Cpu(new AmdModel(), machine.memory, machine.code, bus, machine.clock);
    other.cr0 = cpu.cr0;
    other.cr3 = cpu.cr3;
    other.efer = cpu.efer;
    machine.memory.writeLong(Machine.LEVEL2 + 8, 1L << 30 | Machine.FLAGS);
    assertThat(other.mmu.translate(VA + 8, Mmu.WRITE)).isEqualTo(VA + 8);
    assertThat(entry[0] & 0xfff).isEqualTo(Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER | Mmu.ACCESSED | Mmu.DIRTY);
  }
}
