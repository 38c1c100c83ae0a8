package org.xenolith.insight.gdb;

import java.util.List;
import java.util.function.LongFunction;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.cpu.TableWalk;
import org.xenolith.insight.Names;
import org.xenolith.machine.Computer;

/** What {@code monitor} shows of any machine. */
final class MachineCommands {
  private final Computer machine;
  private final Names names;
  private final LongFunction<String> frame;
  private final LongFunction<String> guestFrame;

  /**
   * @param frame says in a line what is known of a machine frame
   * @param guestFrame likewise of a guest frame, where there is a second stage; else null
   */
  MachineCommands(Computer machine, Names names, LongFunction<String> frame, LongFunction<String> guestFrame) {
    this.machine = machine;
    this.names = names;
    this.frame = frame;
    this.guestFrame = guestFrame;
  }

  void addTo(Monitor monitor) {
    monitor
        .add("vcpus", "what each vcpu does and where", (cpu, words) -> vcpus())
        .add("registers", "all registers of the vcpu, with segments and tables", (cpu, words) -> registers(cpu))
        .add("walk ADDRESS", "how the vcpu's page tables translate a linear address", (cpu, words) -> walk(cpu, Monitor.number(cpu, words)))
        .add("frame MFN", "what is known of a machine frame", (cpu, words) -> frame.apply(Monitor.number(cpu, words)) + "\n");
  }

  private String vcpus() {
    StringBuilder text = new StringBuilder();
    List<Cpu> cpus = machine.cpus();
    for (int n = 0; n < cpus.size(); n++) {
      Cpu cpu = cpus.get(n);
      text.append(
          "vcpu%d %-9s rip %s, ring %d, %,d instructions%n".formatted(n, machine.state(n), names.describe(cpu.rip), cpu.cpl, cpu.retired));
    }
    return text.append("the clock is at %,d%n".formatted(machine.virtualNanoseconds())).toString();
  }

  private static String registers(Cpu cpu) {
    return cpu.dump()
        + "gdt=%016x limit %04x  idt=%016x limit %04x  ldt=%04x tr=%04x%n".formatted(
            cpu.gdtBase, cpu.gdtLimit, cpu.idtBase, cpu.idtLimit, cpu.ldtSelector, cpu.taskSelector);
  }

  private String walk(Cpu cpu, long va) {
    TableWalk walk = TableWalk.of(cpu, va);
    StringBuilder text = new StringBuilder();
    for (TableWalk.Step step : walk.steps()) {
      text.append("L%d[%d] at %x: %016x %s%n".formatted(step.level(), step.slot(), step.address(), step.entry(), flags(step.entry())));
      frames(text, "table", step.address(), TableWalk.machine(cpu, step.address()));
    }
    if (walk.physical() < 0) {
      return text.append("%x is not mapped%n".formatted(va)).toString();
    }
    text.append("%x is at %x, in a page of %,d KiB%n".formatted(va, walk.physical(), walk.pageSize() >> 10));
    frames(text, "page", walk.physical(), walk.machine());
    return text.toString();
  }

  private void frames(StringBuilder text, String what, long physical, long pa) {
    if (guestFrame != null) {
      text.append("     %s: %s%n".formatted(what, guestFrame.apply(physical >>> GuestMemory.FRAME_SHIFT)));
    }
    text.append("     %s: %s%n".formatted(what, pa < 0 ? "no RAM" : frame.apply(pa >>> GuestMemory.FRAME_SHIFT)));
  }

  private static String flags(long entry) {
    String[] names = {"present", "writable", "user", "write-through", "uncached", "accessed", "dirty", "large", "global"};
    StringBuilder text = new StringBuilder();
    for (int bit = 0; bit < names.length; bit++) {
      if ((entry >>> bit & 1) != 0) {
        text.append(text.isEmpty() ? "" : " ").append(names[bit]);
      }
    }
    return (entry & Mmu.PRESENT) == 0 ? "not present" : text.append((entry & Mmu.NO_EXECUTE) != 0 ? " no-execute" : "").toString();
  }
}
