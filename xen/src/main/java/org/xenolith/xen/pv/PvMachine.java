package org.xenolith.xen.pv;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.KernelImage;
import org.xenolith.machine.Computer;
import org.xenolith.machine.HostMemory;
import org.xenolith.machine.RunDigest;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.build.PvBuilder;
import org.xenolith.xen.build.PvDomain;
import org.xenolith.xen.calls.ConsoleCalls;
import org.xenolith.xen.calls.Multicall;
import org.xenolith.xen.calls.RefusedCalls;
import org.xenolith.xen.calls.SchedCalls;
import org.xenolith.xen.calls.VcpuCalls;
import org.xenolith.xen.calls.VersionCalls;
import org.xenolith.xen.console.PvConsole;
import org.xenolith.xen.event.EventChannels;
import org.xenolith.xen.GuestFrames;
import org.xenolith.xen.grant.GrantTables;
import org.xenolith.xen.time.TimeKeeper;
import org.xenolith.xen.xenstore.GuestTree;
import org.xenolith.xen.xenstore.StoreRing;
import org.xenolith.xen.xenstore.XenStore;

/** A whole machine with Xen and one PV domain on it, from the kernel's image to the end of its run. */
public final class PvMachine extends Computer {
  /** The most vcpus: those whose state fits into struct shared_info (XEN_LEGACY_MAX_VCPUS, public header arch-x86/xen.h). */
  public static final int MAX_VCPUS = 32;

  /** The most memory in bytes, 512 GiB: what a stock Linux kernel has room for in its frame lists (CONFIG_XEN_MEMORY_HOTPLUG_LIMIT). */
  public static final long MAX_MEMORY = 512L << 30;

  private static final int DOMID = 1;

  /** The guest's consoles, for the digest: the ring, and Xen's own. */
  private static final int RING = 0, XEN_CONSOLE = 1;

  /** The event channels that the builder tells the guest: the first two that are free. */
  private static final int STORE_PORT = 1, CONSOLE_PORT = 2;

  /**
   * What a machine is made from.
   *
   * @param image the kernel
   * @param initrd its bytes, or null for none
   * @param commandLine the kernel's
   * @param memoryBytes the guest's memory
   * @param vcpus 1 to 32
   * @param seed which machine frames the guest gets
   * @param stopOnUnknown whether something unknown stops the run
   */
  public record Setup(
      KernelImage image, byte[] initrd, String commandLine, long memoryBytes, int vcpus, long seed, boolean stopOnUnknown) {}

