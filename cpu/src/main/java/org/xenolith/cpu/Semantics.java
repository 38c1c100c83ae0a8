package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/** From an instruction to its meaning. */
final class Semantics {
  private Semantics() {}

  /** The meaning of an instruction; an instruction whose feature the model lacks is one that raises #UD. */
  static Op of(Instruction i, ProcessorModel model) {
    return (cpu, instruction) -> {
      throw cpu.unimplemented("instruction " + instruction);
    };
  }

  /** Whether an instruction must be the last of its block: it may transfer control, leave, change the mode or the flags IF, TF, AC. */
  static boolean endsBlock(Instruction i) {
    return true;
  }

  /** Whether an instruction must be the first of its block, because it reads the clock. */
  static boolean startsBlock(Instruction i) {
    return false;
  }
}
