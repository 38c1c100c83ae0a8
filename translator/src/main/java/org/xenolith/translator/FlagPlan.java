package org.xenolith.translator;

import java.util.List;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * Finds out which flags are wanted, and how each instruction's flags are kept for those who want them. Wanted are they by instructions that
 * read them, and at every place where machine code may be left, since a fault's frame and the interpreter see them.
 *
 * <p>There are four ways. Mostly they are in the host's flags still, or the instruction that set them can be run again for its flags
 * alone, since its operands are still there ({@link Repeat}): that costs nothing until it is needed. Where neither holds its operands are
 * kept ({@link Step#keep}) if only a place where machine code may be left will want the flags; else the flags are saved in {@link
 * State#FLAGS} at once ({@link Step#save}).
 *
 * <p>INC and DEC leave CF as it was. Before them it is put into the state, unless it is known to be 0; their other flags can be had from
 * their result.
 */
final class FlagPlan {
  private FlagPlan() {}

  /**
   * @param loop where the second round of a loop begins, or 0
   */
  static void make(List<Step> steps, int loop) {
    int live = Flags.ALL;
    for (int n = steps.size() - 1; n >= 0; n--) {
      Step step = steps.get(n);
      if (step.rule.action == Action.JCC) {
        live = Flags.ALL;
      }
      step.liveAfter = live;
      FlagEffect effect = step.rule.effect;
      step.reads = step.rule.reads(step.instruction);
      if (effect == FlagEffect.STEP && step.flagsWanted()) {
        // Its flags go with a CF that was there before.
        step.reads |= live & ~effect.changes;
      }
      live = live & ~effect.kills | step.reads;
      if (step.mayLeave()) {
        live = Flags.ALL;
      }
    }
    boolean alike = loop != 0 && steps.get(loop - 1).liveAfter == Flags.ALL;
    for (int n = 0; n < steps.size(); n++) {
      Step step = steps.get(n);
      if (alike && n >= loop) {
        // It is to be as in the first round, which has looked into this one.
        step.save = steps.get(n - loop).save;
        step.keep = steps.get(n - loop).keep;
      } else if (step.rule.effect == FlagEffect.STEP) {
        step.save = step.flagsWanted() && mustSave(steps, n, loop);
        step.keep = step.flagsWanted() && !resultLasts(steps, n);
      } else if (step.rule.action == Action.DOUBLE_SHIFT) {
        // Only what is kept tells its flags.
        step.keep = step.flagsWanted() && step.countIsNumber();
        step.save = step.keep && !keepPays(steps, n);
      } else if (step.flagsWanted() && mustSave(steps, n, loop)) {
        step.keep = Keep.possible(step) && keepPays(steps, n);
        step.save = !step.keep;
      }
    }
  }

  private static boolean mustSave(List<Step> steps, int from, int loop) {
    Step setter = steps.get(from);
    FlagEffect effect = setter.rule.effect;
    switch (effect) {
      case ARITHMETIC, LOGIC, STEP -> {}
      default -> {
        return true;
      }
    }
    // The flags that the host has right now; whether all could be had from the host, or by running the setter again.
    boolean host = true;
    boolean again = effect == FlagEffect.STEP || Repeat.possible(setter) && Repeat.survives(setter, setter.instruction, setter.rule);
    int pending = setter.liveAfter;
    for (int n = from + 1; n < steps.size(); n++) {
      Step step = steps.get(n);
      if (n == loop) {
        // What cannot be had again is saved between the rounds.
        if (!again) {
          return !host;
        }
        host = false;
      }
      boolean leaves = step.mayLeave();
      if (leaves && !again) {
        return true;
      }
      if (leaves) {
        host = false;
      }
      if ((step.reads & pending) != 0) {
        if (step.rule.effect == FlagEffect.STEP) {
          // CF goes to the state, and it answers for the others from here on.
          return !host && !again && !leavesNoCarry(setter);
        }
        if (step.instruction.hasMemory() && step.rule.action == Action.REENCODE) {
          // They are wanted in the host while the registers for running the setter again are in use.
          return true;
        }
        if (!host && !again) {
          return true;
        }
        host = true;
      }
      FlagEffect change = step.rule.effect;
      if (step.flagsWanted() && change.changes != 0 && change.kills != Flags.ALL) {
        // It merges its flags with these, and answers for all from here on.
        return !host && !again;
      }
      if (change.kills == Flags.ALL) {
        return false;
      }
      if (change.changes != 0 || clobbers(step) || step.rule.action == Action.DOUBLE_SHIFT) {
        host = false;
      }
      if (again && effect != FlagEffect.STEP && !Repeat.survives(setter, step.instruction, step.rule)) {
        again = false;
      }
      if (step.rule.action == Action.JCC && !host && !again) {
        return true;
      }
      // At the end of a trace without loop it does not matter: the host has the flags still.
      if (straightIfZero(step, step.followsTarget) && zeroTellsAll(setter)) {
        return false;
      }
    }
    return !host && !again;
  }

  /**
   * Whether a trace goes on from a jump only where ZF is 1.
   *
   * @param follows whether it goes on at the jump's target
   */
  static boolean straightIfZero(Step jump, boolean follows) {
    return jump.rule.action == Action.JCC && jump.instruction.condition == (follows ? TraceTranslator.JE : TraceTranslator.JNE);
  }

  /** Whether an instruction that leaves a ZF of 1 leaves a PF of 1 and all other flags 0. */
  static boolean zeroTellsAll(Step setter) {
    return setter.rule.effect == FlagEffect.LOGIC || switch (setter.instruction.mnemonic) {
      case CMP, SUB, NEG, CMPXCHG -> true;
      default -> false;
    };
  }

  /** Whether the result of an INC or DEC stays in its register for as long as its flags are of use. */
  private static boolean resultLasts(List<Step> steps, int from) {
    Step setter = steps.get(from);
    if (setter.instruction.hasMemory()) {
      return false;
    }
    for (int n = from + 1; n < steps.size(); n++) {
      Step step = steps.get(n);
      boolean saves = step.rule.action == Action.INTERPRET || step.flagsWanted() && step.rule.effect.changes != 0;
      if (saves || step.rule.effect.kills == Flags.ALL) {
        return true;
      }
      if (!Repeat.survives(setter, step.instruction, step.rule)) {
        return false;
      }
    }
    return true;
  }

  /** Whether nobody on the trace's way wants flags that are not in the host, and others replace them before its end. */
  private static boolean keepPays(List<Step> steps, int from) {
    Step setter = steps.get(from);
    int pending = setter.liveAfter;
    for (int n = from + 1; n < steps.size(); n++) {
      Step step = steps.get(n);
      int reads = step.reads & pending;
      if (reads != 0 && step.rule.effect == FlagEffect.STEP) {
        return true;
      }
      if (reads != 0 && ((reads & ~setter.rule.effect.exact) != 0 || step.instruction.hasMemory())) {
        return false;
      }
      FlagEffect change = step.rule.effect;
      if (change.kills == Flags.ALL) {
        return true;
      }
      if (step.flagsWanted() && change.changes != 0 || step.rule.action == Action.INTERPRET) {
        return false;
      }
    }
    return false;
  }

  /** Whether an instruction leaves a CF of 0, whatever its operands are. */
  static boolean leavesNoCarry(Step setter) {
    Instruction i = setter.instruction;
    return switch (i.mnemonic) {
      case AND, OR, XOR, TEST -> true;
      case CMP, SUB, ADD -> i.kind1 == OperandKind.IMM && i.imm == 0;
      default -> false;
    };
  }

  /** Whether the code of an instruction that sets no flags changes the host's. */
  static boolean clobbers(Step step) {
    return step.mayLeave();
  }

  /** Keeps what the instruction that set the flags can be run again with, wherever its operands are by then. */
  static final class Keep {
    private Keep() {}

    static boolean possible(Step setter) {
      Instruction i = setter.instruction;
      if (setter.rule.action != Action.REENCODE || Rule.hasHighByte(i)) {
        return false;
      }
      return switch (i.mnemonic) {
        case ADD, SUB, CMP, AND, OR, XOR, TEST -> true;
        case SHL, SHR, SAR -> setter.rule.effect == FlagEffect.SHIFT && i.kind0 == OperandKind.GPR;
        default -> false;
      };
    }
  }

  /** Runs the instruction that set the flags once more, for the flags alone. */
  static final class Repeat {
    private Repeat() {}

    /** Whether its flags can be had from its operands as they are behind it. */
    static boolean possible(Step setter) {
      Instruction i = setter.instruction;
      if (setter.rule.action != Action.REENCODE) {
        return false;
      }
      return switch (i.mnemonic) {
        case CMP, TEST -> !i.hasMemory();
        case AND, OR, XOR -> i.kind0 == OperandKind.GPR;
        case ADD, SUB -> i.kind0 == OperandKind.GPR
            && (i.kind1 == OperandKind.IMM || i.kind1 == OperandKind.GPR && i.reg1 != i.reg0);
        case INC, DEC -> !i.hasMemory();
        default -> false;
      };
    }

    /** Whether its operands are still there behind another instruction (or behind itself). */
    static boolean survives(Step setter, Instruction i, Rule rule) {
      if (setter.keep) {
        return true;
      }
      Instruction s = setter.instruction;
      if (i == s) {
        return true;
      }
      if (!Registers.writes(i, rule, s.reg0)) {
        boolean register = s.kind1 == OperandKind.GPR || s.kind1 == OperandKind.GPR_HIGH_BYTE;
        return !register || Rule.isLogic(s.mnemonic) || !Registers.writes(i, rule, s.reg1);
      }
      return false;
    }
  }
}
