package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Guest-physical addresses behind a second stage of translation. */
class SecondStageTest {
  private static final long ALL = SecondStage.READ | SecondStage.WRITE | SecondStage.EXECUTE;
  private static final String LOAD = "48 8b 06", STORE = "48 89 06"; // mov rax,[rsi]; mov [rsi],rax

  private final Machine machine = new Machine().privilege(0);
  private final Cpu cpu = machine.cpu;

  /** Guest frames that are not the machine frame of the same number with all rights. */
  private final Map<Long, Long> exceptions = new HashMap<>();

  @BeforeEach
  void identity() {
    cpu.secondStage = new SecondStage() {
      @Override
      public long entry(long gfn) {
        return exceptions.getOrDefault(gfn, gfn << 12 | ALL);
      }

      @Override
      public int references() {
        return 4;
      }
    };
    cpu.r[Cpu.RSI] = Machine.DATA;
  }

  private void except(long gpa, long entry) {
    exceptions.put(gpa >>> 12, entry);
    cpu.mmu.flushAll();
  }

  @Test
  void aWalkReadsTwentyFourEntries() {
    machine.code(LOAD).step(1);
    // Fetch and load: each of the four tables and the page behind four entries, and the four tables' own.
    assertThat(cpu.tlbStatistics()[1]).isEqualTo(2 * 24);
  }

  @Test
  void theTwoStagesAreOneTranslation() {
    except(Machine.DATA, Machine.STACK | ALL);
    machine.memory.writeLong(Machine.STACK, 77);
    machine.code(LOAD).step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
    assertThat(cpu.mmu.translate(Machine.DATA + 8, Mmu.WRITE)).isEqualTo(Machine.STACK + 8);
  }

  @Test
  void tablesOfTheGuestAreTranslatedToo() {
    // The guest's last-level table is elsewhere.
    machine.memory.copyFrame((Machine.LEVEL1 + 0x1000) >>> 12, 0x3ff);
    machine.memory.writeLong(Machine.LEVEL1 + 0x1000, 0);
    except(Machine.LEVEL1 + 0x1000, 0x3f_f000 | ALL);
    machine.code(LOAD).step(1);
  }

  @Test
  void aMissingRightIsAnExit() {
    except(Machine.DATA, Machine.DATA | SecondStage.READ);
    machine.code(LOAD + STORE).step(1);
    assertThat(machine.run(5)).isEqualTo(new Exit.SecondStageViolation(Machine.DATA, Mmu.WRITE));
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 3);
    except(Machine.DATA, SecondStage.WRITE);
    cpu.rip = Machine.CODE;
    assertThat(machine.run(5)).isEqualTo(new Exit.SecondStageViolation(Machine.DATA, Mmu.READ));
    except(Machine.DATA, 0);
    except(Machine.CODE, Machine.CODE | SecondStage.READ | SecondStage.WRITE);
    assertThat(machine.run(5)).isEqualTo(new Exit.SecondStageViolation(Machine.CODE, Mmu.FETCH));
    except(Machine.LEVEL2, Machine.LEVEL2 & ~0xfffL | SecondStage.EXECUTE);
    assertThat(machine.run(5)).isEqualTo(new Exit.SecondStageViolation(Machine.LEVEL2, Mmu.READ));
    assertThat(cpu.mmu.translate(Machine.DATA, Mmu.READ)).isEqualTo(-1);
  }

  @Test
  void accessedAndDirtyBitsNeedTheRightToWriteTheTable() {
    machine.map(Machine.DATA, Machine.DATA | Mmu.PRESENT | Mmu.WRITABLE | Mmu.ACCESSED);
    except(Machine.LEVEL1 + 0x1000, Machine.LEVEL1 + 0x1000 | SecondStage.READ);
    machine.code(LOAD + STORE).step(1);
    assertThat(machine.run(5)).isEqualTo(new Exit.SecondStageViolation(Machine.entry(Machine.DATA), Mmu.WRITE));
    except(Machine.LEVEL1 + 0x1000, Machine.LEVEL1 + 0x1000 | ALL);
    machine.step(1);
    assertThat(machine.entryOf(Machine.DATA) & Mmu.DIRTY).isNotZero();
  }

  @Test
  void emulatedFramesGoToTheBusByGuestPhysicalAddress() {
    long[] seen = new long[2];
    Bus bus = new Bus() {
      @Override
      public long read(long pa, int size) {
        seen[0] = pa;
        return 5;
      }

      @Override
      public void write(long pa, int size, long value) {
        seen[1] = pa;
      }
    };
    Cpu other = new Cpu(new AmdModel(), machine.memory, machine.code, bus, machine.clock);
    other.cr0 = cpu.cr0;
    other.cr3 = cpu.cr3;
    other.efer = cpu.efer;
    other.secondStage = cpu.secondStage;
    other.refresh();
    except(Machine.DATA, SecondStage.EMULATED);
    assertThat(other.mmu.read64(Machine.DATA + 8)).isEqualTo(5);
    other.mmu.write32(Machine.DATA + 16, 6);
    assertThat(seen).containsExactly(Machine.DATA + 8, Machine.DATA + 16);
    assertThat(other.mmu.translate(Machine.DATA, Mmu.READ)).isEqualTo(-1);
  }

  @Test
  void withoutPagingTheSecondStageIsTheOnlyOne() {
    machine.compatibility();
    cpu.segmentAccess[1] = 0xc09b;
    cpu.cr0 = Cpu.CR0_PE;
    cpu.efer = 0;
    cpu.refresh();
    except(Machine.DATA, Machine.STACK | ALL);
    machine.memory.writeInt(Machine.STACK, 77);
    machine.code("8b 06").step(1);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
  }
}
