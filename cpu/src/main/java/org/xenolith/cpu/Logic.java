package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/** Bitwise logic. CF and OF become 0; AF, undefined by the manuals, becomes 0 too. Conventions as in {@link Arithmetic}. */
final class Logic {
  private Logic() {}

  // ---- What they compute ----

  static long and(Cpu c, long a, long b, int shift) {
    return result(c, a & b, shift);
  }

  static long or(Cpu c, long a, long b, int shift) {
    return result(c, a | b, shift);
  }

  static long xor(Cpu c, long a, long b, int shift) {
    return result(c, a ^ b, shift);
  }

  private static long result(Cpu c, long r, int shift) {
    c.flagCarries = 0;
    c.flagResult = r << shift >> shift;
    return r << shift >>> shift;
  }

  /** No flag changes. */
  static long not(Cpu c, long a, int shift) {
    return ~a << shift >>> shift;
  }

  // ---- Their forms ----

  static Op and(Instruction i) {
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[n.reg0] = and(c, c.r[n.reg0], c.r[n.reg1], 0);
      case RM64 -> (c, n) -> c.r[n.reg0] = and(c, c.r[n.reg0], c.mmu.read64(c.ea(n)), 0);
      case RI64 -> (c, n) -> c.r[n.reg0] = and(c, c.r[n.reg0], n.imm, 0);
      case MR64 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write64(va, and(c, c.mmu.readForWrite(va, 8), c.r[n.reg1], 0));
      };
      case MI64 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write64(va, and(c, c.mmu.readForWrite(va, 8), n.imm, 0));
      };
      case RR32 -> (c, n) -> c.r[n.reg0] = and(c, c.r[n.reg0], c.r[n.reg1], 32);
      case RM32 -> (c, n) -> c.r[n.reg0] = and(c, c.r[n.reg0], c.mmu.read32(c.ea(n)), 32);
      case RI32 -> (c, n) -> c.r[n.reg0] = and(c, c.r[n.reg0], n.imm, 32);
      case MR32 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write32(va, (int) and(c, c.mmu.readForWrite(va, 4), c.r[n.reg1], 32));
      };
      case MI32 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write32(va, (int) and(c, c.mmu.readForWrite(va, 4), n.imm, 32));
      };
      case RI8 -> (c, n) -> c.r[n.reg0] = c.r[n.reg0] & ~0xffL | and(c, c.r[n.reg0], n.imm, 56);
      case MI8 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write8(va, (int) and(c, c.mmu.readForWrite(va, 1), n.imm, 56));
      };
      default -> (c, n) -> Operands.update(c, n, Logic::and);
    };
  }

  static Op or(Instruction i) {
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[n.reg0] = or(c, c.r[n.reg0], c.r[n.reg1], 0);
      case RM64 -> (c, n) -> c.r[n.reg0] = or(c, c.r[n.reg0], c.mmu.read64(c.ea(n)), 0);
      case RI64 -> (c, n) -> c.r[n.reg0] = or(c, c.r[n.reg0], n.imm, 0);
      case MR64 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write64(va, or(c, c.mmu.readForWrite(va, 8), c.r[n.reg1], 0));
      };
      case MI64 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write64(va, or(c, c.mmu.readForWrite(va, 8), n.imm, 0));
      };
      case RR32 -> (c, n) -> c.r[n.reg0] = or(c, c.r[n.reg0], c.r[n.reg1], 32);
      case RM32 -> (c, n) -> c.r[n.reg0] = or(c, c.r[n.reg0], c.mmu.read32(c.ea(n)), 32);
      case RI32 -> (c, n) -> c.r[n.reg0] = or(c, c.r[n.reg0], n.imm, 32);
      case MR32 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write32(va, (int) or(c, c.mmu.readForWrite(va, 4), c.r[n.reg1], 32));
      };
      case MI32 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write32(va, (int) or(c, c.mmu.readForWrite(va, 4), n.imm, 32));
      };
      case RI8 -> (c, n) -> c.r[n.reg0] = c.r[n.reg0] & ~0xffL | or(c, c.r[n.reg0], n.imm, 56);
      case MI8 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write8(va, (int) or(c, c.mmu.readForWrite(va, 1), n.imm, 56));
      };
      default -> (c, n) -> Operands.update(c, n, Logic::or);
    };
  }

  static Op xor(Instruction i) {
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[n.reg0] = xor(c, c.r[n.reg0], c.r[n.reg1], 0);
      case RM64 -> (c, n) -> c.r[n.reg0] = xor(c, c.r[n.reg0], c.mmu.read64(c.ea(n)), 0);
      case RI64 -> (c, n) -> c.r[n.reg0] = xor(c, c.r[n.reg0], n.imm, 0);
      case MR64 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write64(va, xor(c, c.mmu.readForWrite(va, 8), c.r[n.reg1], 0));
      };
      case MI64 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write64(va, xor(c, c.mmu.readForWrite(va, 8), n.imm, 0));
      };
      case RR32 -> (c, n) -> c.r[n.reg0] = xor(c, c.r[n.reg0], c.r[n.reg1], 32);
      case RM32 -> (c, n) -> c.r[n.reg0] = xor(c, c.r[n.reg0], c.mmu.read32(c.ea(n)), 32);
      case RI32 -> (c, n) -> c.r[n.reg0] = xor(c, c.r[n.reg0], n.imm, 32);
      case MR32 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write32(va, (int) xor(c, c.mmu.readForWrite(va, 4), c.r[n.reg1], 32));
      };
      case MI32 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write32(va, (int) xor(c, c.mmu.readForWrite(va, 4), n.imm, 32));
      };
      case RI8 -> (c, n) -> c.r[n.reg0] = c.r[n.reg0] & ~0xffL | xor(c, c.r[n.reg0], n.imm, 56);
      case MI8 -> (c, n) -> {
        long va = c.ea(n);
        c.mmu.write8(va, (int) xor(c, c.mmu.readForWrite(va, 1), n.imm, 56));
      };
      default -> (c, n) -> Operands.update(c, n, Logic::xor);
    };
  }

  static Op test(Instruction i) {
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> and(c, c.r[n.reg0], c.r[n.reg1], 0);
      case RI64 -> (c, n) -> and(c, c.r[n.reg0], n.imm, 0);
      case MR64 -> (c, n) -> and(c, c.mmu.read64(c.ea(n)), c.r[n.reg1], 0);
      case MI64 -> (c, n) -> and(c, c.mmu.read64(c.ea(n)), n.imm, 0);
      case RR32 -> (c, n) -> and(c, c.r[n.reg0], c.r[n.reg1], 32);
      case RI32 -> (c, n) -> and(c, c.r[n.reg0], n.imm, 32);
      case MR32 -> (c, n) -> and(c, c.mmu.read32(c.ea(n)), c.r[n.reg1], 32);
      case MI32 -> (c, n) -> and(c, c.mmu.read32(c.ea(n)), n.imm, 32);
      case RR8 -> (c, n) -> and(c, c.r[n.reg0], c.r[n.reg1], 56);
      case RI8 -> (c, n) -> and(c, c.r[n.reg0], n.imm, 56);
      case MI8 -> (c, n) -> and(c, c.mmu.read8(c.ea(n)), n.imm, 56);
      default -> (c, n) -> Operands.compare(c, n, Logic::and);
    };
  }

  static Op not(Instruction i) {
    return switch (Form.of(i)) {
      case R64 -> (c, n) -> c.r[n.reg0] = not(c, c.r[n.reg0], 0);
      case R32 -> (c, n) -> c.r[n.reg0] = not(c, c.r[n.reg0], 32);
      default -> (c, n) -> Operands.update(c, n, Logic::not);
    };
  }
}
