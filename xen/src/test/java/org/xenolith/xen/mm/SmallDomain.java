package org.xenolith.xen.mm;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.Instruction;
import org.xenolith.machine.EventQueue;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;

/**
 * A domain of 4 MiB whose page tables were made by hand: pfn n is mapped at {@link #BASE} + n * 4096, tables read-only, all else writable.
 * pfn 0 to 4 are root, L3, L2 and two L1 tables; pfn 5 is where hypercalls have their arguments; from pfn 8 on all is free.
 */
final class SmallDomain {
  static final long BASE = 0x40_0000_0000L;
  static final int PAGES = 1024;
  static final int ROOT = 0, L3 = 1, L2 = 2, FIRST_L1 = 3, ARGUMENTS = 5, FREE = 8;
  static final int SELF = 0x7ff0;
  static final long TABLE = 0x67, PAGE = 0x63, READ_ONLY = 0x61;

  final Hypervisor xen;
  final Domain domain;
  final Vcpu vcpu;
  final GuestMemory memory;
  final FrameTable frames;
  final long[] p2m;
  final List<Breach> breaches = new ArrayList<>();

  SmallDomain() {
    memory = new GuestMemory(Arena.ofAuto().allocate(PvMmu.machineFrames(PAGES) * 4096, 4096));
    Clock clock = new Clock();
    CodeCache code = new CodeCache(memory);
    Observer observer =
        new Observer() {
          @Override
          public void breach(Vcpu v, Breach breach) {
            breaches.add(breach);
          }
        };
    xen = new Hypervisor(memory, clock, new EventQueue(), code, observer);
    frames = xen.frames;
    domain = new Domain(xen, 1);
    xen.domains.add(domain);
    domain.maxPages = PAGES + 64;
    Cpu cpu = new Cpu(new AmdModel(), memory, code, Bus.EMPTY, clock);
    cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_PG | Cpu.CR0_WP | Cpu.CR0_NE;
    cpu.cr4 = 0x20 | Cpu.CR4_OSFXSR;
    cpu.efer = Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE | Cpu.EFER_SCE;
    cpu.selector[Instruction.CS] = 0xe033;
    cpu.segmentAccess[Instruction.CS] = 0xa0fb;
    vcpu = new Vcpu(domain, 0, cpu);
    domain.vcpus.add(vcpu);
    p2m = xen.mmu.populate(domain, PAGES, 1);
    entry(ROOT, slot(4), table(L3));
    entry(L3, slot(3), table(L2));
    for (int table = 0; table < PAGES / 512; table++) {
      entry(L2, slot(2) + table, table(FIRST_L1 + table));
      for (int n = 0; n < 512; n++) {
        int pfn = table * 512 + n;
        boolean isTable = pfn < ARGUMENTS;
        entry(FIRST_L1 + table, n, Pte.of(p2m[pfn], isTable ? READ_ONLY : PAGE));
      }
    }
    xen.mmu.pinRoot(domain, p2m[ROOT]);
    if (xen.mmu.roots().install(vcpu, p2m[ROOT], 0) != 0) {
      throw new AssertionError(breaches);
    }
  }

  static int slot(int level) {
    return (int) (BASE >>> 12 + 9 * (level - 1)) & 511;
  }

  long table(int pfn) {
    return Pte.of(p2m[pfn], TABLE);
  }

  /** The address at which a frame is mapped. */
  static long va(int pfn) {
    return BASE + ((long) pfn << 12);
  }

  /** Writes an entry past all checks. */
  void entry(int tablePfn, int slot, long entry) {
    memory.writeLong(PageTables.slotPa(p2m[tablePfn], slot), entry);
  }

  long readEntry(int tablePfn, int slot) {
    return memory.readLong(PageTables.slotPa(p2m[tablePfn], slot));
  }

  /** The machine address of an entry. */
  long entryPa(int tablePfn, int slot) {
    return PageTables.slotPa(p2m[tablePfn], slot);
  }

  /** The machine address of the L1 entry that maps a pfn. */
  long mappingPa(int pfn) {
    return entryPa(FIRST_L1 + pfn / 512, pfn % 512);
  }

  long call(int number, long... args) {
    long[] five = new long[5];
    System.arraycopy(args, 0, five, 0, args.length);
    return xen.hypercalls.call(vcpu, number, five);
  }

  /** Writes 64-bit words where hypercalls find them and returns their address. */
  long arguments(long... words) {
    for (int n = 0; n < words.length; n++) {
      memory.writeLong((p2m[ARGUMENTS] << 12) + 8L * n, words[n]);
    }
    return va(ARGUMENTS);
  }

  long argument(int word) {
    return memory.readLong((p2m[ARGUMENTS] << 12) + 8L * word);
  }

  /** One mmu_update request. */
  long mmuUpdate(long pointer, long value) {
    return call(1, arguments(pointer, value), 1, 0, SELF);
  }

  /** One mmuext_op. */
  long mmuext(int command, long arg1, long arg2) {
    return call(26, arguments(command, arg1, arg2), 1, 0, SELF);
  }

  long pin(int level, int pfn) {
    return mmuext(level - 1, p2m[pfn], 0);
  }

  long unpin(int pfn) {
    return mmuext(4, p2m[pfn], 0);
  }

  /** Changes the L1 entry that maps a pfn. */
  long remap(int pfn, long entry) {
    return call(14, va(pfn), entry, 2);
  }

  /** Takes writable mappings of frames away, so that they can become tables. */
  void protect(int... pfns) {
    for (int pfn : pfns) {
      if (remap(pfn, Pte.of(p2m[pfn], READ_ONLY)) != 0) {
        throw new AssertionError(breaches);
      }
    }
  }

  Breach lastBreach() {
    return breaches.getLast();
  }

  /** Frames whose references in the table are not those that there are. */
  List<String> miscounted() {
    return CountAudit.of(domain);
  }
}