  private final HostMemory host;
  private final Hypervisor xen;
  private final Domain domain;
  private final PvVcpu[] vcpus;
  private final PvConsole console;
  private final XenStore store = new XenStore();
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
    if (setup.vcpus() < 1 || setup.vcpus() > MAX_VCPUS || setup.memoryBytes() > MAX_MEMORY) {
      throw new IllegalArgumentException(setup.vcpus() + " vcpus and " + setup.memoryBytes() + " bytes are more than a PV guest has here");
    }
    host = HostMemory.reserve(PvBuilder.machineFrames(setup.memoryBytes()) << GuestMemory.FRAME_SHIFT);
    try {
      GuestMemory memory = new GuestMemory(host.segment());
      CodeCache code = new CodeCache(memory);
      xen = new Hypervisor(memory, clock, events, code, observer);
      xen.stopOnUnknown = setup.stopOnUnknown();
      domain = new Domain(xen, DOMID);
      domain.handle = UUID.nameUUIDFromBytes(Long.toHexString(setup.seed()).getBytes(StandardCharsets.US_ASCII));
      xen.domains.add(domain);
      vcpus = new PvVcpu[setup.vcpus()];
      Ports ports = new Ports();
      for (int n = 0; n < vcpus.length; n++) {
        CpuidPolicy policy = new CpuidPolicy(new AmdModel(), memory.frames());
        Cpu cpu = new Cpu(policy, memory, code, Bus.EMPTY, clock);
        Vcpu vcpu = new Vcpu(domain, n, cpu);
        domain.vcpus.add(vcpu);
        vcpus[n] = new PvVcpu(vcpu, ports, digest);
      }
      domain.frames = frames();
      domain.channels = new EventChannels(domain, domain.frames);
      Sink all =
          (bytes, length) -> {
            digest.console(RING, bytes, length);
            observer.console(bytes, length);
            sink.write(bytes, length);
          };
      registerHypercalls(
          (bytes, length) -> {
            digest.console(XEN_CONSOLE, bytes, length);
            log.write(bytes, length);
          });
      built = new PvBuilder(domain).build(setup.image(), setup.initrd(), setup.commandLine(), setup.memoryBytes(), setup.seed());
      // Time starts with the guest: checking its first page tables is nothing of its.
      clock.now = 0;
      GrantTables grants = new GrantTables(domain);
      grants.grantRings(built.consoleMfn(), built.storeMfn());
      holdRing(built.consoleMfn());
      holdRing(built.storeMfn());
      xen.hypercalls.set(20, grants::call);
      toolstackTree(setup).write(store);
      StoreRing ring = new StoreRing(store, DOMID, memory, built.storeMfn(), domain.channels);
      console = new PvConsole(memory, built.consoleMfn(), domain.channels, all);
      if (ring.port() != STORE_PORT || console.port() != CONSOLE_PORT) {
        throw new IllegalStateException("store and console have other ports than the guest was told");
      }
      TimeKeeper.writeWallClock(domain);
      for (Vcpu v : domain.vcpus) {
        v.time.writeSystemTime();
        // The ticker that a PV guest has until it stops it (vcpu_create, common/domain.c).
        v.time.setPeriodic(10_000_000L);
      }
      domain.vcpus.getFirst().time.enter(TimeKeeper.RUNNABLE);
      schedule(List.of(vcpus));
    } catch (RuntimeException e) {
      host.close();
      throw e;
    }
  }

  private GuestFrames frames() {
    return new GuestFrames() {
      @Override
      public long hold(long gfn) {
        return xen.mmu.getWritablePage(domain, gfn) ? gfn : -1;
      }

      @Override
      public void release(long mfn) {
        xen.mmu.putWritablePage(mfn);
      }
    };
  }

  /** Domain 0's programs map the rings for as long as the guest runs, so they cannot become page tables or another's memory. */
  private void holdRing(long mfn) {
    if (!xen.mmu.getWritablePage(domain, mfn)) {
      throw new IllegalStateException("mfn 0x%x, a ring of the domain, is not its writable memory".formatted(mfn));
    }
  }

  private void registerHypercalls(Sink sink) {
    ProcessorCalls.register(xen.hypercalls);
    new TrapCalls().register(xen.hypercalls);
    new SchedCalls(domain).register(xen.hypercalls);
    new VcpuCalls(domain).register(xen.hypercalls);
    new PhysdevCalls(domain, xen.mmu).register(xen.hypercalls);
    new VersionCalls(domain).register(xen.hypercalls);
    new ConsoleCalls(domain, sink).register(xen.hypercalls);
    new RefusedCalls(domain).register(xen.hypercalls);
    new OldCalls(domain).register(xen.hypercalls);
    new Multicall(xen.hypercalls).register();
    xen.hypercalls.set(23, (vcpu, args) -> vcpus[vcpu.id].entry.iret());
    xen.hypercalls.set(32, domain.channels::call);
  }

  private GuestTree toolstackTree(Setup setup) {
    String uuid = domain.handle.toString();
    long kib = setup.memoryBytes() >> 10;
    return new GuestTree(DOMID, "guest", uuid, kib, setup.vcpus(), built.storeMfn(), STORE_PORT, built.consoleMfn(), CONSOLE_PORT);
  }

  // ---- Running ----

  @Override
  public RunOutcome run(long maxInstructions) {
    RunOutcome outcome = super.run(maxInstructions);
    if (domain.shutdown != Domain.RUNNING) {
      console.drain();
    }
    return outcome;
  }

  @Override
  protected boolean hasEnded() {
    return domain.shutdown != Domain.RUNNING || xen.unimplemented != null;
  }

  @Override
  protected void typed(byte[] bytes) {
    console.type(bytes);
  }

  @Override
  protected RunOutcome ended() {
    if (xen.unimplemented != null) {
      return new RunOutcome(RunOutcome.Kind.UNIMPLEMENTED, xen.unimplemented);
    }
    return switch (domain.shutdown) {
      case Domain.RUNNING -> null;
      case Domain.SHUTDOWN_POWEROFF -> new RunOutcome(RunOutcome.Kind.POWEROFF, "the guest powered off");
      case Domain.SHUTDOWN_REBOOT -> new RunOutcome(RunOutcome.Kind.REBOOT, "the guest asked for a reboot");
      case Domain.SHUTDOWN_SUSPEND -> new RunOutcome(RunOutcome.Kind.SUSPEND, "the guest suspended itself");
      case Domain.SHUTDOWN_WATCHDOG -> new RunOutcome(RunOutcome.Kind.CRASH, "the guest's watchdog fired");
      default -> {
        String why = domain.crashReason;
        yield new RunOutcome(RunOutcome.Kind.CRASH, why != null ? why : "the guest shut down with reason " + domain.shutdown);
      }
    };
  }

  // ---- What was seen ----

  /** The hypervisor, for whoever looks at the end of a run. */
  public Hypervisor xen() {
    return xen;
  }

  /** The domain. */
  public Domain domain() {
    return domain;
  }

  /** Where the builder put what the domain started with. */
  public PvDomain built() {
    return built;
  }

  @Override
  public List<Cpu> cpus() {
    return domain.vcpus.stream().map(v -> v.cpu).toList();
  }

  @Override
  public GuestMemory memory() {
    return xen.memory;
  }

  @Override
  public String state(int processor) {
    return vcpus[processor].vcpu.state.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public Map<String, Long> hypercalls() {
    return xen.hypercalls.counts();
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

  @Override
  public void close() {
    host.close();
  }
}
