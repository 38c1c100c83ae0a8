package org.xenolith.insight.rules;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.xenolith.xen.rules.Rule;

/** {@code docs/rules} says what the code says. {@code -Dxenolith.rules.write=true} writes the pages instead. */
class RulePagesTest {
  private static final Path FOLDER = Path.of("..", "docs", "rules");

  @Test
  void pagesAreThoseOfTheCode() throws IOException {
    Map<String, String> wanted = RulePages.all();
    if (Boolean.getBoolean("xenolith.rules.write")) {
      Files.createDirectories(FOLDER);
      for (Map.Entry<String, String> page : wanted.entrySet()) {
        Files.writeString(FOLDER.resolve(page.getKey()), page.getValue());
      }
    }
    Map<String, String> there = new TreeMap<>();
    try (Stream<Path> files = Files.list(FOLDER)) {
      for (Path file : files.toList()) {
        there.put(file.getFileName().toString(), Files.readString(file));
      }
    }
    assertThat(there).as("run this test with -Dxenolith.rules.write=true").isEqualTo(wanted);
  }

  @Test
  void everyRuleThatAGuestCanBreakHasAdvice() {
    for (Rule rule : Rule.values()) {
      assertThat(Mending.of(rule).isEmpty()).as(rule.id()).isEqualTo(!rule.breakable());
    }
  }

  @Test
  void numbersAreThoseOfTheOrder() {
    Set<String> titles = new HashSet<>();
    for (Rule rule : Rule.values()) {
      assertThat(rule.number()).isEqualTo(rule.ordinal() + 1);
      assertThat(titles.add(rule.title())).as(rule.title()).isTrue();
      assertThat(rule.sentence()).endsWith(".");
    }
  }

  @Test
  void aCaseIsKnownByRuleAndFunctions() {
    assertThat(KnownCase.resembling(Rule.PINNED_ONCE, List.of("xen_mc_flush", "move_page_tables.part.0"))).hasValue(KnownCase.MOVED_PMD);
    assertThat(KnownCase.resembling(Rule.PINNED_ONCE, List.of("xen_mc_flush"))).isEmpty();
    assertThat(KnownCase.resembling(Rule.L1TF_SAFE, List.of("anything"))).hasValue(KnownCase.L1TF_ENTRIES);
  }
}
