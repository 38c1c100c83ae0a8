package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Looking at translations from outside: the same result as the processor's, and nothing changes. */
class TableWalkTest {
  private static final long ROOT = 0x38_0000, TABLE = 0x38_1000, DIRECTORY = 0x38_2000;
  private static final long FLAGS = Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER;

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  @Test
  void fourLevelsAreShownOneByOne() {
    machine.map(Machine.DATA, Machine.STACK | FLAGS);
    TableWalk walk = TableWalk.of(cpu, Machine.DATA + 5);
    assertThat(walk.steps()).extracting(TableWalk.Step::level).containsExactly(4, 3, 2, 1);
    assertThat(walk.steps().getLast()).isEqualTo(new TableWalk.Step(1, 0, Machine.entry(Machine.DATA), Machine.STACK | FLAGS));
    assertThat(walk.machine()).isEqualTo(walk.physical()).isEqualTo(Machine.STACK + 5);
    assertThat(machine.entryOf(Machine.DATA)).isEqualTo(Machine.STACK | FLAGS);
    machine.map(Machine.DATA, 0);
    assertThat(TableWalk.of(cpu, Machine.DATA).steps()).hasSize(4);
    assertThat(TableWalk.machineOf(cpu, Machine.DATA)).isEqualTo(-1);
    assertThat(TableWalk.machineOf(cpu, 1L << 60)).isEqualTo(-1);
    machine.map(Machine.DATA, 1L << 30 | FLAGS);
    assertThat(TableWalk.of(cpu, Machine.DATA).physical()).isEqualTo(1L << 30);
    assertThat(TableWalk.machineOf(cpu, Machine.DATA)).isEqualTo(-1);
  }

  @Test
  void largePagesEndTheWalk() {
    machine.memory.writeLong(Machine.LEVEL2 + 8 * 4, FLAGS | Mmu.LARGE);
    TableWalk walk = TableWalk.of(cpu, 0x80_1234);
    assertThat(walk.machine()).isEqualTo(0x1234);
    assertThat(walk.pageSize()).isEqualTo(2 << 20);
  }

  @Test
  void theSecondStageComesBeneathTablesAndPage() {
    cpu.secondStage =
        new SecondStage() {
          @Override
          public long entry(long gfn) {
            // Frames of the guest are 16 further down in the machine, but for the last of them.
            return gfn < 16 ? EMULATED : gfn - 16 << 12 | READ;
          }

          @Override
          public int references() {
            return 4;
          }
        };
    cpu.cr3 = Machine.ROOT + 0x1_0000;
    machine.memory.writeLong(Machine.ROOT, Machine.LEVEL3 + 0x1_0000 | FLAGS);
    machine.memory.writeLong(Machine.LEVEL3, Machine.LEVEL2 + 0x1_0000 | FLAGS);
    machine.memory.writeLong(Machine.LEVEL2 + 8, Machine.LEVEL1 + 0x1_1000 | FLAGS);
    TableWalk walk = TableWalk.of(cpu, Machine.DATA);
    assertThat(walk.physical()).isEqualTo(Machine.DATA);
    assertThat(walk.machine()).isEqualTo(Machine.DATA - 0x1_0000);
    assertThat(TableWalk.machine(cpu, 0x5000)).isEqualTo(-1);
  }

  @Test
  void withoutPagingAddressesArePhysical() {
    cpu.cr0 = Cpu.CR0_PE;
    assertThat(TableWalk.machineOf(cpu, 0x1234)).isEqualTo(0x1234);
    assertThat(TableWalk.of(cpu, 0x1234).steps()).isEmpty();
    assertThat(TableWalk.machineOf(cpu, 0x8000_0000L)).isEqualTo(-1);
  }

  @Test
  void legacyTablesAreWalkedToo() {
    cpu.efer = 0;
    cpu.cr3 = ROOT;
    cpu.cr4 = Cpu.CR4_PSE;
    machine.memory.writeInt(ROOT, (int) (TABLE | FLAGS));
    machine.memory.writeInt(TABLE + 4 * 7, (int) (Machine.DATA | FLAGS));
    machine.memory.writeInt(ROOT + 4, (int) (FLAGS | Mmu.LARGE));
    assertThat(TableWalk.machineOf(cpu, 0x7123)).isEqualTo(Machine.DATA + 0x123);
    assertThat(TableWalk.machineOf(cpu, 0x40_0123)).isEqualTo(0x123);
    cpu.cr4 = Cpu.CR4_PAE;
    machine.memory.writeLong(ROOT, DIRECTORY | Mmu.PRESENT);
    machine.memory.writeLong(DIRECTORY + 8, 0x20_0000 | FLAGS | Mmu.LARGE);
    assertThat(TableWalk.of(cpu, 0x20_0123).steps()).extracting(TableWalk.Step::level).containsExactly(3, 2);
    assertThat(TableWalk.machineOf(cpu, 0x20_0123)).isEqualTo(0x20_0123);
    assertThat(TableWalk.machineOf(cpu, 0x4000_0000L)).isEqualTo(-1);
  }
}
