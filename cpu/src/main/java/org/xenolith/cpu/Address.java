package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/** The memory operand of an instruction with 64-bit addressing, in one small object: what {@link Cpu#ea(Instruction)} computes for it. */
final class Address {
  private final byte base;
  private final byte index;
  private final byte shift;
  private final byte segment;
  private final long displacement;

  private Address(Instruction i) {
    base = (byte) i.base;
    index = (byte) i.index;
    shift = (byte) i.shift;
    segment = (byte) i.segment;
    displacement = i.ea;
  }

  /** The address of an instruction's memory operand, or null if it has none or addresses otherwise. */
  static Address of(Instruction i) {
    return i.hasMemory() && i.addressWidth == 8 ? new Address(i) : null;
  }

  /** The linear address. */
  long of(Cpu c) {
    long[] r = c.r;
    return r[base] + (r[index] << shift) + displacement + c.effectiveBase[segment];
  }

  /** The offset in the segment. */
  long offset(Cpu c) {
    long[] r = c.r;
    return r[base] + (r[index] << shift) + displacement;
  }
}
