package org.xenolith.insight.gdb;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.insight.Names;
import org.xenolith.machine.Computer;
import org.xenolith.xen.XenMachine;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.pv.PvMachine;
import org.xenolith.xen.pvh.PvhMachine;

/** Puts together what {@code monitor} can show of a machine of a certain kind. */
public final class MonitorCommands {
  private MonitorCommands() {}

  /** The commands for a machine. */
  public static Monitor of(Computer machine, Names names) {
    Monitor monitor = new Monitor();
    switch (machine) {
      case PvMachine pv -> {
        new MachineCommands(machine, names, pv.xen().frames::describe, null).addTo(monitor);
        monitor
            .add("m2p MFN", "the pseudo-physical frame of a machine frame", (cpu, words) -> pfn(pv, Monitor.number(cpu, words)))
            .add("p2m PFN", "the machine frame of a pseudo-physical one", (cpu, words) -> mfn(pv, Monitor.number(cpu, words)));
      }
      case PvhMachine pvh -> {
        new MachineCommands(machine, names, pvh.xen().frames::describe, pvh.p2m()::describe).addTo(monitor);
        monitor
            .add("m2p MFN", "the guest frame of a machine frame", (cpu, words) -> pfn(pvh, Monitor.number(cpu, words)))
            .add(
                "p2m GFN", "what the second stage makes of a guest frame",
                (cpu, words) -> pvh.p2m().describe(Monitor.number(cpu, words)) + "\n");
      }
      default -> new MachineCommands(machine, names, mfn -> plain(machine.memory(), mfn), null).addTo(monitor);
    }
    return monitor;
  }

  private static String plain(GuestMemory memory, long mfn) {
    return "mfn 0x%x: %s".formatted(mfn, !memory.isRam(mfn) ? "no RAM" : memory.written(mfn) ? "RAM" : "RAM, never written");
  }

  private static String pfn(XenMachine machine, long mfn) {
    FrameTable frames = machine.xen().frames;
    boolean known = frames.valid(mfn) && frames.pfn(mfn) != FrameTable.INVALID_PFN;
    return known ? "pfn 0x%x%n".formatted(frames.pfn(mfn)) : "mfn 0x%x has no pfn%n".formatted(mfn);
  }

  /** The domain's own table of frames is the kernel's; this is Xen's, backwards. */
  private static String mfn(PvMachine machine, long pfn) {
    FrameTable frames = machine.xen().frames;
    StringBuilder text = new StringBuilder();
    for (long mfn = 0; mfn < frames.frames(); mfn++) {
      if (frames.pfn(mfn) == pfn && frames.owner(mfn) == machine.domain().id) {
        text.append(frames.describe(mfn)).append('\n');
      }
    }
    return text.isEmpty() ? "no frame of the domain is pfn 0x%x%n".formatted(pfn) : text.toString();
  }
}
