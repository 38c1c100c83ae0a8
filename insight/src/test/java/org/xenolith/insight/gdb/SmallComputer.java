package org.xenolith.insight.gdb;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.Fault;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Instruction;
import org.xenolith.machine.Computer;
import org.xenolith.machine.RunOutcome;
import org.xenolith.machine.Scheduler;

/**
 * A computer of 4 MiB for tests, its memory mapped to linear addresses of the same number in user mode: every processor runs the code at
 * {@link #CODE} until UD2 powers the computer off; any other exit crashes it.
 */
final class SmallComputer extends Computer {
  static final long CODE = 0x10_0000, DATA = 0x20_0000, STACK = 0x30_0000;

  /** The last-level table of the second half of memory. */
  static final long TABLE = 0x5000;

  private static final int FRAMES = 1024;
  private static final long FLAGS = Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER;

  private final GuestMemory memory =
      new GuestMemory(Arena.ofAuto().allocate((long) FRAMES * GuestMemory.FRAME_SIZE, GuestMemory.FRAME_SIZE));
  private final List<Cpu> cpus = new ArrayList<>();
  private RunOutcome outcome;

  SmallComputer(int processors, String hex) {
    byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
    memory.write(CODE, code, 0, code.length);
    for (int level = 0; level < 3; level++) {
      memory.writeLong(0x1000 + 0x1000L * level, 0x2000 + 0x1000L * level | FLAGS);
    }
    memory.writeLong(0x3008, TABLE | FLAGS);
    for (int n = 0; n < FRAMES; n++) {
      memory.writeLong(0x4000 + 8L * n, (long) n << 12 | FLAGS);
    }
    CodeCache cache = new CodeCache(memory);
    List<Scheduler.Runner> runners = new ArrayList<>();
    for (int n = 0; n < processors; n++) {
      Cpu cpu = new Cpu(new AmdModel(), memory, cache, Bus.EMPTY, clock);
      cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_WP | Cpu.CR0_PG | Cpu.CR0_NE | Cpu.CR0_MP;
      cpu.cr3 = 0x1000;
      cpu.cr4 = Cpu.CR4_OSFXSR | 0x20;
      cpu.efer = Cpu.EFER_LMA | Cpu.EFER_LME | Cpu.EFER_NXE;
      cpu.selector[Instruction.CS] = 0x33;
      cpu.segmentAccess[Instruction.CS] = 0xa0fb;
      cpu.eflags = Cpu.IF;
      cpu.rip = CODE;
      cpu.r[Cpu.RSP] = STACK - 0x1000L * n;
      cpu.r[Cpu.RDI] = n;
      cpu.refresh();
      cpus.add(cpu);
      int number = n;
      runners.add(
          new Scheduler.Runner() {
            @Override
            public boolean runnable() {
              return true;
            }

            @Override
            public boolean run(long until) {
              Exit exit = cpu.run(until);
              if (!(exit instanceof Exit.Budget)) {
                digest.exit(number, cpu, exit);
                boolean off = exit instanceof Exit.Exception e && e.vector() == Fault.UD;
                outcome = new RunOutcome(off ? RunOutcome.Kind.POWEROFF : RunOutcome.Kind.CRASH, exit.toString());
              }
              return outcome == null;
            }
          });
    }
    schedule(runners);
  }

  @Override
  protected boolean hasEnded() {
    return outcome != null;
  }

  @Override
  protected RunOutcome ended() {
    return outcome;
  }

  @Override
  protected void typed(byte[] bytes) {}

  @Override
  public List<Cpu> cpus() {
    return cpus;
  }

  @Override
  public GuestMemory memory() {
    return memory;
  }

  @Override
  public String state(int processor) {
    return "runnable";
  }

  @Override
  public Map<String, Long> exits() {
    return Map.of();
  }

  @Override
  public Map<Integer, Long> faults() {
    return Map.of();
  }

  @Override
  public void close() {}
}
