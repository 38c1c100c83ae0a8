package org.xenolith.cpu.silicon;

import java.lang.foreign.Arena;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.Fault;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.Instruction;

/** Runs cases in the interpreter: a processor at privilege level 3 with the same pages as the host's side. */
final class InterpreterSide {
  private static final long TABLES_PA = 0x1000;
  private static final long CODE_PA = 0x8000;
  private static final long DATA_PA = 0x9000;
  private static final long HELPER_PA = 0xb000;
  private static final long HELPER_VA = 0x3000_0000L;
  private static final long FX_VA = HELPER_VA + 0x800;
  private static final int FRAMES = 16;
  private static final int BUDGET = 64;
  private static final int PAGE = 4096;

  private final GuestMemory memory = new GuestMemory(Arena.ofAuto().allocate(FRAMES * PAGE, PAGE));
  private final Clock clock = new Clock();
  private final Cpu cpu;
  private long nextTable = TABLES_PA + PAGE;

  InterpreterSide(ProcessorModel model, Cpu.Tracer tracer) {
    cpu = new Cpu(model, memory, new CodeCache(memory), Bus.EMPTY, clock);
    cpu.trace(tracer);
    map(Case.CODE_PAGE_VA, CODE_PA);
    map(Case.DATA_VA, DATA_PA | Mmu.NO_EXECUTE);
    map(Case.DATA_VA + PAGE, DATA_PA + PAGE | Mmu.NO_EXECUTE);
    map(HELPER_VA, HELPER_PA);
    memory.fill(CODE_PA, PAGE, (byte) 0xcc);
    // fxrstor64 [FX_VA]; int3 and fxsave64 [FX_VA]; int3, with a 32-bit absolute address.
    byte[] helper = {0x48, 0x0f, (byte) 0xae, 0x0c, 0x25, 0, 8, 0, 0x30, (byte) 0xcc, 0x48, 0x0f, (byte) 0xae, 0x04, 0x25, 0, 8, 0, 0x30,
        (byte) 0xcc};
    memory.write(HELPER_PA, helper, 0, helper.length);
    cpu.cr0 = Cpu.CR0_PG | Cpu.CR0_PE | Cpu.CR0_WP | Cpu.CR0_NE | Cpu.CR0_MP | Cpu.CR0_AM;
    cpu.cr3 = TABLES_PA;
    cpu.cr4 = Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT;
    cpu.efer = Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE | Cpu.EFER_SCE;
    cpu.selector[Instruction.CS] = 0x33;
    cpu.segmentAccess[Instruction.CS] = 0xa0fb;
    cpu.selector[Instruction.SS] = 0x2b;
    cpu.segmentAccess[Instruction.SS] = 0xc0f3;
    cpu.refresh();
  }

  private void map(long va, long pa) {
    long table = TABLES_PA;
    for (int shift = 39; shift > 12; shift -= 9) {
      long entryPa = table + ((va >>> shift & 511) << 3);
      if (memory.readLong(entryPa) == 0) {
        if (nextTable == CODE_PA) {
          throw new IllegalStateException("no room for page tables");
        }
        memory.writeLong(entryPa, nextTable | 7);
        nextTable += PAGE;
      }
      table = memory.readLong(entryPa) & -PAGE;
    }
    memory.writeLong(table + ((va >>> 12 & 511) << 3), pa | 7);
  }

  /** Runs a case and fills in its state after. */
  void run(Case c) {
    byte[] code = c.code();
    memory.write(CODE_PA + (Case.CODE_VA & PAGE - 1), code, 0, code.length);
    memory.write(DATA_PA, c.data());
    memory.write(HELPER_PA + 0x800, c.fx(), 0, Case.FX_SIZE);
    cpu.setRflags(Cpu.IF);
    helper(HELPER_VA);

    for (int n = 0; n < 16; n++) {
      cpu.r[n] = c.register(n);
    }
    cpu.setRflags(c.rflags() | Cpu.IF);
    cpu.rip = Case.CODE_VA;
    Exit exit = cpu.run(clock.now + BUDGET);
    for (int n = 0; n < 16; n++) {
      c.registerAfter(n, cpu.r[n]);
    }
    c.rflagsAfter(cpu.rflags());
    c.ripAfter(cpu.rip);
    switch (exit) {
      case Exit.Exception e -> c.trap(e.vector(), Math.max(e.errorCode(), 0), e.vector() == Fault.PF ? e.address() : 0);
      case Exit.SoftwareInterrupt i -> c.trap(Fault.GP, i.vector() * 8 + 2, 0);
      default -> throw new IllegalStateException("unexpected exit " + exit);
    }

    cpu.setRflags(Cpu.IF);
    helper(HELPER_VA + 10);
    byte[] fx = new byte[Case.FX_SIZE];
    memory.read(HELPER_PA + 0x800, fx, 0, fx.length);
    c.fxAfter(fx);
    for (int page = 0; page < Case.DATA_SIZE / PAGE; page++) {
      c.dataAfter().asSlice(page * PAGE, PAGE).copyFrom(memory.frame(DATA_PA / PAGE + page));
    }
  }

  private void helper(long va) {
    cpu.rip = va;
    Exit exit = cpu.run(clock.now + BUDGET);
    if (!(exit instanceof Exit.Exception e && e.vector() == Fault.BP)) {
      throw new IllegalStateException("FXSAVE or FXRSTOR ended in " + exit);
    }
  }
}
