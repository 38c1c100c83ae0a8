package org.xenolith.insight;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What is known of a run when it has ended.
 *
 * @param version of this program
 * @param guest what was asked for
 * @param engine the engine that ran the guest's instructions
 * @param kernel which kernel it was
 * @param outcome how the run ended
 * @param reason why, in one line
 * @param instructions retired, a string instruction counted once
 * @param processors how much of it each processor did
 * @param virtualNs the guest's time, in nanoseconds
 * @param wallMs the host's time, in milliseconds
 * @param peakRssBytes the most memory this process has held
 * @param hypercalls how often each was made, by name
 * @param exits how often the processor stopped for each reason
 * @param faults how often each vector was delivered to the guest
 * @param tlb counts of the TLBs
 * @param breaches what the hypervisor refused, in order
 * @param digest of everything architectural that happened, in hexadecimal; equal for equal runs
 * @param postMortem what the processor was doing at the end, a line an element; empty where the guest ended well
 */
public record RunReport(
    String version,
    Guest guest,
    String engine,
    Kernel kernel,
    Outcome outcome,
    String reason,
    long instructions,
    List<Processor> processors,
    long virtualNs,
    long wallMs,
    long peakRssBytes,
    Map<String, Long> hypercalls,
    Map<String, Long> exits,
    Map<String, Long> faults,
    Map<String, Long> tlb,
    List<Refusal> breaches,
    String digest,
    List<String> postMortem) {

  /**
   * What was asked for.
   *
   * @param mode {@code pv}
   * @param commandLine the kernel's
   */
  public record Guest(String mode, long memoryBytes, int vcpus, long seed, String commandLine) {}

  /** Which kernel it was; build id and release are empty where the image does not say. */
  public record Kernel(String path, String buildId, String release) {}

  /**
   * A processor's share of the work.
   *
   * @param instructions retired
   * @param userInstructions those of them in user mode
   */
  public record Processor(long instructions, long userInstructions) {}

  /**
   * Something the hypervisor refused.
   *
   * @param rule the rule's number in the rulebook, such as R5
   * @param message what was refused and why
   * @param errno what the guest was answered, 0 where it was a fault or the guest's end
   * @param instructions the count at which it happened
   * @param function the guest's function, with offset, or an address where no symbol is known
   * @param times how often the same was refused at the same place
   */
  public record Refusal(String rule, String message, int errno, long instructions, String function, long times) {}

  /** The report in the order and with the keys that programs rely on; values are strings, numbers, lists and maps. */
  public Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("version", version);
    map.put("mode", guest.mode());
    map.put("engine", engine);
    map.put("kernel", ordered("path", kernel.path(), "build_id", kernel.buildId(), "release", kernel.release()));
    map.put("command_line", guest.commandLine());
    map.put("memory_bytes", guest.memoryBytes());
    map.put("vcpus", guest.vcpus());
    map.put("seed", guest.seed());
    map.put("outcome", outcome.key());
    map.put("reason", reason);
    map.put("instructions", instructions);
    map.put("processors", processors.stream().map(RunReport::toMap).toList());
    map.put("virtual_ns", virtualNs);
    map.put("wall_ms", wallMs);
    map.put("peak_rss_bytes", peakRssBytes);
    map.put("hypercalls", hypercalls);
    map.put("exits", exits);
    map.put("faults", faults);
    map.put("tlb", tlb);
    map.put("breaches", breaches.stream().map(RunReport::toMap).toList());
    map.put("digest", digest);
    map.put("post_mortem", postMortem);
    return map;
  }

  private static Map<String, Object> toMap(Processor processor) {
    return ordered("instructions", processor.instructions(), "user_instructions", processor.userInstructions());
  }

  private static Map<String, Object> toMap(Refusal refusal) {
    return ordered(
        "rule", refusal.rule(),
        "message", refusal.message(),
        "errno", refusal.errno(),
        "instructions", refusal.instructions(),
        "function", refusal.function(),
        "times", refusal.times());
  }

  private static Map<String, Object> ordered(Object... keysAndValues) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      map.put((String) keysAndValues[i], keysAndValues[i + 1]);
    }
    return map;
  }
}
