package org.xenolith.xen;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.function.Function;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.KernelImage;
import org.xenolith.machine.Computer;
import org.xenolith.machine.HostMemory;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.calls.ConsoleCalls;
import org.xenolith.xen.calls.Multicall;
import org.xenolith.xen.calls.RefusedCalls;
import org.xenolith.xen.calls.SchedCalls;
import org.xenolith.xen.calls.VcpuCalls;
import org.xenolith.xen.calls.VersionCalls;
import org.xenolith.xen.console.PvConsole;
import org.xenolith.xen.event.EventChannels;
import org.xenolith.xen.grant.GrantTables;
import org.xenolith.xen.mm.PvMmu;
import org.xenolith.xen.time.TimeKeeper;
import org.xenolith.xen.xenstore.GuestTree;
import org.xenolith.xen.xenstore.StoreRing;
import org.xenolith.xen.xenstore.XenStore;

/** A whole machine with Xen and one domain on it, from the kernel's image to the end of its run, whatever the domain's kind. */
public abstract class XenMachine extends Computer {
  /** The most vcpus: those whose state fits into struct shared_info (XEN_LEGACY_MAX_VCPUS, public header arch-x86/xen.h). */
  public static final int MAX_VCPUS = 32;

  /** The most memory in bytes, 512 GiB: what a stock Linux kernel has room for in its frame lists (CONFIG_XEN_MEMORY_HOTPLUG_LIMIT). */
  public static final long MAX_MEMORY = 512L << 30;

  protected static final int DOMID = 1;

  /** The guest's consoles, for the digest: the ring, and Xen's own. */
  private static final int RING = 0, XEN_CONSOLE = 1;

  /** The event channels that the builder tells the guest: the first two that are free. */
  protected static final int STORE_PORT = 1, CONSOLE_PORT = 2;

  /**
   * What a machine is made from.
   *
   * @param image the kernel
   * @param initrd its bytes, or null for none
   * @param commandLine the kernel's
   * @param memoryBytes the guest's memory
   * @param vcpus 1 to {@link #MAX_VCPUS}
   * @param seed which machine frames the guest gets, and what the ABI leaves open
   * @param stopOnUnknown whether something unknown stops the run
   * @param settings the rest of the domain's configuration
   */
  public record Setup(
      KernelImage image, byte[] initrd, String commandLine, long memoryBytes, int vcpus, long seed, boolean stopOnUnknown,
      Settings settings) {

    /** With the usual settings. */
    public Setup(KernelImage image, byte[] initrd, String commandLine, long memoryBytes, int vcpus, long seed, boolean stopOnUnknown) {
      this(image, initrd, commandLine, memoryBytes, vcpus, seed, stopOnUnknown, Settings.usual("guest", memoryBytes, vcpus));
    }
  }

  /**
   * What a toolstack lets its user say of a domain, beyond what every domain must have.
   *
   * @param name in the store
   * @param maxMemoryBytes what the memory map of a PV domain has room for, at least its memory (xl's maxmem)
   * @param onlineVcpus so many of the vcpus, the first, are online at the start; the others the toolstack may add (xl's vcpus, where there
   *     is a maxvcpus)
   * @param msrRelaxed registers that the processor has and Xen does not answer for read as 0 and swallow what is written (xl's msr_relaxed)
   */
  public record Settings(String name, long maxMemoryBytes, int onlineVcpus, boolean msrRelaxed) {
    /** Of a domain that has all at once, and no more. */
    public static Settings usual(String name, long memoryBytes, int vcpus) {
      return new Settings(name, memoryBytes, vcpus, false);
    }
  }

  protected final Hypervisor xen;
  protected final Domain domain;
  protected final CodeCache code;
  private final HostMemory host;
  private final XenStore store = new XenStore();
  private PvConsole console;

