package org.xenolith.translator;

import java.util.Arrays;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Fault;
import org.xenolith.isa.Instruction;

/** The registers that translated instructions can change, and how a trace ended. */
final class Snapshot {
  private static final String[] NAMES = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
  };

  private final long[] r = new long[16];
  private final long[] xmm = new long[32];
  private long rip, clock, retired, gs;
  private int flags, eflags;

  /** The fault, or -1; its error code and address. */
  private int vector, errorCode;

  private long address;

  void take(Cpu cpu, Fault fault) {
    System.arraycopy(cpu.r, 0, r, 0, 16);
    System.arraycopy(cpu.xmm, 0, xmm, 0, 32);
    rip = cpu.rip;
    clock = cpu.clock.now;
    retired = cpu.retired;
    gs = cpu.effectiveBase(Instruction.GS);
    flags = cpu.arithmeticFlags();
    eflags = cpu.eflags;
    vector = fault == null ? -1 : fault.vector();
    errorCode = fault == null ? 0 : fault.errorCode();
    address = fault == null ? 0 : fault.address();
  }

  void restore(Cpu cpu) {
    System.arraycopy(r, 0, cpu.r, 0, 16);
    System.arraycopy(xmm, 0, cpu.xmm, 0, 32);
    cpu.rip = rip;
    cpu.clock.now = clock;
    cpu.retired = retired;
    cpu.setArithmeticFlags(flags);
    // Of the other flags CLI and STI change one, which nothing else depends on.
    cpu.eflags = eflags;
    if (gs != cpu.effectiveBase(Instruction.GS)) {
      cpu.swapGs();
    }
  }

  boolean equals(Snapshot other) {
    return Arrays.equals(r, other.r) && Arrays.equals(xmm, other.xmm) && rip == other.rip && clock == other.clock
        && retired == other.retired && flags == other.flags && eflags == other.eflags && gs == other.gs && vector == other.vector
        && errorCode == other.errorCode && address == other.address;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("rip %016x  flags %03x  rflags %06x  count %d".formatted(rip, flags, eflags, clock));
    if (vector >= 0) {
      text.append("  fault %d, error code 0x%x, address 0x%x".formatted(vector, errorCode, address));
    }
    for (int n = 0; n < 16; n++) {
      text.append(n % 4 == 0 ? "\n  " : "  ").append("%-3s %016x".formatted(NAMES[n], r[n]));
    }
    for (int n = 0; n < 16; n++) {
      text.append(n % 2 == 0 ? "\n  " : "  ").append("xmm%-2d %016x%016x".formatted(n, xmm[2 * n + 1], xmm[2 * n]));
    }
    return text.toString();
  }
}
