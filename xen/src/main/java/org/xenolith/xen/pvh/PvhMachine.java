package org.xenolith.xen.pvh;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Msrs;
import org.xenolith.isa.Instruction;
import org.xenolith.machine.Board;
import org.xenolith.machine.Ending;
import org.xenolith.machine.Ports;
import org.xenolith.machine.RunOutcome;
import org.xenolith.machine.apic.ApicBus;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestFrames;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Observer;
import org.xenolith.xen.XenMachine;
import org.xenolith.xen.grant.GrantTables;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.time.TimeKeeper;

/** A whole machine with Xen and one domain in a hardware container on it, from the kernel's image to the end of its run. */
public final class PvhMachine extends XenMachine {
  private static final int MEMORY_OP = 12, GRANT_TABLE_OP = 20, MMUEXT_OP = 26, PHYSDEV_OP = 33, HVM_OP = 34;

  /** Hypercalls that a container has not (hypercall-defs.c): those about page tables, traps and what else Xen does for a PV kernel. */
  private static final int[] ABSENT = {0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 14, 16, 19, 22, 23, 25, 28, 30, 31, 37, 48};

  /** MTRR_DEF_TYPE as the toolstack sets it: enabled, write-back. */
  private static final long WRITE_BACK = 1 << 11 | 6;

  /** X86_DR6_DEFAULT and X86_DR7_DEFAULT. */
  private static final long DR6_RESET = 0xffff_0ff0L, DR7_RESET = 0x400;

  /** Where Xen prints what a container writes to a port byte by byte (XEN_HVM_DEBUGCONS_IOPORT). */
  private static final int DEBUG_CONSOLE = 0xe9;

  private final List<PvhVcpu> vcpus = new ArrayList<>();
  private final List<ContainerCpuid> policies = new ArrayList<>();
  private final Ending ending;
  private final P2m p2m;
  private final PvhDomain built;

  /** What makes a container's frame numbers; set before the domain is. */
  private static final class Frames {
    P2m p2m;
    Physmap physmap;
    Unspecified unspecified;

    GuestFrames make(Domain domain, Setup setup) {
      unspecified = new Unspecified(domain.xen.memory, setup.seed());
      p2m = new P2m(PvhBuilder.tables(setup.memoryBytes(), setup.vcpus()), unspecified::touch, unspecified::isFresh);
      physmap = new Physmap(domain, p2m);
      return physmap;
    }
  }

  /**
   * Makes a machine with a domain that is about to run its first instruction.
   *
   * @param sink receives what the guest prints on its console's ring
   * @param log receives what the guest writes to Xen's own console (console_io, port e9h)
   * @param observer sees what Xen does
   * @throws org.xenolith.xen.build.BuildException if the domain cannot be built
   */
  public PvhMachine(Setup setup, Sink sink, Sink log, Observer observer) {
    this(setup, sink, log, observer, new Frames());
  }

