package org.xenolith.translator;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.xenolith.cpu.Block;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Feature;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;

/**
 * What is translated together: a block, then the one that ran after it last time, and so on, inside one page of linear addresses and as far
 * as each is known. It has one entry, and an exit at each branch.
 *
 * <p>A loop of few instructions and many rounds is there twice, and goes on in the second round: what the end of a round leaves in the
 * host's registers and flags is known there, unlike at the entry.
 */
final class Trace {
  private static final int MOST_INSTRUCTIONS = 96;
  private static final int MOST_BLOCKS = 24;

  /** A trace of so many instructions or more ends where another one begins: code is translated less often, and runs no slower. */
  private static final int ENOUGH_INSTRUCTIONS = 12;

  /** Rounds that make it worth while to prepare for them. */
  private static final int LONG_LOOP = 7;

  private static final long PAGE = -GuestMemory.FRAME_SIZE;

  final List<Block> blocks = new ArrayList<>();
  final List<Step> steps = new ArrayList<>();

  /** Where the second round of a loop begins in {@link #steps}, or 0. */
  int loop;

  private final Set<Feature> features;

  private Trace(Set<Feature> features) {
    this.features = features;
  }

  /** Whether a trace can begin with a block. */
  static boolean suits(Block b) {
    return b.mode == CpuMode.LONG64;
  }

  /**
   * @param features what the guest's processor offers and the host has
   */
  static Trace from(Block first, Set<Feature> features) {
    Trace trace = new Trace(features);
    Block b = first;
    while (true) {
      trace.add(b);
      Step last = trace.steps.getLast();
      boolean toTarget;
      switch (last.rule.action) {
        case JCC -> toTarget = likelyTaken(b, last.instruction);
        case JMP -> toTarget = true;
        case JMP_INDIRECT, CALL, CALL_INDIRECT, RET, INTERPRET -> {
          return trace;
        }
        default -> toTarget = false;
      }
      last.followsTarget = toTarget;
      long va = toTarget ? last.instruction.target() : b.next;
      Block next = b.successor(va == b.next);
      if (next == first && va == first.va && 2 * trace.steps.size() <= MOST_INSTRUCTIONS && trace.isLongLoop()) {
        trace.secondRound();
        return trace;
      }
      // What crosses into the next page is a trace of its own, which looks for that page at its entry.
      if (next == null || next.va != va || !suits(next) || next.secondPage != 0 || first.secondPage != 0
          || (next.va & PAGE) != (first.va & PAGE)
          || (next.host & PAGE) != (first.host & PAGE) || trace.blocks.size() == MOST_BLOCKS || trace.blocks.contains(next)
          || trace.steps.size() + next.instructions.length > MOST_INSTRUCTIONS
          || trace.steps.size() >= ENOUGH_INSTRUCTIONS && Translator.entry(next) != null) {
        return trace;
      }
      b = next;
    }
  }

  /** Which way a conditional jump went: the way whose block ran oftener. */
  private static boolean likelyTaken(Block b, Instruction jump) {
    Block falls = b.successor(true);
    Block taken = b.successor(false);
    int fallRuns = falls == null || falls.va != b.next ? 0 : falls.runs;
    int takenRuns = taken == null || taken.va != jump.target() ? 0 : taken.runs;
    return takenRuns > fallRuns;
  }

  /** Whether the blocks, which lead back to the first, have been left seldom for as often as that has run. */
  private boolean isLongLoop() {
    int left = 1;
    for (int n = 0; n < blocks.size(); n++) {
      Block b = blocks.get(n);
      if (b.instructions[b.instructions.length - 1].mnemonic == Mnemonic.JCC) {
        long stays = blocks.get((n + 1) % blocks.size()).va;
        Block other = b.successor(stays != b.next);
        left += other == null || other.va == stays ? 0 : other.runs;
      }
    }
    Block first = blocks.getFirst();
    return first.secondPage == 0 && first.runs >= LONG_LOOP * left;
  }

  private void secondRound() {
    loop = steps.size();
    List.copyOf(blocks).forEach(this::add);
    for (int n = 0; n < loop; n++) {
      steps.get(loop + n).followsTarget = steps.get(n).followsTarget;
    }
  }

  private void add(Block b) {
    blocks.add(b);
    int start = steps.size();
    for (int k = 0; k < b.instructions.length; k++) {
      steps.add(new Step(b, k, start, features));
    }
  }
}
