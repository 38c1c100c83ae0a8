package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a TLB forgets where a hypervisor tells of each change of a page table: all that may be untrue, and little else. */
class ChangedTablesTest {
  /** Pages in the same and in other tables of each level, each with a TLB entry of its own; of the last one all slots are 3. */
  private static final long[] PAGES = {
    0x5000_0000L, 0x5000_1000L, 0x5020_2000L, 0x1_4000_3000L, 0x80_5000_4000L, 3L << 39 | 3L << 30 | 3L << 21 | 3L << 12
  };

  private static final long FIRST_TABLE = 0x28_0000;

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;
  private long nextTable = FIRST_TABLE;

  @BeforeEach
  void map() {
    for (long va : PAGES) {
      machine.memory.writeLong(entry(va, 1), Machine.DATA | Machine.FLAGS);
    }
    machine.memory.writeLong(Machine.DATA, 1);
    machine.memory.writeLong(Machine.DATA + 0x1000, 2);
  }

  private static int slot(long va, int level) {
    return (int) (va >>> 12 + 9 * (level - 1)) & 511;
  }

  /** The machine address of the entry that a walk uses at a level; makes the tables above it. */
  private long entry(long va, int level) {
    long table = Machine.ROOT;
    for (int l = 4; l > level; l--) {
      long entry = table + 8 * slot(va, l);
      if ((machine.memory.readLong(entry) & Mmu.PRESENT) == 0) {
        machine.memory.writeLong(entry, nextTable | Machine.FLAGS);
        nextTable += GuestMemory.FRAME_SIZE;
      }
      table = machine.memory.readLong(entry) & 0xf_ffff_f000L;
    }
    return table + 8 * slot(va, level);
  }

  private long load(long va) {
    cpu.r[Cpu.RSI] = va;
    cpu.rip = Machine.CODE;
    machine.code("48 8b 06").step(1); // mov rax,[rsi]
    return cpu.r[Cpu.RAX];
  }

  private void loadAll() {
    for (long va : PAGES) {
      load(va);
    }
  }

  private long root() {
    return cpu.cr3 & 0xf_ffff_f000L;
  }

