package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.xenolith.isa.Instruction;

/** Page tables of processors without long mode: two levels of 4-byte entries, and three levels with four directory pointers. */
class LegacyPagingTest {
  private static final long ROOT = 0x38_0000, TABLE = 0x38_1000, DIRECTORY = 0x38_2000;
  private static final long FLAGS = Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER;
  private static final String LOAD = "8b 06", STORE = "89 06"; // mov eax,[esi]; mov [esi],eax

  private final Machine machine = new Machine().compatibility();
  private final Cpu cpu = machine.cpu;

  @BeforeEach
  void legacy() {
    cpu.segmentAccess[Instruction.CS] = 0xc09b;
    cpu.selector[Instruction.CS] = 0x30;
    cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_WP;
    cpu.cr4 = Cpu.CR4_PSE;
    cpu.efer = 0;
    cpu.refresh();
    cpu.r[Cpu.RSI] = Machine.DATA;
  }

  private void load(String code, long rax) {
    cpu.r[Cpu.RAX] = rax;
    cpu.rip = Machine.CODE;
    machine.code(code).step(1);
  }

  private void twoLevels() {
    machine.memory.writeInt(ROOT, (int) (TABLE | FLAGS));
    for (int n = 0; n < 1024; n++) {
      machine.memory.writeInt(TABLE + 4 * n, (int) ((long) n << 12 | FLAGS));
    }
    load("0f 22 d8", ROOT);
    load("0f 22 c0", cpu.cr0 | Cpu.CR0_PG);
  }

  @Test
  void twoLevelsTranslateAndMark() {
    twoLevels();
    machine.memory.writeInt(TABLE + 4 * (int) (Machine.DATA >>> 12), (int) (Machine.STACK | FLAGS));
    machine.memory.writeInt(Machine.STACK, 77);
    load(LOAD, 0);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
    load(STORE, 78);
    assertThat(machine.memory.readInt(Machine.STACK)).isEqualTo(78);
    assertThat(machine.memory.readInt(TABLE + 4 * (int) (Machine.DATA >>> 12)) & 0xfff).isEqualTo((int) FLAGS | 0x60);
    assertThat(machine.memory.readInt(ROOT) & 0xfff).isEqualTo((int) FLAGS | 0x20);
  }

  @Test
  void twoLevelsFault() {
    twoLevels();
    machine.memory.writeInt(TABLE + 4 * (int) (Machine.DATA >>> 12), (int) (Machine.STACK | Mmu.PRESENT));
    cpu.rip = Machine.CODE;
    assertThat(machine.code(STORE).fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_PRESENT | Fault.PF_WRITE, Machine.DATA));
    cpu.r[Cpu.RSI] = 0x8000_0000L;
    assertThat(machine.code(LOAD).fault()).isEqualTo(new Exit.Exception(Fault.PF, 0, 0x8000_0000L));
  }

  @Test
  void pagesOfFourMegabytesAreOneTranslation() {
    twoLevels();
    machine.memory.writeInt(ROOT + 4 * 0x200, (int) (FLAGS | Mmu.LARGE));
    machine.memory.writeInt(Machine.STACK, 77);
    cpu.r[Cpu.RSI] = 0x8000_0000L | Machine.STACK;
    load(LOAD, 0);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
    machine.memory.writeInt(ROOT + 4 * 0x200, 0);
    cpu.r[Cpu.RSI] = 0x8000_0000L;
    load("0f 01 3e", 0); // invlpg [esi]
    cpu.r[Cpu.RSI] = 0x8000_0000L | Machine.STACK;
    cpu.rip = Machine.CODE;
    assertThat(machine.code(LOAD).fault().vector()).isEqualTo(Fault.PF);
  }

  @Test
  void directoryPointersAreLoadedWithTheRoot() {
    machine.memory.writeLong(ROOT, DIRECTORY | Mmu.PRESENT);
    machine.memory.writeLong(DIRECTORY, FLAGS | Mmu.LARGE);
    machine.memory.writeLong(DIRECTORY + 8, 0x20_0000 | FLAGS | Mmu.LARGE);
    load("0f 22 e0", Cpu.CR4_PAE);
    load("0f 22 d8", ROOT);
    load("0f 22 c0", cpu.cr0 | Cpu.CR0_PG);
    machine.memory.writeLong(DIRECTORY + 16, FLAGS | Mmu.LARGE);
    machine.memory.writeInt(Machine.DATA, 77);
    load(LOAD, 0);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
    // The pointers in memory count no more.
    machine.memory.writeLong(ROOT, 0);
    cpu.mmu.flushAll();
    load(LOAD, 0);
    // A reserved bit.
    machine.memory.writeLong(ROOT, DIRECTORY | FLAGS);
    cpu.r[Cpu.RAX] = ROOT;
    cpu.rip = Machine.CODE;
    assertThat(machine.code("0f 22 d8").fault()).isEqualTo(new Exit.Exception(Fault.GP, 0, 0));
  }
}
