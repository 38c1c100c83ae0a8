package org.xenolith.app.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.app.CommandFailure;
import org.xenolith.insight.Outcome;
import org.xenolith.insight.RunReport;

class ReportTest {
  @TempDir Path temp;

  @Test
  void jsonIsOneLineWithEveryKeyThatScriptsRelyOn() throws IOException {
    String json = JsonReport.of(report(Outcome.POWEROFF, "", List.of()));
    assertThat(json).doesNotContain("\n");
    Map<String, Object> map = JSON.std.mapFrom(json);
    assertThat(map)
        .containsKeys(
            "version", "mode", "engine", "kernel", "outcome", "reason", "instructions", "virtual_ns", "wall_ms", "peak_rss_bytes",
            "hypercalls", "exits", "faults", "tlb", "breaches", "digest")
        .containsEntry("outcome", "poweroff")
        .containsEntry("instructions", 3_000_000_000L)
        .containsEntry("kernel", Map.of("path", "/k <1>", "build_id", "abcd", "release", "6.1.0"))
        .containsEntry("hypercalls", Map.of("mmu_update", 7, "iret", 5));
  }

  @Test
  void everyOutcomeHasTheWordOfTheCommandLinesDocument() {
    assertThat(Outcome.values()).extracting(Outcome::key)
        .containsExactly("poweroff", "reboot", "crash", "rule-broken", "unimplemented", "limit");
  }

  @Test
  void textNamesTheMostAndWhatWasRefused() {
    RunReport.Refusal refusal = new RunReport.Refusal("R5", "mfn 12 is a page table", -22, 99, "set_pte+0x5/0x20", 3);
    String text = TextSummary.of(report(Outcome.CRASH, "it panicked", List.of(refusal)));
    assertThat(text).startsWith("the guest crashed: it panicked\n");
    assertThat(text).contains("12: mmu_update 7, iret 5");
    assertThat(text).contains("R5 in set_pte+0x5/0x20: mfn 12 is a page table (answered -22), 3 times");
    assertThat(text).contains("3,000,000,000 instructions in 60.0 s (50.0 million a second)");
    assertThat(text).endsWith("digest      00ff\n");
  }

  @Test
  void htmlIsSelfContainedAndEscapesWhatComesFromTheGuest() {
    String html = HtmlReport.of(report(Outcome.CRASH, "<script>alert(1)</script>", List.of()));
    assertThat(html).startsWith("<!DOCTYPE html>").contains("&lt;script&gt;").doesNotContain("<script").doesNotContain("http");
    assertThat(html).contains("/k &lt;1&gt;").contains("mmu_update").contains("00ff").contains("rip &lt;here&gt;");
  }

  @Test
  void fileIsWrittenWholeInTheFormOfItsEnding() throws IOException {
    Path json = temp.resolve("r.json");
    Files.writeString(json, "old");
    new ReportFile(json).write(report(Outcome.POWEROFF, "", List.of()));
    assertThat(JSON.std.mapFrom(Files.readString(json))).containsKey("digest");
    Path html = temp.resolve("r.html");
    new ReportFile(html).write(report(Outcome.POWEROFF, "", List.of()));
    assertThat(html).content().startsWith("<!DOCTYPE html>");
    try (var files = Files.list(temp)) {
      assertThat(files).containsExactlyInAnyOrder(json, html);
    }
  }

  @Test
  void refusesAFileItCouldNotWriteBeforeTheRun() {
    assertThatThrownBy(() -> new ReportFile(temp.resolve("r.txt"))).isInstanceOf(CommandFailure.class).hasMessageContaining("ending");
    assertThatThrownBy(() -> new ReportFile(temp.resolve("no/r.json"))).isInstanceOf(CommandFailure.class).hasMessageContaining("cannot");
  }

  private static RunReport report(Outcome outcome, String reason, List<RunReport.Refusal> refusals) {
    return new RunReport(
        "1.0",
        new RunReport.Guest("pv", 512L << 20, 1, 0, "console=hvc0"),
        "interpreter",
        new RunReport.Kernel("/k <1>", "abcd", "6.1.0"),
        outcome,
        reason,
        3_000_000_000L,
        List.of(new RunReport.Processor(3_000_000_000L, 1_000_000_000L)),
        3_100_000_000L,
        60_000,
        700L << 20,
        Map.of("mmu_update", 7L, "iret", 5L),
        Map.of(),
        Map.of("#PF", 1L),
        Map.of("fills", 2L),
        refusals,
        "00ff",
        List.of("rip <here>"));
  }
}
