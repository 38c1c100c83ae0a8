package org.xenolith.insight.gdb;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.xenolith.cpu.Breakpoints;
import org.xenolith.cpu.Cpu;
import org.xenolith.machine.Computer;

/**
 * Answers a debugger's packets while the machine stands still (GDB manual, "Packets", "General Query Packets", "Stop Reply Packets").
 * Thread n is vCPU n - 1. What is not here is answered by an empty packet, as the protocol wants.
 */
final class GdbCommands {
  private static final String OK = "OK", UNKNOWN = "";

  /** Error numbers as gdb prints them; it reads no meaning into them. */
  private static final String BAD_ADDRESS = "E0e", BAD_REQUEST = "E16", TOO_MANY = "E1c";

  /** Blocks look at the former, each access at the latter. */
  private static final int MOST_BREAKPOINTS = 1000, MOST_WATCHPOINTS = 64;

  /** The most that one packet reads or shows, in bytes of memory or of text. */
  private static final int MOST_BYTES = PacketReader.MAX_PACKET / 2 - 16;

  /** Reading and writing by physical and machine address, and the query for it, are asked for by QEMU's name. */
  private static final String PHYSICAL_MODE = "qqemu.PhyMemMode", SET_PHYSICAL_MODE = "Qqemu.PhyMemMode:";

  private final GdbStub stub;
  private final Computer machine;
  private final Breakpoints points;
  private final Monitor monitor;

  private final Set<Long> software = new HashSet<>();
  private final Set<Long> hardware = new HashSet<>();
  private Stop stop = Stop.trap(0);
  private int selected;
  private AddressSpace space = AddressSpace.VIRTUAL;
  private boolean tellsSoftware, tellsHardware;

  GdbCommands(GdbStub stub, Computer machine, Breakpoints points, Monitor monitor) {
    this.stub = stub;
    this.machine = machine;
    this.points = points;
    this.monitor = monitor;
    monitor.add(
        "memory [virtual|physical|machine]", "what addresses of memory mean to x, print, set from now on", (cpu, words) -> memory(words));
  }

  /** A new debugger: nothing of the last one's is left. */
  void attached() {
    software.clear();
    hardware.clear();
    space = AddressSpace.VIRTUAL;
    tellsSoftware = false;
    tellsHardware = false;
  }

  /** The machine stands still, and this is why. */
  void stopped(Stop why) {
    stop = why;
    selected = why.processor();
  }

  // ---- Stops ----

  Stop breakpoint(Cpu cpu) {
    boolean soft = software.contains(cpu.codeAddress(cpu.rip));
    String why = soft && tellsSoftware ? "swbreak:;" : !soft && tellsHardware ? "hwbreak:;" : "";
    return new Stop(stub.number(cpu), Stop.TRAP, why);
  }

  Stop watchpoint(Breakpoints.Hit hit) {
    String kind = !hit.point().reads() ? "watch" : hit.point().writes() ? "awatch" : "rwatch";
    // gdb looks for the watchpoint by an address in it.
    long address = Math.max(hit.va(), hit.point().va());
    return new Stop(stub.number(hit.processor()), Stop.TRAP, "%s:%x;".formatted(kind, address));
  }

  String stopReply() {
    Cpu cpu = machine.cpus().get(stop.processor());
    StringBuilder reply = new StringBuilder("T%02xthread:%x;%s".formatted(stop.signal(), stop.processor() + 1, stop.why()));
    for (int n : new int[] {TargetRegisters.RBP, TargetRegisters.RSP, TargetRegisters.RIP}) {
      reply.append("%02x:%s;".formatted(n, Hex.of(TargetRegisters.read(cpu, n))));
    }
    return reply.toString();
  }

  // ---- Packets ----