  private PvhMachine(Setup setup, Sink sink, Sink log, Observer observer, Frames frames) {
    super(setup, observer, domain -> frames.make(domain, setup));
    try {
      p2m = frames.p2m;
      ending = new Ending(setup.stopOnUnknown());
      Ports ports = new Ports(clock);
      Board board = new Board(xen.memory, code, clock, events, digest, ending, ports, Bus.EMPTY, new ApicBus());
      EventInterrupts interrupts = new EventInterrupts(vcpus, setup.vcpus());
      AmdModel machine = new AmdModel(setup.vcpus());
      Scratch scratch = new Scratch(domain);
      for (int n = 0; n < setup.vcpus(); n++) {
        ContainerCpuid policy = new ContainerCpuid(machine, DOMID, n);
        PvhVcpu vcpu = new PvhVcpu(n, domain, policy, board, p2m, scratch, interrupts);
        policy.apic(vcpu.apic::enabled);
        policies.add(policy);
        vcpus.add(vcpu);
        domain.vcpus.add(vcpu.vcpu);
      }
      HvmParams params = new HvmParams();
      Sink xenLog = xenConsole(log);
      ports.add(DEBUG_CONSOLE, 1, new DebugConsole(xenLog));
      registerHypercalls(xenLog);
      built = new PvhBuilder(domain, p2m, frames.unspecified, setup.settings().onlineVcpus())
          .build(setup.image(), setup.initrd(), setup.commandLine(), setup.memoryBytes(), setup.seed(), params);
      clock.now = 0;
      GrantTables grants = new GrantTables(domain, frames.physmap);
      registerOwnHypercalls(params, interrupts, frames.physmap, grants);
      connect(setup, "pvh", grants, params.value(HvmParams.STORE_PFN), params.value(HvmParams.CONSOLE_PFN), sink);
      params.put(HvmParams.STORE_EVTCHN, STORE_PORT);
      params.put(HvmParams.CONSOLE_EVTCHN, CONSOLE_PORT);
      start(frames.unspecified);
      schedule(vcpus);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private void registerOwnHypercalls(HvmParams params, EventInterrupts interrupts, Physmap physmap, GrantTables grants) {
    Hypercalls calls = xen.hypercalls;
    for (int number : ABSENT) {
      calls.set(number, null);
    }
    calls.set(MEMORY_OP, new MemoryCalls(domain, physmap, grants::frameToMap));
    calls.set(GRANT_TABLE_OP, (vcpu, args) -> grantable((int) args[0]) ? grants.call(vcpu, args) : -Errno.ENOSYS);
    calls.set(HVM_OP, new HvmCalls(domain, params, interrupts, p2m));
    // Interrupt lines of devices are mapped to events only where a toolstack asks for that (XENFEAT_hvm_pirqs); all else is domain 0's.
    calls.set(PHYSDEV_OP, (vcpu, args) -> -Errno.ENOSYS);
    calls.set(MMUEXT_OP, (vcpu, args) -> mmuextOp((int) args[3]));
  }

  /** A container may pin the page tables of a PV domain that it controls, which is none (do_mmuext_op, arch/x86/mm.c). */
  private static long mmuextOp(int foreignDomain) {
    return switch (foreignDomain & 0xffff) {
      case 0x7ff0 -> -Errno.EINVAL;
      case 0, FrameTable.DOMID_IO, FrameTable.DOMID_XEN -> -Errno.EPERM;
      default -> -Errno.ESRCH;
    };
  }

  /** hvm_grant_table_op: map, unmap, setup_table, copy, query_size, set_version, get_version, swap. */
  private static boolean grantable(int operation) {
    return switch (operation) {
      case 0, 1, 2, 5, 6, 8, 10, 11 -> true;
      default -> false;
    };
  }

  /** The first vcpu's state (vcpu_hvm, xg_dom_x86.c): 32-bit protected mode without paging, flat segments, the start info in ebx. */
  private void start(Unspecified unspecified) {
    PvhVcpu first = vcpus.getFirst();
    Cpu cpu = first.cpu;
    unspecified.registers(cpu);
    cpu.rip = built.entry();
    cpu.r[Cpu.RBX] = built.startInfo();
    cpu.cpl = 0;
    cpu.cr0 = Cpu.CR0_PE | 0x10;
    cpu.cr3 = 0;
    cpu.cr4 = 0;
    cpu.efer = 0;
    flat(cpu, Instruction.CS, 0xc09b);
    flat(cpu, Instruction.DS, 0xc093);
    flat(cpu, Instruction.ES, 0xc093);
    flat(cpu, Instruction.SS, 0xc093);
    cpu.taskBase = 0;
    cpu.taskLimit = 0x67;
    cpu.taskAccess = 0x8b;
    cpu.ldtSelector = 0;
    cpu.ldtAccess = 0;
    cpu.dr[6] = DR6_RESET;
    cpu.dr[7] = DR7_RESET;
    cpu.refresh();
    for (PvhVcpu v : vcpus) {
      v.cpu.msrs.write(Msrs.MTRR_DEF_TYPE, WRITE_BACK);
    }
    first.vcpu.initialised = true;
    first.vcpu.state = org.xenolith.xen.Vcpu.State.RUNNABLE;
    first.vcpu.time.enter(TimeKeeper.RUNNABLE);
  }

  private static void flat(Cpu cpu, int segment, int access) {
    cpu.segmentBase[segment] = 0;
    cpu.segmentLimit[segment] = -1;
    cpu.segmentAccess[segment] = access;
  }

  // ---- Running ----

  @Override
  protected boolean hasEnded() {
    return ending.over() || super.hasEnded();
  }

  @Override
  protected RunOutcome ended() {
    RunOutcome own = super.ended();
    return own != null ? own : ending.outcome();
  }

  // ---- What was seen ----

  /** Where the builder put what the domain started with. */
  public PvhDomain built() {
    return built;
  }

  /** The second stage of translation. */
  public P2m p2m() {
    return p2m;
  }

  @Override
  public Map<String, Long> exits() {
    Map<String, Long> map = new TreeMap<>();
    vcpus.forEach(v -> v.addExits(map));
    long cpuid = policies.stream().mapToLong(p -> p.executed).sum();
    if (cpuid != 0) {
      map.put("cpuid", cpuid);
    }
    return map;
  }

  @Override
  public Map<Integer, Long> faults() {
    Map<Integer, Long> map = new TreeMap<>();
    for (PvhVcpu v : vcpus) {
      for (int n = 0; n < 256; n++) {
        if (v.delivered(n) != 0) {
          map.merge(n, v.delivered(n), Long::sum);
        }
      }
    }
    return map;
  }
}