  /**
   * Makes a machine whose domain has neither memory nor vcpus yet. Who then fails to build it closes the machine.
   *
   * @param frames makes what translates a container's frame numbers; null for a PV domain
   */
  protected XenMachine(Setup setup, Observer observer, Function<Domain, GuestFrames> frames) {
    if (setup.vcpus() < 1 || setup.vcpus() > MAX_VCPUS || setup.memoryBytes() > MAX_MEMORY) {
      throw new IllegalArgumentException(setup.vcpus() + " vcpus and " + setup.memoryBytes() + " bytes are more than a guest has here");
    }
    host = HostMemory.reserve(PvMmu.machineFrames(setup.memoryBytes() >>> GuestMemory.FRAME_SHIFT) << GuestMemory.FRAME_SHIFT);
    try {
      GuestMemory memory = new GuestMemory(host.segment());
      code = new CodeCache(memory);
      xen = new Hypervisor(memory, clock, events, code, observer);
      xen.stopOnUnknown = setup.stopOnUnknown();
      domain = frames == null ? new Domain(xen, DOMID) : new Domain(xen, DOMID, frames);
      domain.handle = UUID.nameUUIDFromBytes(Long.toHexString(setup.seed()).getBytes(StandardCharsets.US_ASCII));
      domain.msrRelaxed = setup.settings().msrRelaxed();
      xen.domains.add(domain);
    } catch (RuntimeException e) {
      host.close();
      throw e;
    }
  }

  /** Makes the domain's event channels and registers the hypercalls that every domain has; to be called when it has its vcpus. */
  protected final void registerHypercalls(Sink log) {
    domain.channels = new EventChannels(domain, domain.frames);
    new SchedCalls(domain).register(xen.hypercalls);
    new VcpuCalls(domain).register(xen.hypercalls);
    new VersionCalls(domain).register(xen.hypercalls);
    new ConsoleCalls(domain, log).register(xen.hypercalls);
    new RefusedCalls(domain).register(xen.hypercalls);
    new Multicall(xen.hypercalls).register();
    xen.hypercalls.set(32, domain.channels::call);
  }

  /** What the guest writes to Xen's own console goes to {@code log}, and into the digest. */
  protected final Sink xenConsole(Sink log) {
    return (bytes, length) -> {
      digest.console(XEN_CONSOLE, bytes, length);
      log.write(bytes, length);
    };
  }

  /**
   * Connects the domain to domain 0's programs, as the toolstack does when it has built it.
   *
   * @param type of the guest, as a toolstack names it
   * @param storeFrame the frame of the store's ring as the guest names it; {@code consoleFrame} likewise
   * @param sink receives what the guest prints on its console's ring
   */
  protected final void connect(Setup setup, String type, GrantTables grants, long storeFrame, long consoleFrame, Sink sink) {
    grants.grantRings(consoleFrame, storeFrame);
    long consoleMfn = holdRing(consoleFrame);
    long storeMfn = holdRing(storeFrame);
    String uuid = domain.handle.toString();
    Settings settings = setup.settings();
    GuestTree.Size size =
        new GuestTree.Size(setup.memoryBytes() >> 10, settings.maxMemoryBytes() >> 10, setup.vcpus(), settings.onlineVcpus());
    new GuestTree(DOMID, type, settings.name(), uuid, size, storeFrame, STORE_PORT, consoleFrame, CONSOLE_PORT).write(store);
    StoreRing ring = new StoreRing(store, DOMID, xen.memory, storeMfn, domain.channels);
    console = new PvConsole(xen.memory, consoleMfn, domain.channels, (bytes, length) -> {
      digest.console(RING, bytes, length);
      xen.observer.console(bytes, length);
      sink.write(bytes, length);
    });
    if (ring.port() != STORE_PORT || console.port() != CONSOLE_PORT) {
      throw new IllegalStateException("store and console have other ports than the guest was told");
    }
    TimeKeeper.writeWallClock(domain);
    domain.vcpus.forEach(v -> v.time.writeSystemTime());
  }

  /** Domain 0's programs map the rings for as long as the guest runs, so they cannot become page tables or another's memory. */
  private long holdRing(long frame) {
    long mfn = domain.frames.hold(frame);
    if (mfn < 0) {
      throw new IllegalStateException("frame 0x%x, a ring of the domain, is not its writable memory".formatted(frame));
    }
    return mfn;
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
    return domain.vcpus.get(processor).state.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public Map<String, Long> hypercalls() {
    return xen.hypercalls.counts();
  }

  @Override
  public void close() {
    host.close();
  }
}
