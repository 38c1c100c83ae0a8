package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/**
 * The meaning of an instruction. An instruction either does all of its work or throws {@link Fault} having changed nothing (string
 * instructions: nothing but completed iterations): it reads and computes, stores to memory, and only then changes registers and flags.
 * RIP is not touched except by control transfers, which assign {@link Cpu#rip}.
 */
@FunctionalInterface
public interface Op {
  void execute(Cpu cpu, Instruction i);
}
