package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What keeps the translations of global pages, and what forgets them (AMD64 APM volume 2, 5.5.2; Intel SDM volume 3, 4.10.4.1). */
class GlobalPagesTest {
  private static final long GLOBAL = 0x5000_0000L, LOCAL = GLOBAL + 0x1000, LARGE = 0x6000_0000L;
  private static final long TABLES = 0x28_0000, OTHER_ROOT = TABLES + 0x4000;
  private static final long BEFORE = Machine.DATA, AFTER = Machine.DATA + 0x1000;
  private static final long FLAGS = Machine.FLAGS & ~Mmu.USER;

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  @BeforeEach
  void mapAGlobalPageAndALocalOne() {
    machine.memory.writeLong(Machine.LEVEL3 + 8, TABLES | Machine.FLAGS);
    machine.memory.writeLong(TABLES + 8 * (GLOBAL >>> 21 & 511), TABLES + 0x1000 | Machine.FLAGS);
    machine.memory.writeLong(BEFORE, 1);
    machine.memory.writeLong(AFTER, 2);
    machine.memory.writeLong(OTHER_ROOT, machine.memory.readLong(Machine.ROOT));
    machine.map(Machine.CODE, Machine.CODE | FLAGS).privilege(0);
    loadCr4(cpu.cr4 | Cpu.CR4_PGE);
    changeTo(BEFORE);
  }

  private void changeTo(long place) {
    machine.memory.writeLong(TABLES + 0x1000, place | FLAGS | Mmu.GLOBAL);
    machine.memory.writeLong(TABLES + 0x1008, place | FLAGS);
    machine.memory.writeLong(TABLES + 8 * (LARGE >>> 21 & 511), (place == BEFORE ? 0 : Machine.DATA) | FLAGS | Mmu.LARGE | Mmu.GLOBAL);
  }

  private void does(String hex, long rax) {
    cpu.r[Cpu.RAX] = rax;
    cpu.rip = Machine.CODE;
    machine.code(hex).step(1);
  }

  private void loadCr3(long value) {
    does("0f 22 d8", value); // mov cr3,rax
  }

  private void loadCr4(long value) {
    does("0f 22 e0", value); // mov cr4,rax
  }

  private void invlpg(long va) {
    cpu.r[Cpu.RSI] = va;
    does("0f 01 3e", 0); // invlpg [rsi]
  }

  private void invpcid(int type, int context, long va) {
    machine.memory.writeLong(Machine.STACK, context);
    machine.memory.writeLong(Machine.STACK + 8, va);
    cpu.r[Cpu.RCX] = type;
    cpu.r[Cpu.RDI] = Machine.STACK;
    does("66 0f 38 82 0f", 0); // invpcid rcx,[rdi]
  }

  private long load(long va) {
    cpu.r[Cpu.RSI] = va;
    does("48 8b 06", 0); // mov rax,[rsi]
    return cpu.r[Cpu.RAX];
  }

  private void keeps(long va) {
    assertThat(load(va)).as("as it was before").isEqualTo(1);
  }

  private void forgets(long va) {
    assertThat(load(va)).as("as it is now").isEqualTo(2);
  }

  /** Has translations of both pages, which then change. */
  private void useBothAndChange() {
    keeps(GLOBAL);
    keeps(LOCAL);
    changeTo(AFTER);
  }

  @ParameterizedTest
  @ValueSource(longs = {Machine.ROOT, OTHER_ROOT})
  void aLoadOfCr3KeepsThemAlone(long root) {
    useBothAndChange();
    loadCr3(root);
    keeps(GLOBAL);
    forgets(LOCAL);
  }

  @Test
  void aRootThatComesBackHasForgottenItsLocalPages() {
    useBothAndChange();
    loadCr3(OTHER_ROOT);
    loadCr3(Machine.ROOT);
    keeps(GLOBAL);
    forgets(LOCAL);
  }

  @Test
  void manyRootsLaterTheyAreStillThere() {
    useBothAndChange();
    for (int n = 0; n < 50; n++) {
      machine.memory.writeLong(TABLES + 0x8000 + 0x1000L * n, machine.memory.readLong(Machine.ROOT));
      loadCr3(TABLES + 0x8000 + 0x1000L * n);
      keeps(GLOBAL);
    }
    forgets(LOCAL);
  }

  @Test
  void withoutPgeThereAreNone() {
    loadCr4(cpu.cr4 & ~Cpu.CR4_PGE);
    useBothAndChange();
    loadCr3(Machine.ROOT);
    forgets(GLOBAL);
    forgets(LOCAL);
  }

  @ParameterizedTest
  @ValueSource(longs = {Cpu.CR4_PGE, Cpu.CR4_PSE, Cpu.CR4_SMEP, Cpu.CR4_SMAP})
  void changesOfControlBitsForgetThemInEveryContext(long bit) {
    useBothAndChange();
    loadCr3(OTHER_ROOT);
    keeps(GLOBAL);
    loadCr4(cpu.cr4 ^ bit);
    loadCr4(cpu.cr4 ^ bit);
    forgets(GLOBAL);
    loadCr3(Machine.ROOT);
    forgets(GLOBAL);
  }

