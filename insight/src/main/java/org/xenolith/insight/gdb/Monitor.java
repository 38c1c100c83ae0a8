package org.xenolith.insight.gdb;

import java.util.LinkedHashMap;
import java.util.Map;
import org.xenolith.cpu.Cpu;

/** The commands of gdb's {@code monitor}, by their first word. */
public final class Monitor {
  /** Does a command. */
  public interface Command {
    /**
     * @param cpu the processor that gdb has chosen
     * @param arguments the words behind the command's name
     * @return text of whole lines
     * @throws IllegalArgumentException if the arguments are wrong; the message says how they should be
     */
    String run(Cpu cpu, String[] arguments);
  }

  private record Entry(String usage, String meaning, Command command) {}

  private final Map<String, Entry> entries = new LinkedHashMap<>();

  /**
   * Adds a command.
   *
   * @param usage its name and its arguments, as help shows them
   * @param meaning what it does, in a line
   */
  public Monitor add(String usage, String meaning, Command command) {
    entries.put(usage.split(" ", 2)[0], new Entry(usage, meaning, command));
    return this;
  }

  String run(Cpu cpu, String line) {
    String[] words = line.strip().split("\\s+");
    Entry entry = entries.get(words[0]);
    if (entry == null) {
      return words[0].isEmpty() || words[0].equals("help") ? help() : "unknown command: " + words[0] + "; 'monitor help' lists them\n";
    }
    String[] arguments = new String[words.length - 1];
    System.arraycopy(words, 1, arguments, 0, arguments.length);
    try {
      return entry.command().run(cpu, arguments);
    } catch (IllegalArgumentException e) {
      return "usage: monitor " + entry.usage() + (e instanceof NumberFormatException ? "" : " (" + e.getMessage() + ")") + "\n";
    }
  }

  private String help() {
    StringBuilder text = new StringBuilder();
    entries.values().forEach(entry -> text.append("monitor %-32s %s\n".formatted(entry.usage(), entry.meaning())));
    return text.append("Numbers are hexadecimal, with or without 0x; $rsp and so on are the vcpu's registers.\n").toString();
  }

  /** The only argument: a number in hex, with or without 0x, or a register of the processor ({@code $rsp}). */
  static long number(Cpu cpu, String[] arguments) {
    if (arguments.length != 1) {
      throw new IllegalArgumentException("one number");
    }
    String text = arguments[0];
    return text.startsWith("$")
        ? TargetRegisters.value(cpu, text.substring(1))
        : Long.parseUnsignedLong(text.startsWith("0x") ? text.substring(2) : text, 16);
  }
}
