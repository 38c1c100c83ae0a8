package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/**
 * The meaning of an instruction. An instruction either does all of its work or throws {@link Fault} having changed nothing (string
 * instructions: nothing but completed iterations): it reads and computes, stores to memory, and only then changes registers and flags.
 * RIP is not touched except by control transfers, which assign {@link Cpu#rip}; it is the address of the next instruction there.
 *
 * <p>How operands are reached:
 *
 * <ul>
 *   <li>General registers are {@link Cpu#r}; a write of 4 bytes clears the upper half ({@link Operands#setRegister}). {@link Operands}
 *       reads and writes integer operands of any kind.
 *   <li>The address of the memory operand is {@link Cpu#ea(Instruction)}, and {@link Cpu#mmu} loads and stores: {@code read8} to {@code
 *       read64}, {@code read128} (upper half in {@link Mmu#high}), {@code write8} to {@code write128}. An instruction that reads and then
 *       writes one place uses {@link Mmu#readForWrite}: a fault is a write's, and the write after it cannot fault. One with several stores
 *       calls {@link Mmu#checkWritable} for all of them first.
 *   <li>An operand that must be aligned to 16 bytes ({@link org.xenolith.isa.Encoding#ALIGNED}) is #GP(0) when it is not: {@link
 *       Cpu#eaAligned(Instruction)}. That comes before any page fault.
 *   <li>A fault is {@code throw cpu.fault(vector, errorCode)}. What is missing is {@code throw cpu.unimplemented(what)}.
 * </ul>
 *
 * <p>A method must not keep what it was given, and must not allocate.
 */
@FunctionalInterface
public interface Op {
  void execute(Cpu cpu, Instruction i);
}
