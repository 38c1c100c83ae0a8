package org.xenolith.cpu.silicon;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Form;
import org.xenolith.isa.Instruction;

/** Runs many cases on both sides and gathers what differs. */
final class SiliconRun {
  /** What came of it; {@code left} cases were left out, see {@link Exemptions}. */
  record Result(
      int rows, long cases, long left, Map<String, List<String>> exempt, List<String> failures, Map<String, Integer> failedRows) {}

  private static final int REPORTED_PER_ROW = 2;

  private final long seed;
  private final int casesPerRow;
  private final Predicate<Encoding> wanted;
  private final ProcessorModel model;
  private final Cpu.Tracer tracer;

  /**
   * @param tracer sees the interpreter's instructions, to disturb them; or null
   */
  SiliconRun(ProcessorModel model, long seed, int casesPerRow, Predicate<Encoding> wanted, Cpu.Tracer tracer) {
    this.model = model;
    this.tracer = tracer;
    this.seed = seed;
    this.casesPerRow = casesPerRow;
    this.wanted = wanted;
  }

  Result run() throws IOException {
    Map<String, List<String>> exempt = new LinkedHashMap<>();
    List<String> failures = new ArrayList<>();
    Map<String, Integer> failedRows = new LinkedHashMap<>();
    int rows = 0;
    long cases = 0;
    long left = 0;
    boolean amd = HostSide.isAmd();
    InterpreterSide ours = new InterpreterSide(model, tracer);
    Case mine = new Case(Arena.ofAuto().allocate(Case.SIZE, 16));
    try (HostSide host = HostSide.start()) {
      for (Encoding row : Encoding.all()) {
        List<Form> forms = Generator.forms(row);
        if (!wanted.test(row) || forms.isEmpty() || !model.offers(row.feature)) {
          continue;
        }
        String reason = Exemptions.reason(row);
        if (reason != null) {
          exempt.computeIfAbsent(reason, key -> new ArrayList<>()).add(row.toString());
          continue;
        }
        rows++;
        for (int from = 0; from < casesPerRow; from += HostSide.BATCH) {
          int count = Math.min(HostSide.BATCH, casesPerRow - from);
          for (int n = 0; n < count; n++) {
            // Every case has a seed of its own, so that one can be run alone.
            SplittableRandom random = new SplittableRandom(seed + row.id * 0x9e3779b97f4a7c15L + (from + n) * 0xbf58476d1ce4e5b9L);
            new Generator(random).fill(host.at(n), forms.get((from + n) % forms.size()));
          }
          host.run(count);
          for (int n = 0; n < count; n++) {
            Case theirs = host.at(n);
            Instruction i = Oracle.decode(theirs.code());
            if (!amd && Exemptions.vendorsDiffer(i, theirs) || Exemptions.hypervisorsDiffer(i, theirs)) {
              left++;
              continue;
            }
            List<String> differences = compare(ours, theirs, mine);
            if (!differences.isEmpty()) {
              // On some virtual machines code that was just written by another processor raises #UD, twice in 800,000 cases, but not again.
              host.run(count);
              differences = compare(ours, theirs, mine);
            }
            if (!differences.isEmpty()) {
              int before = failedRows.merge(row.id + " " + row, 1, Integer::sum);
              if (before <= REPORTED_PER_ROW) {
                failures.add("case " + (from + n) + " of row " + row.id + ", seed " + seed + ": " + Oracle.describe(mine) + "\n  "
                    + String.join("\n  ", differences));
              }
            }
          }
          cases += count;
        }
      }
    }
    return new Result(rows, cases - left, left, exempt, failures, failedRows);
  }

  private static List<String> compare(InterpreterSide ours, Case theirs, Case mine) {
    mine.segment().copyFrom(theirs.segment());
    try {
      ours.run(mine);
    } catch (IllegalStateException e) {
      return List.of("ours: " + e.getMessage());
    }
    return Oracle.differences(theirs, mine);
  }
}
