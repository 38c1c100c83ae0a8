package org.xenolith.xen.pv;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.machine.RunDigest;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.XenMachine;
import org.xenolith.xen.build.PvBuilder;
import org.xenolith.xen.build.PvDomain;
import org.xenolith.xen.grant.GrantTables;
import org.xenolith.xen.time.TimeKeeper;

/** A whole machine with Xen and one PV domain on it, from the kernel's image to the end of its run. */
public final class PvMachine extends XenMachine {
  private final PvVcpu[] vcpus;
  private final PvDomain built;

  /**
   * Makes a machine with a domain that is about to run its first instruction.
   *
   * @param sink receives what the guest prints on its console's ring
   * @param log receives what the guest writes to Xen's own console (console_io); some guests print everything on both
   * @param observer sees what Xen does
   * @throws org.xenolith.xen.build.BuildException if the domain cannot be built
   */
  public PvMachine(Setup setup, Sink sink, Sink log, Observer observer) {
    super(setup, observer, null);
    try {
      GuestMemory memory = xen.memory;
      vcpus = new PvVcpu[setup.vcpus()];
      Ports ports = new Ports();
      for (int n = 0; n < vcpus.length; n++) {
        CpuidPolicy policy = new CpuidPolicy(new AmdModel(), memory.frames());
        Cpu cpu = new Cpu(policy, memory, code, Bus.EMPTY, clock);
        Vcpu vcpu = new Vcpu(domain, n, cpu);
        domain.vcpus.add(vcpu);
        vcpus[n] = new PvVcpu(vcpu, ports, digest);
      }
      registerHypercalls(xenConsole(log));
      registerOwnHypercalls();
      built = new PvBuilder(domain).maxMemory(setup.settings().maxMemoryBytes())
          .build(setup.image(), setup.initrd(), setup.commandLine(), setup.memoryBytes(), setup.seed());
      // Time starts with the guest: checking its first page tables is nothing of its.
      clock.now = 0;
      GrantTables grants = new GrantTables(domain);
      xen.hypercalls.set(20, grants::call);
      connect(setup, "pv", grants, built.storeMfn(), built.consoleMfn(), sink);
      // The ticker that a PV guest has until it stops it (vcpu_create, common/domain.c).
      domain.vcpus.forEach(v -> v.time.setPeriodic(10_000_000L));
      domain.vcpus.getFirst().time.enter(TimeKeeper.RUNNABLE);
      schedule(List.of(vcpus));
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private void registerOwnHypercalls() {
    ProcessorCalls.register(xen.hypercalls);
    new TrapCalls().register(xen.hypercalls);
    new PhysdevCalls(domain, xen.mmu).register(xen.hypercalls);
    new OldCalls(domain).register(xen.hypercalls);
    xen.hypercalls.set(23, (vcpu, args) -> vcpus[vcpu.id].entry.iret());
  }

  // ---- What was seen ----

  /** Where the builder put what the domain started with. */
  public PvDomain built() {
    return built;
  }

  @Override
  public Map<String, Long> exits() {
    Map<String, Long> map = new TreeMap<>();
    for (PvVcpu v : vcpus) {
      for (PvVcpu.Reason reason : PvVcpu.Reason.values()) {
        long count = v.exits[reason.ordinal()];
        if (count != 0) {
          map.merge(reason.name().toLowerCase(Locale.ROOT).replace('_', '-'), count, Long::sum);
        }
      }
      if (v.entry.upcalls != 0) {
        map.merge("upcall", v.entry.upcalls, Long::sum);
      }
    }
    return map;
  }

  @Override
  public Map<Integer, Long> faults() {
    Map<Integer, Long> map = new TreeMap<>();
    for (PvVcpu v : vcpus) {
      for (int n = 0; n < 256; n++) {
        if (v.entry.delivered[n] != 0) {
          map.merge(n, v.entry.delivered[n], Long::sum);
        }
      }
    }
    return map;
  }

  @Override
  protected void digestEnd(RunDigest digest) {
    for (PvVcpu v : vcpus) {
      digest.delivered(v.entry.deliveries);
    }
  }
}
