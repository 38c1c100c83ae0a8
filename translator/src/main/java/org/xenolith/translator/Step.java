package org.xenolith.translator;

import java.util.Set;
import org.xenolith.cpu.Block;
import org.xenolith.isa.Feature;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** One instruction of a {@link Trace}, with what {@link FlagPlan} found out. */
final class Step {
  final Block block;

  /** Its place in the block, and the place of the block's first instruction in the trace. */
  final int place, blockStart;

  final Instruction instruction;
  final Rule rule;

  /** Whether the trace goes on at a branch's target, not behind it. */
  boolean followsTarget;

  /** Flags whose values behind this instruction somebody may look at. */
  int liveAfter;

  /** Flags that it reads and whose values matter. */
  int reads;

  /** Whether its flags must be saved at once, since they cannot be had again when they are wanted. */
  boolean save;

  /** Whether what its flags can be had from is kept in the state, for those few who will want them. */
  boolean keep;

  /**
   * @param features what the guest's processor offers and the host has
   */
  Step(Block block, int place, int blockStart, Set<Feature> features) {
    this.block = block;
    this.place = place;
    this.blockStart = blockStart;
    instruction = block.instructions[place];
    rule = features.contains(instruction.encoding.feature) ? Rule.of(instruction) : Rule.INTERPRET;
  }

  /** Whether it may leave machine code before it has done anything; if it does not, the host's flags may be lost. */
  boolean mayLeave() {
    return switch (rule.action) {
      case REENCODE, SCAN -> instruction.hasMemory();
      case NOTHING, LEA, CONVERT, READ_SELECTOR, JCC, JMP -> false;
      case DOUBLE_SHIFT -> !countIsNumber();
      case MULTIPLY -> instruction.hasMemory();
      default -> true;
    };
  }

  /** For a shift of two registers. */
  boolean countIsNumber() {
    return instruction.kind2 == OperandKind.IMM;
  }

  /** Whether its flags are wanted at all. */
  boolean flagsWanted() {
    return (liveAfter & rule.effect.changes) != 0;
  }
}
