package org.xenolith.insight.breach;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.xen.Breach;
import org.xenolith.xen.FrameEvent;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.pv.PvMachine;

/**
 * Repeats a run in which rules were broken, and records what nobody could know the first time was wanted: the history of the frames
 * concerned, for calls that a guest had gathered into lists the stack at the moment when the entry was written, and for a port that its
 * kernel opened natively the stack at the moment when it did.
 */
final class Replay implements Observer {
  /** Instructions before a broken rule in which what led to it is thought to have been written; what was written before is not found. */
  private static final long WINDOW = 3_000_000;

  private static final int ENTRY_BYTES = 64, WORD_BYTES = 8, OFFSET_BYTES = 2;

  private final CodeNames names;
  private final Unwinder unwinder;
  private final NativePorts ports;
  private final List<Incident> incidents;
  private final Map<Long, FrameHistory> histories = new HashMap<>();
  private final List<FrameHistory> historiesThen = new ArrayList<>();
  private final List<List<StackFrame>> queued = new ArrayList<>();
  private Hypervisor xen;
  private PvMachine machine;
  private int next;
  private boolean tracing;

  private Replay(CodeNames names, List<Incident> incidents) {
    this.names = names;
    this.unwinder = new Unwinder(names);
    this.ports = new NativePorts(names);
    this.incidents = incidents;
    incidents.forEach(i -> queued.add(List.of()));
  }

  /**
   * Repeats a run up to the last of the incidents.
   *
   * @param machines makes the very same machine again, for this observer
   * @throws IllegalStateException if the run does not repeat
   */
  static Replay of(CodeNames names, List<Incident> incidents, Function<Observer, PvMachine> machines) {
    Replay replay = new Replay(names, incidents);
    try (PvMachine machine = machines.apply(replay)) {
      replay.run(machine);
    }
    return replay;
  }

  private void run(PvMachine repeated) {
    machine = repeated;
    xen = machine.xen();
    TableMap tables = new TableMap(machine.domain().vcpus.getFirst());
    for (Incident i : incidents) {
      long mfn = i.breach().mfn();
      if (xen.frames.valid(mfn) && !histories.containsKey(mfn)) {
        FrameHistory history = new FrameHistory();
        history.start(xen.frames.describe(mfn));
        FrameUse.of(xen, tables, mfn).forEach(use -> history.start("named by " + Decoding.slot(use.slot(), use.va())));
        histories.put(mfn, history);
        xen.frames.watch(mfn);
      }
    }
    traceIfNear(0);
    machine.run(Long.MAX_VALUE);
    if (next < incidents.size()) {
      throw new IllegalStateException("the run did not repeat: what happened at count %d did not happen again, the end came at %d"
          .formatted(incidents.get(next).count(), machine.virtualNanoseconds()));
    }
  }

  /** The history of the frame of an incident, up to it; empty where it concerned none. */
  FrameHistory history(int incident) {
    return historiesThen.get(incident);
  }

  /** The stack when the refused entry of a list was written, or the port was opened; empty if it was neither, or was not found. */
  List<StackFrame> queued(int incident) {
    return queued.get(incident);
  }

  @Override
  public void frame(Vcpu vcpu, FrameEvent event) {
    FrameHistory history = histories.get(event.mfn());
    if (history == null || next == incidents.size()) {
      return;
    }
    if (vcpu == null) {
      history.add(0, event, "the domain's builder");
      return;
    }
    List<StackFrame> stack = unwinder.unwind(vcpu.cpu);
    int guilty = stack.indexOf(Guilty.of(stack));
    StringBuilder by = new StringBuilder();
    for (StackFrame f : stack.subList(guilty, Math.min(stack.size(), guilty + 3))) {
      by.append(by.isEmpty() ? "" : " < ").append(f.place());
    }
    history.add(vcpu.cpu.clock.now, event, by.toString());
  }

  @Override
  public void hypercall(Vcpu vcpu, int number, long[] args, long result) {
    traceIfNear(vcpu.cpu.clock.now);
  }

  /** Looks at every instruction while what is wanted may be being written: stepping is slow. It begins and ends with a hypercall. */
  private void traceIfNear(long count) {
    boolean wanted = next < incidents.size() && wasWritten(incidents.get(next)) && count >= incidents.get(next).count() - WINDOW;
    if (wanted != tracing) {
      tracing = wanted;
      machine.cpus().forEach(cpu -> cpu.trace(wanted ? this::before : null));
    }
  }

  /** Whether memory that the guest wrote led to it: a list of calls, or a port that was opened there. */
  private static boolean wasWritten(Incident i) {
    Breach.Operation o = i.breach().operation();
    return i.openedAt() != 0 || o != null && (o.batchSize() > 0 || o.request() >= 0);
  }

  /** An instruction is about to run: perhaps the store that completes what is wanted. */
  private void before(Cpu cpu, Instruction i) {
    if (next == incidents.size() || i.kind0 != OperandKind.MEM && i.kind0 != OperandKind.STRING_DESTINATION) {
      return;
    }
    if (i.mnemonic == Mnemonic.CMP || i.mnemonic == Mnemonic.TEST || i.mnemonic == Mnemonic.CMPS || i.mnemonic == Mnemonic.SCAS) {
      return;
    }
    long start = incidents.get(next).openedAt();
    long bytes = OFFSET_BYTES;
    if (start == 0) {
      Breach.Operation o = incidents.get(next).breach().operation();
      boolean request = o.request() >= 0;
      start = request ? o.requestVa() : o.batchVa();
      bytes = request ? (long) WORD_BYTES * o.words().size() : ENTRY_BYTES;
    }
    long at;
    long length;
    if (i.kind0 == OperandKind.STRING_DESTINATION) {
      boolean repeated = (i.prefixes & (Instruction.REP | Instruction.REPNE)) != 0;
      at = cpu.r[Cpu.RDI];
      length = repeated ? Math.min(cpu.r[Cpu.RCX], 4096) * Math.max(1, i.width) : i.width;
    } else {
      at = cpu.ea(i);
      length = Math.max(i.memoryWidth, i.width);
    }
    if (at < start + bytes && at + length > start) {
      queued.set(next, unwinder.unwind(cpu));
    }
  }

  @Override
  public boolean opensPort(Vcpu vcpu, int port) {
    return ports.open(vcpu, port);
  }

  @Override
  public void breach(Vcpu vcpu, Breach breach) {
    if (next == incidents.size()) {
      return;
    }
    Incident wanted = incidents.get(next);
    if (vcpu.cpu.clock.now == wanted.count() && breach.rule() == wanted.breach().rule()) {
      historiesThen.add(histories.getOrDefault(wanted.breach().mfn(), new FrameHistory()).copy());
      next++;
      if (next == incidents.size()) {
        machine.stop();
      }
    }
  }
}
