package org.xenolith.app;

import java.nio.file.Path;
import org.xenolith.image.KernelImage;
import org.xenolith.insight.gdb.GdbAddress;
import org.xenolith.machine.pc.PcMachine;
import org.xenolith.xen.XenMachine;
import org.xenolith.xen.pv.PvMachine;
import picocli.CommandLine.Option;

/** The options of every command that boots a kernel. */
final class BootOptions {
  /** How a kernel is booted. */
  enum Mode {
    pv,
    pvh,
    bare
  }

  /** What runs the guest's instructions. */
  enum Engine {
    auto,
    translator,
    interpreter,
    lockstep
  }

  /** What happens at something that is not implemented. */
  enum Unknown {
    stop,
    fault
  }

  /** The form of the summary at the end. */
  enum Summary {
    text,
    json,
    none
  }

  @Option(
      names = "--mode",
      paramLabel = "MODE",
      defaultValue = "pv",
      description = "pv: as an unprivileged Xen PV guest; pvh: as a Xen guest in a hardware container; bare: on a plain PC "
          + "(default: ${DEFAULT-VALUE}).")
  Mode mode;

  @Option(
      names = "--engine",
      paramLabel = "ENGINE",
      defaultValue = "auto",
      description = "translator (x86-64 Linux hosts), interpreter, auto (the faster one that this host can run), or lockstep: both, "
          + "compared (default: ${DEFAULT-VALUE}).")
  Engine engine;

  @Option(
      names = "--initrd",
      paramLabel = "FILE",
      description = "The guest's initrd, given to it as it is; without it, an initramfs with busybox whose init prints GUEST-READY "
          + "and powers off.")
  Path initrd;

