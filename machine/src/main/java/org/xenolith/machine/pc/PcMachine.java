package org.xenolith.machine.pc;

import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;
import org.xenolith.machine.Board;
import org.xenolith.machine.Computer;
import org.xenolith.machine.Ending;
import org.xenolith.machine.HostMemory;
import org.xenolith.machine.Ports;
import org.xenolith.machine.Processor;
import org.xenolith.machine.RunOutcome;
import org.xenolith.machine.apic.ApicBus;

/** A plain PC with one kernel on it, from the kernel's image to the end of its run. */
public final class PcMachine extends Computer {
  /** The most processors. */
  public static final int MAX_PROCESSORS = 16;

  /** The most memory in bytes, 512 GiB. */
  public static final long MAX_MEMORY = 512L << 30;

  /** The least memory in bytes: that below 1 MiB, and as much above. */
  public static final long MIN_MEMORY = 2 << 20;

  /** The serial port, for the digest. */
  private static final int SERIAL = 0;

  /**
   * What a machine is made from.
   *
   * @param image a Linux kernel, or one with a Multiboot header
   * @param initrd its bytes, or null for none
   * @param commandLine the kernel's
   * @param memoryBytes {@link #MIN_MEMORY} to {@link #MAX_MEMORY}
   * @param processors 1 to {@link #MAX_PROCESSORS}
   * @param stopOnUnknown whether something unknown stops the run
   * @param debugExit whether port f4h ends the run
   */
  public record Setup(
      KernelImage image, byte[] initrd, String commandLine, long memoryBytes, int processors, boolean stopOnUnknown, boolean debugExit) {}

  private final HostMemory host;
  private final GuestMemory memory;
  private final Ending ending;
  private final PanicWatch panic;
  private final Processor[] processors;
  private final Uart uart;

  /** Null unless test kernels are to find it. */
  private TestDevice testDevice;

  /**
   * Makes a machine whose kernel is about to run its first instruction.
   *
   * @param sink receives what the guest prints on its serial port
   * @throws ImageException if the kernel cannot be started
   */
  public PcMachine(Setup setup, Sink sink) {
    if (setup.processors() < 1 || setup.processors() > MAX_PROCESSORS) {
      throw new IllegalArgumentException(setup.processors() + " processors");
    }
    if (setup.memoryBytes() < MIN_MEMORY || setup.memoryBytes() > MAX_MEMORY) {
      throw new IllegalArgumentException(setup.memoryBytes() + " bytes of memory");
    }
    MemoryMap map = new MemoryMap(setup.memoryBytes() & -GuestMemory.FRAME_SIZE);
    host = HostMemory.reserve(map.end());
    try {
      memory = new GuestMemory(host.segment());
      map.punch(memory);
      ending = new Ending(setup.stopOnUnknown());
      panic = new PanicWatch(ending);
      ApicBus apics = new ApicBus();
      Ports ports = new Ports(clock);
      IoApic ioApic = new IoApic(apics, ending);
      Pic pic = new Pic(apics::external);
      apics.external(pic::acknowledge);
      Board board = new Board(memory, new CodeCache(memory), clock, events, digest, ending, ports, bus(ioApic), apics);
      AmdModel model = new AmdModel(setup.processors());
      IsaInterrupts interrupts = new IsaInterrupts(pic, ioApic);
      Cmos cmos = new Cmos(clock, events, interrupts.line(8));
      WarmStart warmStart = new WarmStart(ending, memory, ports, cmos);
      processors = new Processor[setup.processors()];
      for (int n = 0; n < processors.length; n++) {
        processors[n] = new Processor(n, model, board) {
          @Override
          protected void toFirmware() {
            warmStart.enter(cpu);
          }
        };
        processors[n].cpu.pauseEndsRun = processors.length > 1;
        Firmware.memoryTypes(processors[n].cpu.msrs, model.physicalBits());
      }
      uart = new Uart(interrupts.line(Uart.IRQ), (bytes, length) -> {
        digest.console(SERIAL, bytes, length);
        sink.write(bytes, length);
        for (int n = 0; n < length; n++) {
          panic.printed(bytes[n]);
        }
      });
      cmos.memorySize(map.below4G(), map.above4G());
      cmos.attach(ports);
      warmStart.connect(List.of(processors));
      devices(ports, interrupts, pic, warmStart);
      if (setup.debugExit()) {
        new DebugExit(ending).attach(ports);
        testDevice = new TestDevice(interrupts, ioApic);
        testDevice.attach(ports);
      }
      processors[0].apic.virtualWire();
      long acpiRoot = Firmware.write(memory, processors.length);
      Cpu cpu = processors[0].cpu;
      if (startsByMultiboot(setup.image())) {
        Multiboot.load(memory, map, cpu, setup.image(), setup.initrd(), setup.commandLine());
      } else {
        LinuxBoot.load(memory, map, cpu, setup.image(), setup.initrd(), setup.commandLine(), acpiRoot);
      }
      schedule(List.of(processors));
    } catch (RuntimeException e) {
      host.close();
      throw e;
    }
  }

