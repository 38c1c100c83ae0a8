package org.xenolith.isa;

/** The size of code and of addresses that a code segment sets up (Intel SDM volume 3, 3.4.5 and 5.2.1; AMD APM volume 2, 4.8). */
public enum CpuMode {
  /** 64-bit mode: CS.L is 1. */
  LONG64(4, 8),
  /** Compatibility mode and protected mode with 32-bit code: CS.D is 1. */
  COMPAT32(4, 4),
  /** Compatibility, protected, virtual-8086 and real mode with 16-bit code: CS.D is 0. */
  CODE16(2, 2);

  /** Width of operands without a prefix, in bytes. */
  public final int operandWidth;

  /** Width of effective addresses without a prefix, in bytes. */
  public final int addressWidth;

  CpuMode(int operandWidth, int addressWidth) {
    this.operandWidth = operandWidth;
    this.addressWidth = addressWidth;
  }
}