  /** The answer to a packet, or null where none is due (now). */
  String answer(String packet) {
    try {
      return packet.isEmpty() ? UNKNOWN : dispatch(packet, packet.substring(1));
    } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
      return BAD_REQUEST;
    }
  }

  private String dispatch(String packet, String rest) {
    return switch (packet.charAt(0)) {
      case '?' -> stopReply();
      case 'g' -> Hex.of(TargetRegisters.read(cpu()));
      case 'G' -> writeAllRegisters(rest);
      case 'p' -> readRegister(rest);
      case 'P' -> writeRegister(rest);
      case 'm' -> readMemory(rest);
      case 'x' -> readBinary(rest);
      case 'M' -> writeMemory(rest, Hex.bytes(rest.substring(rest.indexOf(':') + 1)));
      case 'X' -> writeMemory(rest, rest.substring(rest.indexOf(':') + 1).getBytes(StandardCharsets.ISO_8859_1));
      case 'Z' -> breakpoint(rest, true);
      case 'z' -> breakpoint(rest, false);
      case 'H' -> select(rest);
      case 'T' -> processor(rest) >= 0 ? OK : BAD_REQUEST;
      case 'c' -> resume(rest, false);
      case 's' -> resume(rest, true);
      case 'C' -> resume(afterSignal(rest), false);
      case 'S' -> resume(afterSignal(rest), true);
      case 'D' -> detach();
      case 'k' -> kill(null);
      case 'v' -> verbose(packet);
      case 'q' -> query(packet);
      case 'Q' -> set(packet);
      default -> UNKNOWN;
    };
  }

  private Cpu cpu() {
    return machine.cpus().get(selected);
  }

  // ---- Threads ----

  /** The processor of a thread id, -1 if there is no such; for "any" and "all" the one that gdb looks at. */
  private int processor(String id) {
    if (id.equals("-1") || id.equals("0")) {
      return selected;
    }
    long thread = Hex.number(id);
    return thread > 0 && thread <= machine.cpus().size() ? (int) thread - 1 : -1;
  }

  private String select(String rest) {
    int wanted = processor(rest.substring(1));
    if (wanted < 0) {
      return BAD_REQUEST;
    }
    // For 'c' packets ("Hc") the processor that stopped is meant anyway.
    if (rest.charAt(0) == 'g') {
      selected = wanted;
    }
    return OK;
  }

  private String threads() {
    StringBuilder ids = new StringBuilder("m");
    for (int n = 1; n <= machine.cpus().size(); n++) {
      ids.append(n > 1 ? "," : "").append(Integer.toHexString(n));
    }
    return ids.toString();
  }

  private String threadList() {
    StringBuilder xml = new StringBuilder("<?xml version=\"1.0\"?>\n<threads>\n");
    for (int n = 0; n < machine.cpus().size(); n++) {
      xml.append("<thread id=\"%x\" core=\"%d\" name=\"vcpu%2$d\">%s</thread>\n".formatted(n + 1, n, machine.state(n)));
    }
    return xml.append("</threads>\n").toString();
  }

  // ---- Registers ----

  private String readRegister(String rest) {
    long n = Hex.number(rest);
    return n >= 0 && n < TargetRegisters.count() ? Hex.of(TargetRegisters.read(cpu(), (int) n)) : BAD_REQUEST;
  }

  private String writeRegister(String rest) {
    int equals = rest.indexOf('=');
    stub.touched();
    TargetRegisters.write(cpu(), (int) Hex.number(rest.substring(0, equals)), Hex.bytes(rest.substring(equals + 1)));
    return OK;
  }

  private String writeAllRegisters(String rest) {
    stub.touched();
    TargetRegisters.write(cpu(), Hex.bytes(rest));
    return OK;
  }

  // ---- Memory ----

  private byte[] memory(String rest) {
    String[] words = rest.split(",");
    byte[] bytes = new byte[(int) Math.min(MOST_BYTES, Hex.number(words[1]) & Integer.MAX_VALUE)];
    int read = space.read(cpu(), Hex.number(words[0]), bytes);
    return read == 0 && bytes.length > 0 ? null : Arrays.copyOf(bytes, read);
  }

  private String readMemory(String rest) {
    byte[] bytes = memory(rest);
    return bytes == null ? BAD_ADDRESS : Hex.of(bytes);
  }

  private String readBinary(String rest) {
    byte[] bytes = memory(rest);
    return bytes == null ? BAD_ADDRESS : "b" + new String(bytes, StandardCharsets.ISO_8859_1);
  }

  private String writeMemory(String rest, byte[] bytes) {
    String[] words = rest.substring(0, rest.indexOf(':')).split(",");
    if (Hex.number(words[1]) != bytes.length) {
      return BAD_REQUEST;
    }
    if (bytes.length == 0) {
      return OK;
    }
    stub.touched();
    return space.write(cpu(), Hex.number(words[0]), bytes) ? OK : BAD_ADDRESS;
  }

  private String memory(String[] words) {
    if (words.length > 1) {
      throw new IllegalArgumentException("one word");
    }
    if (words.length == 1) {
      space = AddressSpace.valueOf(words[0].toUpperCase(Locale.ROOT));
    }
    return "addresses are " + space.name().toLowerCase(Locale.ROOT) + "\n";
  }

  // ---- Breakpoints ----

  private String breakpoint(String rest, boolean insert) {
    String[] words = rest.split("[,;]");
    long address = Hex.number(words[1]);
    long length = Hex.number(words[2]);
    return switch (words[0]) {
      case "0" -> instruction(software, address, insert);
      case "1" -> instruction(hardware, address, insert);
      case "2" -> watch(new Breakpoints.Watchpoint(address, length, false, true), insert);
      case "3" -> watch(new Breakpoints.Watchpoint(address, length, true, false), insert);
      case "4" -> watch(new Breakpoints.Watchpoint(address, length, true, true), insert);
      default -> UNKNOWN;
    };
  }

  private String instruction(Set<Long> kind, long address, boolean insert) {
    if (insert) {
      if (kind.size() >= MOST_BREAKPOINTS) {
        return TOO_MANY;
      }
      kind.add(address);
      points.add(address);
    } else {
      kind.remove(address);
      if (!software.contains(address) && !hardware.contains(address)) {
        points.remove(address);
      }
    }
    return OK;
  }

  private String watch(Breakpoints.Watchpoint point, boolean insert) {
    if (point.length() < 1) {
      return BAD_REQUEST;
    }
    if (!insert) {
      points.remove(point);
      return OK;
    }
    if (points.watchpoints() >= MOST_WATCHPOINTS) {
      return TOO_MANY;
    }
    points.add(point);
    return OK;
  }

  // ---- Going on ----

  private static String afterSignal(String rest) {
    int semicolon = rest.indexOf(';');
    return semicolon < 0 ? "" : rest.substring(semicolon + 1);
  }

  private String resume(String address, boolean steps) {
    if (!address.isEmpty()) {
      stub.touched();
      cpu().rip = Hex.number(address);
    }
    stub.resume(steps ? new GdbStub.Step(cpu(), 0, 0) : null);
    return null;
  }

  private String verbose(String packet) {
    if (packet.equals("vCont?")) {
      return "vCont;c;C;s;S;r";
    }
    if (packet.startsWith("vCont;")) {
      return resumeThreads(packet.substring(6).split(";"));
    }
    return packet.startsWith("vKill;") ? kill(OK) : UNKNOWN;
  }

  /**
   * The processor that is to step does; all others take their turns as ever, also where gdb would hold them: their turns are the guest's,
   * not the debugger's.
   */
  private String resumeThreads(String[] actions) {
    GdbStub.Step step = null;
    Set<Integer> told = new HashSet<>();
    boolean all = false;
    for (String action : actions) {
      int colon = action.indexOf(':');
      String what = colon < 0 ? action : action.substring(0, colon);
      boolean everybody = colon < 0 || action.substring(colon + 1).equals("-1");
      int processor = everybody ? stop.processor() : processor(action.substring(colon + 1));
      if (processor < 0) {
        return BAD_REQUEST;
      }
      // The leftmost action for a thread holds.
      boolean counts = !all && told.add(processor);
      all |= everybody;
      Cpu cpu = machine.cpus().get(processor);
      switch (what.charAt(0)) {
        case 's', 'S' -> step = counts && step == null ? new GdbStub.Step(cpu, 0, 0) : step;
        case 'r' -> {
          String[] range = what.substring(1).split(",");
          step = counts && step == null ? new GdbStub.Step(cpu, Hex.number(range[0]), Hex.number(range[1])) : step;
        }
        case 'c', 'C' -> {}
        default -> {
          return BAD_REQUEST;
        }
      }
    }
    stub.resume(step);
    return null;
  }

  private String detach() {
    attached();
    stub.detach();
    return OK;
  }

  private String kill(String reply) {
    stub.kill();
    return reply;
  }

  // ---- Queries ----

  private String query(String packet) {
    int colon = packet.indexOf(':');
    String name = colon < 0 ? packet : packet.substring(0, colon);
    return switch (name) {
      case "qSupported" -> supported(packet);
      case "qC" -> "QC%x".formatted(selected + 1);
      case "qAttached" -> "1";
      case "qSymbol" -> OK;
      case "qfThreadInfo" -> threads();
      case "qsThreadInfo" -> "l";
      case "qXfer" -> transfer(packet.substring(colon + 1));
      case PHYSICAL_MODE -> space == AddressSpace.VIRTUAL ? "0" : "1";
      default -> otherQuery(packet);
    };
  }

  private String otherQuery(String packet) {
    if (packet.startsWith("qThreadExtraInfo,")) {
      int n = processor(packet.substring(packet.indexOf(',') + 1));
      return n < 0 ? BAD_REQUEST : Hex.of("vcpu%d (%s)".formatted(n, machine.state(n)));
    }
    if (packet.startsWith("qRcmd,")) {
      String text = monitor.run(cpu(), Hex.text(packet.substring(6)));
      for (int at = 0; at < text.length(); at += MOST_BYTES / 4) {
        stub.send("O" + Hex.of(text.substring(at, Math.min(text.length(), at + MOST_BYTES / 4))));
      }
      return OK;
    }
    return UNKNOWN;
  }

  private String supported(String packet) {
    List<String> features = List.of(packet.substring(packet.indexOf(':') + 1).split(";"));
    tellsSoftware = features.contains("swbreak+");
    tellsHardware = features.contains("hwbreak+");
    return "PacketSize=%x;qXfer:features:read+;qXfer:threads:read+;QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+;binary-upload+"
        .formatted(PacketReader.MAX_PACKET);
  }

  private String transfer(String rest) {
    String[] words = rest.split(":", -1);
    if (words.length != 4 || !words[1].equals("read")) {
      return UNKNOWN;
    }
    String whole =
        switch (words[0] + ":" + words[2]) {
          case "features:target.xml" -> TargetRegisters.description();
          case "threads:" -> threadList();
          default -> null;
        };
    if (whole == null) {
      return "E00";
    }
    String[] range = words[3].split(",");
    long from = Math.min(Hex.number(range[0]) & Long.MAX_VALUE, whole.length());
    long length = Math.min(Hex.number(range[1]) & Integer.MAX_VALUE, MOST_BYTES);
    long to = Math.min(from + length, whole.length());
    return (to < whole.length() ? "m" : "l") + whole.substring((int) from, (int) to);
  }

  private String set(String packet) {
    if (packet.equals("QStartNoAckMode")) {
      stub.stopAcknowledging();
      return OK;
    }
    if (packet.startsWith(SET_PHYSICAL_MODE)) {
      space = packet.endsWith(":1") ? AddressSpace.PHYSICAL : AddressSpace.VIRTUAL;
      return OK;
    }
    return UNKNOWN;
  }
}