  private void devices(Ports ports, IsaInterrupts interrupts, Pic pic, Resets resets) {
    pic.attach(ports);
    uart.attach(ports);
    new Pit(clock, events, interrupts.line(0)).attach(ports);
    new AcpiPm(clock, events, interrupts.line(AcpiPm.IRQ), ending).attach(ports);
    new ResetPorts(resets).attach(ports);
    new KeyboardController(resets).attach(ports);
    new PciBus().attach(ports);
  }

  /** Machine addresses that are neither RAM nor a local APIC. */
  private Bus bus(IoApic ioApic) {
    return new Bus() {
      @Override
      public long read(long pa, int size) {
        if (PciBus.covers(pa)) {
          return PciBus.read(pa, size);
        }
        if (testDevice != null && TestDevice.covers(pa)) {
          return testDevice.read(pa, size);
        }
        return IoApic.covers(pa) ? ioApic.read(pa, size) : EMPTY.read(pa, size);
      }

      @Override
      public void write(long pa, int size, long value) {
        if (IoApic.covers(pa)) {
          ioApic.write(pa, size, value);
        } else if (testDevice != null && TestDevice.covers(pa)) {
          testDevice.write(pa, size, value);
        }
      }
    };
  }

  /** Whether a kernel is started by Multiboot; all others are started as Linux is. */
  public static boolean startsByMultiboot(KernelImage image) {
    return Multiboot.is(image);
  }

  // ---- Running ----

  @Override
  protected boolean hasEnded() {
    return ending.over();
  }

  @Override
  protected RunOutcome ended() {
    return panic.judge(ending.outcome());
  }

  @Override
  protected void typed(byte[] bytes) {
    uart.type(bytes);
  }

  // ---- What was seen ----

  @Override
  public List<Cpu> cpus() {
    return Stream.of(processors).map(p -> p.cpu).toList();
  }

  @Override
  public GuestMemory memory() {
    return memory;
  }

  @Override
  public String state(int processor) {
    return switch (processors[processor].state()) {
      case RUNNING -> "runnable";
      case HALTED -> "blocked";
      case WAITING -> "down";
      case SHUTDOWN -> "shut down";
    };
  }

  @Override
  public Map<String, Long> exits() {
    Map<String, Long> map = new TreeMap<>();
    for (Processor.Reason reason : Processor.Reason.values()) {
      long count = Stream.of(processors).mapToLong(p -> p.exits(reason)).sum();
      if (count != 0) {
        map.put(reason.name().toLowerCase(Locale.ROOT).replace('_', '-'), count);
      }
    }
    return Collections.unmodifiableMap(map);
  }

  @Override
  public Map<Integer, Long> faults() {
    Map<Integer, Long> map = new TreeMap<>();
    for (int n = 0; n < 256; n++) {
      int vector = n;
      long count = Stream.of(processors).mapToLong(p -> p.delivered(vector)).sum();
      if (count != 0) {
        map.put(n, count);
      }
    }
    return map;
  }

  @Override
  public void close() {
    host.close();
  }
}
