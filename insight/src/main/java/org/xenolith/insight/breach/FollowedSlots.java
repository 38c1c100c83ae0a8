package org.xenolith.insight.breach;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.TableWalk;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Breach.Effect;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.pv.PvMachine;
import org.xenolith.xen.rules.Rule;

/**
 * Repeats the run of a kernel that crashed though Xen refused it nothing, and looks whether it had read an L4 slot that is Xen's before one
 * of its last faults: Xen lets a guest read these slots, but they lead a walk of the page tables to frames that are not the guest's, and
 * on to addresses that nobody can foresee (Linux: ptdump in 4.20-rc).
 */
public final class FollowedSlots implements Observer {
  /** Counts before a fault in which its cause is sought. */
  private static final long WINDOW = 3_000_000;

  private static final int FIRST = 256, LAST = 271;

  private final Unwinder unwinder;
  private final long[] faults;
  private PvMachine machine;
  private boolean tracing;
  private Incident read;
  private Incident found;

  private FollowedSlots(CodeNames names, long[] faults) {
    this.unwinder = new Unwinder(names);
    this.faults = faults;
  }

  /**
   * Looks for the first such read.
   *
   * @param watch saw the run
   * @param machines makes the very same machine again
   */
  public static Optional<Explained> of(BreachWatch watch, CodeNames names, Function<Observer, PvMachine> machines) {
    FollowedSlots look = new FollowedSlots(names, watch.lastFaults());
    if (look.faults.length > 0) {
      try (PvMachine machine = machines.apply(look)) {
        look.machine = machine;
        look.traceIfNear(0);
        machine.run(look.faults[look.faults.length - 1] + 1);
      }
    }
    return Optional.ofNullable(look.found).map(Explained::alone);
  }

  @Override
  public void hypercall(Vcpu vcpu, int number, long[] args, long result) {
    traceIfNear(vcpu.cpu.clock.now);
  }

  @Override
  public void upcall(Vcpu vcpu) {
    traceIfNear(vcpu.cpu.clock.now);
  }

  @Override
  public void fault(Vcpu vcpu, int vector, int errorCode, long address) {
    if (found == null && read != null && BreachWatch.mayBeTheKernels(vector, errorCode)) {
      found = read;
      machine.stop();
    }
  }

  private void traceIfNear(long count) {
    boolean wanted = Arrays.stream(faults).anyMatch(fault -> count <= fault && count >= fault - WINDOW);
    if (wanted != tracing) {
      tracing = wanted;
      machine.cpus().forEach(cpu -> cpu.trace(wanted ? this::before : null));
    }
  }

  /** An instruction is about to run: perhaps a load from such a slot. */
  private void before(Cpu cpu, Instruction i) {
    if (!i.hasMemory() || i.mnemonic == Mnemonic.LEA || i.mnemonic == Mnemonic.NOP) {
      return;
    }
    long va = cpu.ea(i);
    int slot = (int) (va >>> 3) & 511;
    if (slot < FIRST || slot > LAST) {
      return;
    }
    long pa = TableWalk.machineOf(cpu, va);
    Vcpu vcpu = machine.domain().vcpus.get(machine.cpus().indexOf(cpu));
    if (pa < 0 || !vcpu.kernelMode || machine.xen().frames.type(pa >>> GuestMemory.FRAME_SHIFT) != FrameTable.L4) {
      return;
    }
    long mfn = pa >>> GuestMemory.FRAME_SHIFT;
    Breach.Slot entry = new Breach.Slot(4, mfn, slot, cpu.memory.readLong(pa & -8));
    String message = "%s at 0x%x reads L4 slot 0x%x of mfn 0x%x, which is Xen's; soon after the kernel took a fault, and it crashed"
        .formatted(i, i.address, slot, mfn);
    Breach breach = new Breach(Rule.XEN_SLOTS, null, Effect.TOLERATED, message, -1, 0, List.of(), List.of(entry), null);
    long first = (0xffff_0000_0000_0000L | (long) slot << 39);
    read = new Incident(breach, vcpu.id, cpu.clock.now, unwinder.unwind(cpu), List.of(first), "", List.of(), 0);
  }
}
