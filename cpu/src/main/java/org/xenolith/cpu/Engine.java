package org.xenolith.cpu;

/**
 * Runs blocks in the interpreter's place, with the same results: registers, memory, clock, TLB entries and faults, at each return and at
 * each call of something outside the processor. What it does not know it leaves to {@link Cpu#interpret}.
 */
public interface Engine {
  /**
   * Runs from the start of a block, and on from there as far as it can, at the latest to the count {@code until}. The block was found for
   * the processor's RIP, mode and translation. Instructions are run one by one while a debugger or single-step wants it; that is not asked
   * of an engine.
   *
   * @return false if it has done nothing, and the interpreter is to run the block; else RIP, all registers and the clock are exact; a fault
   *     is left where {@link Cpu#interpret} left it
   */
  boolean run(Cpu cpu, Block b, long until);
}
