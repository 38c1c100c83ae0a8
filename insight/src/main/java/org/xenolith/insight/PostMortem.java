package org.xenolith.insight;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.TableWalk;

/**
 * What a processor was doing when a run ended: registers, the last blocks entered, the words on the stack that look like return addresses,
 * and the page-table entries of RIP and of the last fault's address. Reads the guest without changing it.
 */
public final class PostMortem {
  private static final String[] REGISTERS = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"
  };

  private static final int STACK_WORDS = 512;
  private static final int STACK_LINES = 24;

  private PostMortem() {}

  /** The whole report, a line an element. */
  public static List<String> lines(Cpu cpu, Names names) {
    List<String> lines = new ArrayList<>();
    lines.add("count " + cpu.clock.now + ", rip " + names.describe(cpu.rip));
    for (int n = 0; n < 16; n += 4) {
      StringBuilder line = new StringBuilder();
      for (int k = n; k < n + 4; k++) {
        line.append(k == n ? "" : "  ").append(REGISTERS[k]).append(' ').append(String.format("%016x", cpu.r[k]));
      }
      lines.add(line.toString());
    }
    lines.add(String.format("rflags %08x  cs %04x  ss %04x  fs %016x  gs %016x", cpu.rflags(), cpu.selector[1], cpu.selector[2],
        cpu.segmentBase[4], cpu.segmentBase[5]));
    lines.add(String.format("cr0 %08x  cr2 %016x  cr3 %016x  cr4 %08x", cpu.cr0, cpu.cr2, cpu.cr3, cpu.cr4));
    lines.add("page tables of rip:");
    walk(cpu, cpu.rip, lines);
    if (cpu.cr2 != 0) {
      lines.add("page tables of cr2:");
      walk(cpu, cpu.cr2, lines);
    }
    lines.add("stack, what looks like code:");
    stack(cpu, names, lines);
    lines.add("last blocks, the newest last:");
    for (long va : cpu.lastBranches()) {
      lines.add("  " + names.describe(va));
    }
    return lines;
  }

  private static void stack(Cpu cpu, Names names, List<String> lines) {
    int shown = 0;
    long rsp = cpu.r[Cpu.RSP] & ~7L;
    for (int n = 0; n < STACK_WORDS && shown < STACK_LINES; n++) {
      long pa = TableWalk.machineOf(cpu, rsp + 8L * n);
      if (pa < 0) {
        return;
      }
      long word = cpu.memory.readLong(pa);
      String name = names.name(word);
      if (name != null) {
        lines.add(String.format("  rsp+%-5s %016x %s", Integer.toHexString(8 * n), word, name));
        shown++;
      }
    }
  }

  private static void walk(Cpu cpu, long va, List<String> lines) {
    TableWalk walk = TableWalk.of(cpu, va);
    for (TableWalk.Step step : walk.steps()) {
      long table = TableWalk.machine(cpu, step.address()) >>> GuestMemory.FRAME_SHIFT;
      lines.add(String.format("  L%d[%3d] in mfn %x: %016x", step.level(), step.slot(), table, step.entry()));
    }
    if (walk.steps().isEmpty()) {
      lines.add((cpu.cr0 & Cpu.CR0_PG) == 0 ? "  paging is off" : "  the root is not RAM, or the address not canonical");
    }
  }
}
