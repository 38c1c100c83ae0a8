package org.xenolith.insight.rules;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.xenolith.xen.rules.Rule;
import org.xenolith.xen.rules.XenLine;

/** The pages of {@code docs/rules}, in Markdown, from the constants that those use who enforce the rules. */
public final class RulePages {
  private static final String INTRODUCTION =
      """
      # The rulebook

      What Xen demands of a 64-bit PV guest, each demand once. The pages are written from the constants that the hypervisor's code itself
      names where it refuses something (`Rule`); a test fails where they differ. `xenolith check KERNEL` names the rule that a kernel
      breaks. Sources are Xen's at c447b7308b13.

      | rule | | what a guest is answered |
      | --- | --- | --- |
      """;

  private static final String DECODING =
      """

      ## Reading Xen's messages

      Most of the messages are printed by debug builds alone: a guest on a distribution's Xen sees the error number and no reason.

      - **Packed flags** (`Bad L1 flags 400000`): bits 63 to 52 of the entry in bits 23 to 12, bits 11 to 0 in their place. 800000 is NX,
        400000 bit 62, 80 a large page or PAT, 100 G, 18 PCD and PWT.
      - **Type words** (`saw 8c00000000000001 != exp e000000000000000`): bits 63 to 61 the type: 1 to 4 page tables L1 to L4, 5 descriptors,
        7 writable; bit 60 locked, 59 pinned, 58 validated, 56 partly validated, 55 mapped non-coherently; the low bits count the uses.
        8c00000000000001 is an L4 table, pinned, validated, used once. Older versions of Xen part the word differently.
      - **Count words** (`caf=8000000000000002`): bit 63 the owner still holds the frame, 62 a frame of Xen's heap; the low bits count the
        references.
      """;

  private RulePages() {}

  /** Text by file name. */
  public static Map<String, String> all() {
    Map<String, String> pages = new TreeMap<>();
    StringBuilder index = new StringBuilder(INTRODUCTION);
    for (Rule rule : Rule.values()) {
      String file = rule.page() + ".md";
      index.append("| [%s](%s) | %s | %s |\n".formatted(rule.id(), file, rule.title(), rule.answer()));
      pages.put(file, page(rule));
    }
    index.append(DECODING);
    pages.put("README.md", index.toString());
    return pages;
  }

  private static String page(Rule rule) {
    StringBuilder page = new StringBuilder("# %s: %s\n\n%s\n\n".formatted(rule.id(), rule.title(), rule.sentence()));
    page.append("- Enforced in Xen by: %s\n- Answer: %s\n".formatted(rule.where(), rule.answer()));
    page.append("\n## What a real Xen prints\n\n");
    if (rule.lines().isEmpty()) {
      page.append("Nothing, in any build.\n");
    } else {
      rule.lines().forEach(line ->
          page.append("- `%s` (%s)\n".formatted(line.text(), line.build() == XenLine.Build.DEBUG ? "debug builds only" : "every build")));
      page.append("\n[How to read the words and flags](README.md#reading-xens-messages)\n");
    }
    if (!Mending.of(rule).isEmpty()) {
      page.append("\n## What usually mends it\n\n%s\n".formatted(Mending.of(rule)));
    }
    List<KnownCase> cases = Stream.of(KnownCase.values()).filter(c -> c.rules().contains(rule)).toList();
    if (!cases.isEmpty()) {
      page.append("\n## Known cases\n\n");
      cases.forEach(c -> page.append("- **%s** (%s). %s\n".formatted(c.title(), c.time(), c.story())));
    }
    return page.toString();
  }
}
