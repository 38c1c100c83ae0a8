package org.xenolith.translator;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.Instruction;

/**
 * Where the second round of a loop has the addresses of its operands from. The TLB cannot change there without machine code being left, and
 * then the loop is left, too. So an address whose registers the loop does not write is translated once, before the first time round. For
 * another the page that it was in last is remembered, which is mostly that of the next time, too.
 *
 * <p>Each has a place in {@link State#PAGES}.
 */
final class LoopAddresses {
  /** So many places there are. */
  static final int MOST = 16;

  /** So often may operands be in other pages before it is asked how long the loop ran. */
  static final int PATIENCE = 64;

  private final List<Step> steps;
  private final int loop;

  /** By step of the second round: its place, or -1. */
  private final int[] places;

  private final boolean[] fixed;

  /** By step: bytes of the operand, and the TLB's table; as the first round has them. */
  private final int[] sizes, tables;

  private int count;

  /**
   * Operands that no round moves and that are so many bytes from another by the same register can have the address of that one: by step of
   * the second round, which step that is, or -1.
   */
  private final int[] origins;

  /**
   * @param loop where in the steps the second round begins
   */
  LoopAddresses(List<Step> steps, int loop) {
    this.steps = steps;
    this.loop = loop;
    places = new int[steps.size() - loop];
    fixed = new boolean[places.length];
    sizes = new int[places.length];
    tables = new int[places.length];
    origins = new int[places.length];
    for (int n = 0; n < places.length; n++) {
      places[n] = -1;
      Step step = steps.get(loop + n);
      if (count < MOST && usesOperandAddress(step)) {
        places[n] = count++;
        fixed[n] = !writes(step.instruction.base) && !writes(step.instruction.index);
      }
      origins[n] = places[n] >= 0 && fixed[n] && Windows.takesOperand(step) ? findOrigin(n) : -1;
    }
  }

  private int findOrigin(int n) {
    Instruction i = steps.get(loop + n).instruction;
    if (i.index != Instruction.NO_REGISTER || i.segment >= Instruction.FS) {
      return -1;
    }
    for (int k = 0; k < n; k++) {
      Instruction other = steps.get(loop + k).instruction;
      if (origins[k] == k && other.base == i.base && Math.abs(i.ea - other.ea) < GuestMemory.FRAME_SIZE) {
        return k;
      }
    }
    return n;
  }

  /** Whether it works, and there is anything to be gained: not if each round moves the base of GS, or leaves machine code. */
  boolean pays() {
    return count > 0 && steps.stream().noneMatch(step -> step.rule.action == Action.INTERPRET || step.rule.action == Action.SWAPGS);
  }

  private static boolean usesOperandAddress(Step step) {
    if (!step.instruction.hasMemory()) {
      return false;
    }
    return switch (step.rule.action) {
      case REENCODE -> step.rule.effect != FlagEffect.BIT;
      case VECTOR, MULTIPLY, DIVIDE, SCAN -> true;
      default -> false;
    };
  }

  private boolean writes(int register) {
    return register != Instruction.NO_REGISTER
        && steps.subList(loop, steps.size()).stream().anyMatch(step -> Registers.writes(step.instruction, step.rule, register));
  }

  /** The place of a step of either round in the state, or 0 if it has none. */
  int place(int index) {
    int n = index % loop;
    return places[n] < 0 ? 0 : State.PAGES + 16 * places[n];
  }

  boolean isFixed(int index) {
    return fixed[index % loop];
  }

  /** The step whose operand a step's is at a distance from that no round changes, perhaps itself; or -1. */
  int origin(int index) {
    int origin = origins[index % loop];
    return origin < 0 ? -1 : loop + origin;
  }

  /** How far it is from there, in bytes. */
  int distance(int index) {
    return (int) (steps.get(index).instruction.ea - steps.get(origin(index)).instruction.ea);
  }

  /** Takes note of what the first round makes of a step's operand: its bytes, and the TLB's table. */
  void note(int index, int size, int table) {
    sizes[index % loop] = size;
    tables[index % loop] = table;
  }

  int size(int index) {
    return sizes[index % loop];
  }

  int table(int index) {
    return tables[index % loop];
  }

  /** The steps of the second round that have a place. */
  List<Integer> indexes() {
    List<Integer> indexes = new ArrayList<>();
    for (int n = 0; n < places.length; n++) {
      if (places[n] >= 0) {
        indexes.add(loop + n);
      }
    }
    return indexes;
  }
}