  @Option(
      names = "--append",
      paramLabel = "STRING",
      defaultValue = "",
      description = "Added to the kernel's command line, which begins \"" + PV_CONSOLE + "\", on a plain PC \"" + PC_CONSOLE
          + "\", and for a Multiboot kernel with nothing.")
  String append;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      defaultValue = "512M",
      converter = SizeConverter.class,
      description = "The guest's memory (default: ${DEFAULT-VALUE}).")
  long memoryBytes;

  @Option(names = "--vcpus", paramLabel = "N", defaultValue = "1", description = "The guest's processors (default: ${DEFAULT-VALUE}).")
  int vcpus;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "0",
      description = "Where the guest's randomness comes from (default: ${DEFAULT-VALUE}).")
  long seed;

  @Option(
      names = "--max-instructions",
      paramLabel = "N",
      description = "End the run after so many counts, with status 5: one each for an instruction, an exit and an event.")
  Long maxInstructions;

  @Option(
      names = "--stop-at",
      paramLabel = "N",
      description = "End the run at that count, with status 5, and show the registers, the last branches and the page walk of rip.")
  Long stopAt;

  @Option(
      names = "--debug-exit",
      description = "A port for test kernels, 0xf4, that ends the run of a plain PC: 0 written there is success, all else a crash. "
              + "Beside it, what QEMU's pc-testdev has: interrupt lines by ports 0x2000 to 0x2017, and memory at 0xff000000.")
  boolean debugExit;

  @Option(
      names = "--unknown",
      paramLabel = "WHAT",
      defaultValue = "stop",
      description = "stop or fault: whether what is not implemented ends the run, or is a fault to the guest (default: ${DEFAULT-VALUE}).")
  Unknown unknown;

  @Option(names = "--report", paramLabel = "FILE", description = "Write a report of the run; the ending tells the form, .json or .html.")
  Path report;

  @Option(names = "--trace", paramLabel = "FILE", description = "Write every instruction with the registers it changed, one a line.")
  Path trace;

  @Option(
      names = "--page-tables",
      paramLabel = "FILE",
      description = "Write what the kernel's page tables map when the run ends: ranges with their frames and rights, one a line.")
  Path pageTables;

  @Option(
      names = "--gdb",
      paramLabel = "PORT|SOCKET",
      description = "Wait for gdb before the first instruction, at a TCP port of this host alone (0 takes a free one) or a Unix socket. "
          + "What gdb only looks at does not change the run.")
  String gdb;

  @Option(
      names = "--summary",
      paramLabel = "FORM",
      defaultValue = "text",
      description = "The last thing on standard output: text, json (one line) or none (default: ${DEFAULT-VALUE}).")
  Summary summary;

  @Option(
      names = "--shell",
      description = "A busybox shell as the guest's init, the keyboard connected to its console. Ctrl-] leaves it, 'exit' powers off. "
          + "With --initrd, only the keyboard is connected.")
  boolean shell;

  @Option(names = "--quiet", description = "No console; how far the run is, on standard error instead.")
  boolean quiet;

  /** What the command line of a guest begins with: its console is the PV console, or a PC's serial port. */
  private static final String PV_CONSOLE = "console=hvc0", PC_CONSOLE = "console=ttyS0";

  /** The command line word for word, where a configuration file gives one; else null. */
  String exactCommandLine;

  /** What else a configuration file says of the domain; null: nothing. */
  XenMachine.Settings settings;

  /** The command line of a kernel. One with a Multiboot header is not Linux, and knows no console. */
  String commandLine(KernelImage image) {
    if (exactCommandLine != null) {
      return exactCommandLine;
    }
    if (mode == Mode.bare && PcMachine.startsByMultiboot(image)) {
      return append.strip();
    }
    String console = mode == Mode.bare ? PC_CONSOLE : PV_CONSOLE;
    return append.isBlank() ? console : console + " " + append.strip();
  }

  /** @throws CommandFailure if an option asks for what cannot be, or what this version does not have */
  void check() {
    String guest = switch (mode) {
      case bare -> "a plain PC";
      case pv -> "a PV guest";
      case pvh -> "a PVH guest";
    };
    int mostVcpus = mode == Mode.bare ? PcMachine.MAX_PROCESSORS : PvMachine.MAX_VCPUS;
    if (vcpus < 1 || vcpus > mostVcpus) {
      throw CommandFailure.unusable("--vcpus %d: %s has 1 to %d".formatted(vcpus, guest, mostVcpus), "leave the option away for one");
    }
    long mostMemory = mode == Mode.bare ? PcMachine.MAX_MEMORY : PvMachine.MAX_MEMORY;
    if (memoryBytes > mostMemory) {
      throw CommandFailure.unusable(
          "--memory of %d MiB: %s has at most %d".formatted(memoryBytes >> 20, guest, mostMemory >> 20), "give it less");
    }
    if (mode == Mode.bare && memoryBytes < PcMachine.MIN_MEMORY) {
      throw CommandFailure.unusable("--memory of %d KiB: too little for a PC".formatted(memoryBytes >> 10), "give it more");
    }
    if (pageTables != null && mode != Mode.pv) {
      throw CommandFailure.unusable("--page-tables: only a PV guest's are Xen's to look at", "boot with --mode pv, or leave it away");
    }
    if (debugExit && mode != Mode.bare) {
      throw CommandFailure.unusable("--debug-exit: only a plain PC has that port", "boot with --mode bare, or leave the option away");
    }
    gdbAddress();
    requirePositive("--max-instructions", maxInstructions);
    requirePositive("--stop-at", stopAt);
    if (shell && quiet) {
      throw CommandFailure.unusable("--shell and --quiet: a shell needs the console that --quiet takes away", "leave one of them away");
    }
  }

  /** Where a debugger finds the guest, or null. */
  GdbAddress gdbAddress() {
    try {
      return gdb == null ? null : GdbAddress.parse(gdb);
    } catch (IllegalArgumentException e) {
      throw CommandFailure.unusable("--gdb " + gdb + ": " + e.getMessage(),
          "give a port of this host, or the path of a Unix socket to make");
    }
  }

  /** How many counts the guest may run for. */
  long limit() {
    long most = maxInstructions == null ? Long.MAX_VALUE : maxInstructions;
    return stopAt == null ? most : Math.min(most, stopAt);
  }

  private static void requirePositive(String option, Long value) {
    if (value != null && value < 1) {
      throw CommandFailure.unusable(option + " " + value + ": it is a number of instructions, from 1", "leave the option away for no end");
    }
  }
}