  /** Puts copies of the tables below an entry in their places, where the page is elsewhere. */
  private void change(long va, int level) {
    if (level == 1) {
      machine.memory.writeLong(entry(va, 1), Machine.DATA + 0x1000 | Machine.FLAGS);
      return;
    }
    long parent = entry(va, level);
    long table = machine.memory.readLong(parent) & 0xf_ffff_f000L;
    machine.memory.copyFrame(table >>> GuestMemory.FRAME_SHIFT, nextTable >>> GuestMemory.FRAME_SHIFT);
    machine.memory.writeLong(parent, nextTable | Machine.FLAGS);
    nextTable += GuestMemory.FRAME_SIZE;
    change(va, level - 1);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void aChangedEntryIsForgottenAtTheNextFlush(int level) {
    for (long va : PAGES) {
      loadAll();
      change(va, level);
      assertThat(load(va)).as("as it was").isEqualTo(1);
      machine.memory.tableChanged(level, slot(va, level));
      cpu.mmu.flushChanged(root());
      assertThat(load(va)).as("as it is").isEqualTo(2);
      machine.memory.writeLong(entry(va, 1), Machine.DATA | Machine.FLAGS);
      machine.memory.tableChanged(1, slot(va, 1));
      cpu.mmu.flushChanged();
      assertThat(load(va)).isEqualTo(1);
    }
  }

  @Test
  void otherPagesStay() {
    loadAll();
    long fills = cpu.mmu.fills;
    machine.memory.tableChanged(1, slot(PAGES[1], 1));
    cpu.mmu.flushChanged();
    loadAll();
    assertThat(cpu.mmu.fills - fills).isEqualTo(1);
    cpu.mmu.flushChanged();
    cpu.mmu.flushChanged(root());
    loadAll();
    assertThat(cpu.mmu.fills - fills).isEqualTo(1);
  }

  /** A root that is its own entry 3 is used as a table of lower levels at addresses that begin with slot 3, once for each 3. */
  @Test
  void aTableMayBeAnEntryOfItself() {
    long va = PAGES[5] & 0xffff_ffff_f000L;
    machine.memory.writeLong(Machine.ROOT + 8 * 3, Machine.ROOT | Machine.FLAGS);
    machine.memory.tableChanged(4, 3);
    cpu.mmu.flushChanged();
    long seen = load(va);
    assertThat(seen).isEqualTo(machine.memory.readLong(Machine.ROOT));
    for (int level = 1; level <= 3; level++) {
      int shift = 12 + 9 * (level - 1);
      int slot = 9 + level;
      long other = va & -1L << shift + 9 | (long) slot << shift;
      long mapped = Machine.DATA;
      for (int l = 1; l < level; l++) {
        machine.memory.writeLong(nextTable, mapped | Machine.FLAGS);
        mapped = nextTable;
        nextTable += GuestMemory.FRAME_SIZE;
      }
      machine.memory.writeLong(Machine.ROOT + 8 * slot, mapped | Machine.FLAGS);
      assertThat(load(other)).isEqualTo(1);
      machine.memory.writeLong(Machine.ROOT + 8 * slot, 0);
      machine.memory.tableChanged(4, slot);
      cpu.mmu.flushChanged();
      assertThatThrownBy(() -> load(other), "level %d", level).hasMessageContaining("Exception[vector=14");
    }
  }

  @Test
  void moreChangesThanAreRememberedForgetAll() {
    loadAll();
    change(PAGES[0], 1);
    machine.memory.tableChanged(1, slot(PAGES[0], 1));
    for (int n = 0; n < GuestMemory.REMEMBERED_CHANGES; n++) {
      machine.memory.tableChanged(1, 77);
    }
    cpu.mmu.flushChanged();
    assertThat(load(PAGES[0])).isEqualTo(2);
  }

  @Test
  void onlyTheRootThatIsNamedIsFlushed() {
    loadAll();
    change(PAGES[0], 1);
    machine.memory.tableChanged(1, slot(PAGES[0], 1));
    cpu.mmu.flushChanged(root() + GuestMemory.FRAME_SIZE);
    assertThat(load(PAGES[0])).isEqualTo(1);
    cpu.mmu.flushRoot(root() + GuestMemory.FRAME_SIZE);
    assertThat(load(PAGES[0])).isEqualTo(1);
    cpu.mmu.flushRoot(root());
    assertThat(load(PAGES[0])).isEqualTo(2);
  }

  /** A copy of the root, in which one page is elsewhere. */
  private long otherRoot(long va) {
    long other = nextTable;
    nextTable += GuestMemory.FRAME_SIZE;
    machine.memory.copyFrame(Machine.ROOT >>> GuestMemory.FRAME_SHIFT, other >>> GuestMemory.FRAME_SHIFT);
    long entry = machine.memory.readLong(entry(va, 4));
    change(va, 4);
    machine.memory.writeLong(other + 8 * slot(va, 4), machine.memory.readLong(entry(va, 4)));
    machine.memory.writeLong(entry(va, 4), entry);
    return other;
  }

  @Test
  void aRootBeginsWithWhatItSharesWithAnother() {
    loadAll();
    long other = otherRoot(PAGES[4]);
    cpu.mmu.share(root(), other);
    cpu.cr3 = other;
    long fills = cpu.mmu.fills;
    for (long va : PAGES) {
      assertThat(load(va)).isEqualTo(va == PAGES[4] ? 2 : 1);
    }
    assertThat(cpu.mmu.fills - fills).isEqualTo(1);
  }

  @Test
  void aRootBeginsWithNothingUntrue() {
    loadAll();
    long other = otherRoot(PAGES[4]);
    change(PAGES[0], 1);
    machine.memory.tableChanged(1, slot(PAGES[0], 1));
    cpu.mmu.share(root(), other);
    cpu.cr3 = other;
    assertThat(load(PAGES[0])).isEqualTo(2);
  }

  /** Whatever changes, a flush leaves nothing that a walk would not find. */
  @Test
  void randomChangesLeaveNothingUntrue() {
    SplittableRandom random = new SplittableRandom(1);
    for (int n = 0; n < 2000; n++) {
      for (int changes = random.nextInt(1, 100); changes > 0; changes--) {
        long va = PAGES[random.nextInt(PAGES.length)];
        load(va);
        machine.memory.writeLong(entry(va, 1), Machine.DATA + 0x1000 * random.nextInt(2) | Machine.FLAGS);
        machine.memory.tableChanged(1, slot(va, 1));
      }
      cpu.mmu.flushChanged();
      for (long va : PAGES) {
        assertThat(load(va)).isEqualTo((machine.memory.readLong(entry(va, 1)) & 0x1000) == 0 ? 1 : 2);
      }
    }
  }
}