  @Test
  void processContextsShareThem() {
    loadCr4(cpu.cr4 | Cpu.CR4_PCIDE);
    useBothAndChange();
    loadCr3(OTHER_ROOT | 1);
    keeps(GLOBAL);
    forgets(LOCAL);
    loadCr3(1L << 63 | Machine.ROOT);
    keeps(GLOBAL);
    keeps(LOCAL);
    loadCr3(OTHER_ROOT);
    keeps(GLOBAL);
    forgets(LOCAL);
  }

  @Test
  void invlpgForgetsAPageInEveryContext() {
    loadCr4(cpu.cr4 | Cpu.CR4_PCIDE);
    useBothAndChange();
    loadCr3(OTHER_ROOT | 1);
    keeps(GLOBAL);
    invlpg(GLOBAL);
    forgets(GLOBAL);
    loadCr3(1L << 63 | Machine.ROOT);
    forgets(GLOBAL);
    keeps(LOCAL);
  }

  @Test
  void invlpgForgetsAllOfALargePageInEveryContext() {
    loadCr4(cpu.cr4 | Cpu.CR4_PCIDE);
    machine.memory.writeLong(0, 1);
    machine.memory.writeLong(Machine.DATA, 2);
    keeps(LARGE);
    changeTo(AFTER);
    loadCr3(OTHER_ROOT | 1);
    keeps(LARGE);
    invlpg(LARGE + 0x1f_f000);
    forgets(LARGE);
    loadCr3(1L << 63 | Machine.ROOT);
    forgets(LARGE);
  }

  @ParameterizedTest
  @CsvSource({"1, 0, true, false", "1, 1, true, true", "2, 0, false, false", "3, 0, true, false"})
  void invpcidKeepsThemUnlessItsTypeIsTwo(int type, int context, boolean global, boolean local) {
    loadCr4(cpu.cr4 | Cpu.CR4_PCIDE);
    useBothAndChange();
    loadCr3(OTHER_ROOT | 1);
    keeps(GLOBAL);
    invpcid(type, context, 0);
    assertThat(load(GLOBAL)).isEqualTo(global ? 1 : 2);
    loadCr3(1L << 63 | Machine.ROOT);
    assertThat(load(GLOBAL)).isEqualTo(global ? 1 : 2);
    assertThat(load(LOCAL)).isEqualTo(local ? 1 : 2);
  }

  @Test
  void invpcidOfAPageForgetsIt() {
    loadCr4(cpu.cr4 | Cpu.CR4_PCIDE);
    useBothAndChange();
    invpcid(0, 0, LOCAL);
    keeps(GLOBAL);
    forgets(LOCAL);
  }

  @Test
  void aFlushOfEverythingReachesCopies() {
    loadCr4(cpu.cr4 | Cpu.CR4_PCIDE);
    useBothAndChange();
    loadCr3(OTHER_ROOT | 1);
    keeps(GLOBAL);
    cpu.mmu.flushAll();
    forgets(GLOBAL);
    loadCr3(1L << 63 | Machine.ROOT);
    forgets(GLOBAL);
    forgets(LOCAL);
  }

  @Test
  void noPrivilegeGetsThoseOfAnother() {
    keeps(GLOBAL);
    loadCr3(OTHER_ROOT);
    machine.privilege(3);
    cpu.r[Cpu.RSI] = GLOBAL;
    cpu.rip = Machine.CODE + 0x1000;
    machine.code(cpu.rip, "48 8b 06");
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_PRESENT | Fault.PF_USER, GLOBAL));
  }

  @Test
  void aStoreThroughACopyIsSeenByCodeInItsFrame() {
    loadCr4(cpu.cr4 | Cpu.CR4_PCIDE);
    storeCode(7);
    loadCr3(OTHER_ROOT | 1);
    runsCode(7);
    storeCode(8);
    runsCode(8);
    loadCr3(1L << 63 | Machine.ROOT);
    storeCode(9);
    runsCode(9);
  }

  private void storeCode(int value) {
    cpu.r[Cpu.RSI] = GLOBAL;
    does("48 89 06", 0xb8 | (long) value << 8); // mov [rsi],rax; the value stored is the code mov eax,value
  }

  private void runsCode(int value) {
    cpu.rip = BEFORE;
    machine.step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(value);
  }

  @Test
  void aPageThatIsNoLongerGlobalIsForgottenLikeOthers() {
    keeps(GLOBAL);
    machine.memory.writeLong(TABLES + 0x1000, BEFORE | FLAGS);
    invlpg(GLOBAL);
    keeps(GLOBAL);
    changeTo(AFTER);
    loadCr3(Machine.ROOT);
    forgets(GLOBAL);
  }
}
