package org.xenolith.cpu;

import java.util.ArrayList;
import java.util.List;

/**
 * How a processor would translate a linear address now, step by step, for whoever looks at it from outside: no accessed or dirty bit is
 * set, no TLB entry asked or made, and rights are not checked. Knows every kind of paging (AMD64 APM volume 2, chapter 5) and the second
 * stage.
 */
public final class TableWalk {
  private static final long ADDRESS = 0x000f_ffff_ffff_f000L;

  /**
   * An entry that was read.
   *
   * @param level 4 to 1
   * @param slot its number in the table
   * @param address where it is, as the guest's tables name addresses
   * @param entry what it holds
   */
  public record Step(int level, int slot, long address, long entry) {}

  private final Cpu cpu;
  private final List<Step> steps = new ArrayList<>();
  private long physical = -1;
  private long machine = -1;
  private long pageSize = GuestMemory.FRAME_SIZE;

  private TableWalk(Cpu cpu) {
    this.cpu = cpu;
  }

  /** Walks the tables of a processor for {@code va}. */
  public static TableWalk of(Cpu cpu, long va) {
    TableWalk walk = new TableWalk(cpu);
    walk.walk(va);
    if (walk.physical >= 0) {
      walk.machine = machine(cpu, walk.physical);
    }
    return walk;
  }

  /** The machine address of RAM at {@code va}, or -1 where nothing is mapped or no RAM is. */
  public static long machineOf(Cpu cpu, long va) {
    return of(cpu, va).machine;
  }

  /** The machine address of RAM at an address as the guest's page tables name it, or -1: the second stage, where there is one. */
  public static long machine(Cpu cpu, long physical) {
    long pa = physical;
    if (cpu.secondStage != null) {
      long gfn = physical >>> GuestMemory.FRAME_SHIFT;
      long entry = gfn >>> cpu.model.physicalBits() - GuestMemory.FRAME_SHIFT == 0 ? cpu.secondStage.look(gfn) : 0;
      if ((entry & SecondStage.READ) == 0) {
        return -1;
      }
      pa = entry & ADDRESS | physical & GuestMemory.FRAME_SIZE - 1;
    }
    return cpu.memory.isRam(pa >>> GuestMemory.FRAME_SHIFT) ? pa : -1;
  }

  /** The entries read, from the root down; the last is the one that maps the page, or does not. */
  public List<Step> steps() {
    return List.copyOf(steps);
  }

  /** The address that the guest's tables give, or -1 where they map nothing. */
  public long physical() {
    return physical;
  }

  /** The machine address behind {@link #physical}, or -1 where there is no RAM. */
  public long machine() {
    return machine;
  }

  /** Bytes in the page that the guest's tables map. */
  public long pageSize() {
    return pageSize;
  }

  private void walk(long va) {
    if ((cpu.cr0 & Cpu.CR0_PG) == 0) {
      physical = va & 0xffff_ffffL;
    } else if ((cpu.efer & Cpu.EFER_LMA) != 0) {
      if (Mmu.canonical(va)) {
        wide(va, cpu.cr3 & ADDRESS, 4);
      }
    } else if ((cpu.cr4 & Cpu.CR4_PAE) != 0) {
      wide(va & 0xffff_ffffL, cpu.cr3 & 0xffff_ffe0L, 3);
    } else {
      narrow(va & 0xffff_ffffL);
    }
  }

  /** Tables of 512 entries of 8 bytes. */
  private void wide(long va, long root, int levels) {
    long table = root;
    for (int level = levels; level > 0; level--) {
      int shift = 3 + 9 * level;
      int slot = (int) (va >>> shift) & (levels == 3 && level == 3 ? 3 : 511);
      long pa = machine(cpu, table + 8 * slot);
      if (pa < 0) {
        return;
      }
      long entry = cpu.memory.readLong(pa);
      steps.add(new Step(level, slot, table + 8 * slot, entry));
      if ((entry & Mmu.PRESENT) == 0) {
        return;
      }
      boolean mayBeLarge = level == 2 || level == 3 && levels == 4;
      if (level == 1 || mayBeLarge && (entry & Mmu.LARGE) != 0) {
        page(entry & ADDRESS, va, shift);
        return;
      }
      table = entry & ADDRESS;
    }
  }

  /** Tables of 1,024 entries of 4 bytes; a large page has its bits 39 to 32 in bits 20 to 13 of the entry. */
  private void narrow(long va) {
    long table = cpu.cr3 & 0xffff_f000L;
    for (int level = 2; level > 0; level--) {
      int shift = 2 + 10 * level;
      int slot = (int) (va >>> shift) & 1023;
      long pa = machine(cpu, table + 4 * slot);
      if (pa < 0) {
        return;
      }
      long entry = cpu.memory.readInt(pa) & 0xffff_ffffL;
      steps.add(new Step(level, slot, table + 4 * slot, entry));
      if ((entry & Mmu.PRESENT) == 0) {
        return;
      }
      if (level == 2 && (entry & Mmu.LARGE) != 0 && (cpu.cr4 & Cpu.CR4_PSE) != 0) {
        page(entry & 0xffc0_0000L | (entry >>> 13 & 0xff) << 32, va, shift);
        return;
      }
      if (level == 1) {
        page(entry & 0xffff_f000L, va, shift);
        return;
      }
      table = entry & 0xffff_f000L;
    }
  }

  private void page(long address, long va, int shift) {
    pageSize = 1L << shift;
    physical = address & -pageSize | va & pageSize - 1;
  }
}
