package org.xenolith.app.xl;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What an xl configuration file asks for, as far as it can be had here (Xen: docs/man/xl.cfg.5).
 *
 * @param name the domain's
 * @param container whether it is a PVH guest; otherwise PV
 * @param kernel the file
 * @param ramdisk the file, or null
 * @param commandLine of the kernel, word for word
 * @param memoryMib what the domain starts with
 * @param maxMemoryMib what its memory map has room for
 * @param vcpus that are online when it starts
 * @param maxVcpus that it has
 * @param msrRelaxed whether model-specific registers that Xen does not answer for read as 0
 * @param warnings settings that are not honoured, a sentence each
 */
public record XlConfig(
    String name, boolean container, String kernel, String ramdisk, String commandLine, long memoryMib, long maxMemoryMib, int vcpus,
    int maxVcpus, boolean msrRelaxed, List<String> warnings) {

  private static final Set<String> KNOWN =
      Set.of("name", "type", "builder", "kernel", "ramdisk", "cmdline", "extra", "root", "memory", "maxmem", "vcpus", "maxvcpus",
          "msr_relaxed", "on_poweroff", "on_reboot", "on_crash", "loader");

  /**
   * Reads a file's text.
   *
   * @throws XlException if it is no configuration, or of no guest that can be had here
   */
  public static XlConfig parse(String text) {
    Map<String, Object> settings = XlSyntax.parse(text);
    List<String> warnings = new ArrayList<>();
    for (String key : settings.keySet()) {
      if (!KNOWN.contains(key)) {
        warnings.add("'" + key + "' is not honoured");
      }
    }
    String kernel = string(settings, "kernel", null);
    if (kernel == null) {
      throw new XlException("no 'kernel' is set: guests that load their own cannot be had here");
    }
    long memory = number(settings, "memory", number(settings, "maxmem", 128));
    long maxMemory = number(settings, "maxmem", memory);
    boolean container = container(settings);
    if (container && maxMemory > memory) {
      warnings.add(("'maxmem' is not honoured: a container's memory cannot be populated on demand here; it has 'memory', %d MiB")
          .formatted(memory));
      maxMemory = memory;
    }
    long vcpus = number(settings, "vcpus", 1);
    long maxVcpus = number(settings, "maxvcpus", vcpus);
    ends(settings, warnings);
    if (memory < 1 || maxMemory > 1 << 20 || vcpus < 1 || maxVcpus > 4096) {
      throw new XlException("%d MiB and %d vcpus are no guest".formatted(maxMemory, maxVcpus));
    }
    if (maxMemory < memory || maxVcpus < vcpus) {
      throw new XlException("'maxmem' is less than 'memory', or 'maxvcpus' less than 'vcpus'");
    }
    return new XlConfig(
        string(settings, "name", "guest"), container, kernel, string(settings, "ramdisk", null), commandLine(settings, warnings), memory,
        maxMemory, (int) vcpus, (int) maxVcpus, number(settings, "msr_relaxed", 0) != 0, warnings);
  }

  private static boolean container(Map<String, Object> settings) {
    String type = string(settings, "type", null);
    if (type == null) {
      String builder = string(settings, "builder", "generic");
      type = builder.equals("generic") || builder.equals("linux") ? "pv" : builder;
    }
    return switch (type) {
      case "pv" -> false;
      case "pvh" -> true;
      default -> throw new XlException("a guest of type '%s' cannot be had here: pv or pvh".formatted(type));
    };
  }

  /** cmdline, or root and extra put together (xl: parse_cmdline, tools/xl/xl_parse.c). */
  private static String commandLine(Map<String, Object> settings, List<String> warnings) {
    String whole = string(settings, "cmdline", null);
    String root = string(settings, "root", null);
    String extra = string(settings, "extra", null);
    if (whole != null) {
      if (root != null || extra != null) {
        warnings.add("'root' and 'extra' do not count, since 'cmdline' is set");
      }
      return whole;
    }
    if (root != null) {
      return "root=" + root + (extra == null ? "" : " " + extra);
    }
    return extra == null ? "" : extra;
  }

  /** A guest without disks whose run repeats exactly would do the same again for ever. */
  private static void ends(Map<String, Object> settings, List<String> warnings) {
    for (String key : List.of("on_poweroff", "on_reboot", "on_crash")) {
      String action = string(settings, key, "destroy");
      if (!action.equals("destroy")) {
        warnings.add("'%s=\"%s\"' is not honoured: the run ends then, since it would only repeat".formatted(key, action));
      }
    }
  }

  private static String string(Map<String, Object> settings, String key, String otherwise) {
    Object value = settings.get(key);
    if (value instanceof List) {
      throw new XlException("'" + key + "' is a list: a string is wanted");
    }
    return value == null ? otherwise : (String) value;
  }

  private static long number(Map<String, Object> settings, String key, long otherwise) {
    String value = string(settings, key, null);
    if (value == null) {
      return otherwise;
    }
    try {
      return Long.parseLong(value);
    } catch (NumberFormatException e) {
      throw new XlException("'%s' is \"%s\": a number is wanted".formatted(key, value));
    }
  }
}
