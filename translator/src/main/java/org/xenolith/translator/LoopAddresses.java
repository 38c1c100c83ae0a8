package org.xenolith.translator;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.Instruction;

/**
 * Where the second round of a loop has the addresses of its operands from. The TLB cannot change there without machine code being left, and
 * then the loop is left, too. So an address whose registers the loop does not write is translated once, before the first time round. For
 * another the page that it was in last is remembered, which is mostly that of the next time, too. Operands by the same values, which differ
 * in their displacement only, have one such page, and the first of them looks for the bytes of all.
 */
final class LoopAddresses {
  /** So many pages and addresses are remembered at most. */
  static final int MOST = 16;

  /** So often may operands be in other pages before it is asked how long the loop ran. */
  static final int PATIENCE = 64;

  /** What is remembered for an operand, or for several: a place in {@link State#PAGES}. */
  static final class Address {
    /** The first step of the second round that has it. */
    final int step;

    final int place;

    /** Whether no round changes it. Then the place has the host address, otherwise the page and what to add to come to the host's. */
    final boolean fixed;

    /** The operand without its displacement, and where the bytes to look for begin and end: distances from that. */
    final Instruction operand;

    private long begin = Long.MAX_VALUE, end = Long.MIN_VALUE;
    private boolean reads, writes;

    /** Of the operand's registers, that which the loop changes if it is the only one, and the other; or {@link Instruction#NO_REGISTER}. */
    final int moving, still;

    private Address(int step, int count, Instruction operand, boolean baseMoves, boolean indexMoves) {
      this.step = step;
      this.operand = operand;
      place = State.PAGES + 16 * count;
      fixed = !baseMoves && !indexMoves;
      // What is added to the page must be the register as it is.
      boolean splits = baseMoves != indexMoves && (indexMoves || operand.index == Instruction.NO_REGISTER || operand.shift == 0)
          && operand.segment < Instruction.FS;
      moving = !splits ? Instruction.NO_REGISTER : baseMoves ? operand.base : operand.index;
      still = !splits ? Instruction.NO_REGISTER : baseMoves ? operand.index : operand.base;
    }

    int begin() {
      return (int) begin;
    }

    int bytes() {
      return (int) (end - begin);
    }

    /** The table of the TLB that must have the page. */
    int table() {
      return writes ? TraceTranslator.WRITE : TraceTranslator.READ;
    }

    /** Whether the other table must have it, too, at the same place in the host. */
    boolean bothTables() {
      return reads && writes;
    }
  }

  private final List<Step> steps;
  private final int loop;
  private final List<Address> all = new ArrayList<>();

  /** By step of the second round: what it has, or null. */
  private final Address[] addresses;

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
    addresses = new Address[steps.size() - loop];
    origins = new int[addresses.length];
    int moved = 0;
    for (int n = 0; n < addresses.length; n++) {
      Step step = steps.get(loop + n);
      moved |= Registers.written(step.instruction, step.rule);
    }
    // The addresses whose registers have the same values still as when they were looked for.
    List<Address> open = new ArrayList<>();
    for (int n = 0; n < addresses.length; n++) {
      Step step = steps.get(loop + n);
      Instruction i = step.instruction;
      if (usesOperandAddress(step)) {
        addresses[n] = Windows.takesOperand(step) ? find(open, i) : null;
        if (addresses[n] == null && all.size() < MOST) {
          addresses[n] = new Address(loop + n, all.size(), i, has(moved, i.base), has(moved, i.index));
          all.add(addresses[n]);
          if (!addresses[n].fixed && Windows.takesOperand(step)) {
            open.add(addresses[n]);
          }
        }
      }
      origins[n] = addresses[n] != null && addresses[n].fixed && Windows.takesOperand(step) ? findOrigin(n) : -1;
      int written = Registers.written(i, step.rule);
      open.removeIf(address -> has(written, address.operand.base) || has(written, address.operand.index));
    }
  }

  private static boolean has(int registers, int register) {
    return register != Instruction.NO_REGISTER && (registers >> register & 1) != 0;
  }

  /** The address of an operand that is near another's by the same values, or null. */
  private static Address find(List<Address> open, Instruction i) {
    for (Address address : open) {
      Instruction other = address.operand;
      if (other.base == i.base && other.index == i.index && other.shift == i.shift && other.segment == i.segment
          && Math.abs(other.ea - i.ea) < Windows.MOST_BYTES / 2) {
        return address;
      }
    }
    return null;
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
    return !all.isEmpty() && steps.stream().noneMatch(step -> step.rule.action == Action.INTERPRET || step.rule.action == Action.SWAPGS);
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

  List<Address> all() {
    return all;
  }

  /** What a step of either round has, or null. */
  Address of(int index) {
    return addresses[index % loop];
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
    Address address = of(index);
    long ea = steps.get(index).instruction.ea;
    address.begin = Math.min(address.begin, ea);
    address.end = Math.max(address.end, ea + size);
    address.reads |= table == TraceTranslator.READ;
    address.writes |= table != TraceTranslator.READ;
  }
}
