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
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[d] = and(c, c.r[d], c.r[s], 0);
      case RM64 -> (c, n) -> c.r[d] = and(c, c.r[d], c.mmu.read64(m.of(c)), 0);
      case RI64 -> (c, n) -> c.r[d] = and(c, c.r[d], imm, 0);
      case MR64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, and(c, c.mmu.readForWrite(va, 8), c.r[s], 0));
      };
      case MI64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, and(c, c.mmu.readForWrite(va, 8), imm, 0));
      };
      case RR32 -> (c, n) -> c.r[d] = and(c, c.r[d], c.r[s], 32);
      case RM32 -> (c, n) -> c.r[d] = and(c, c.r[d], c.mmu.read32(m.of(c)), 32);
      case RI32 -> (c, n) -> c.r[d] = and(c, c.r[d], imm, 32);
      case MR32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) and(c, c.mmu.readForWrite(va, 4), c.r[s], 32));
      };
      case MI32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) and(c, c.mmu.readForWrite(va, 4), imm, 32));
      };
      case RI8 -> (c, n) -> c.r[d] = c.r[d] & ~0xffL | and(c, c.r[d], imm, 56);
      case MI8 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write8(va, (int) and(c, c.mmu.readForWrite(va, 1), imm, 56));
      };
      default -> (c, n) -> Operands.update(c, n, Logic::and);
    };
  }

  static Op or(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[d] = or(c, c.r[d], c.r[s], 0);
      case RM64 -> (c, n) -> c.r[d] = or(c, c.r[d], c.mmu.read64(m.of(c)), 0);
      case RI64 -> (c, n) -> c.r[d] = or(c, c.r[d], imm, 0);
      case MR64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, or(c, c.mmu.readForWrite(va, 8), c.r[s], 0));
      };
      case MI64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, or(c, c.mmu.readForWrite(va, 8), imm, 0));
      };
      case RR32 -> (c, n) -> c.r[d] = or(c, c.r[d], c.r[s], 32);
      case RM32 -> (c, n) -> c.r[d] = or(c, c.r[d], c.mmu.read32(m.of(c)), 32);
      case RI32 -> (c, n) -> c.r[d] = or(c, c.r[d], imm, 32);
      case MR32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) or(c, c.mmu.readForWrite(va, 4), c.r[s], 32));
      };
      case MI32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) or(c, c.mmu.readForWrite(va, 4), imm, 32));
      };
      case RI8 -> (c, n) -> c.r[d] = c.r[d] & ~0xffL | or(c, c.r[d], imm, 56);
      case MI8 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write8(va, (int) or(c, c.mmu.readForWrite(va, 1), imm, 56));
      };
      default -> (c, n) -> Operands.update(c, n, Logic::or);
    };
  }

  static Op xor(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[d] = xor(c, c.r[d], c.r[s], 0);
      case RM64 -> (c, n) -> c.r[d] = xor(c, c.r[d], c.mmu.read64(m.of(c)), 0);
      case RI64 -> (c, n) -> c.r[d] = xor(c, c.r[d], imm, 0);
      case MR64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, xor(c, c.mmu.readForWrite(va, 8), c.r[s], 0));
      };
      case MI64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, xor(c, c.mmu.readForWrite(va, 8), imm, 0));
      };
      case RR32 -> (c, n) -> c.r[d] = xor(c, c.r[d], c.r[s], 32);
      case RM32 -> (c, n) -> c.r[d] = xor(c, c.r[d], c.mmu.read32(m.of(c)), 32);
      case RI32 -> (c, n) -> c.r[d] = xor(c, c.r[d], imm, 32);
      case MR32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) xor(c, c.mmu.readForWrite(va, 4), c.r[s], 32));
      };
      case MI32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) xor(c, c.mmu.readForWrite(va, 4), imm, 32));
      };
      case RI8 -> (c, n) -> c.r[d] = c.r[d] & ~0xffL | xor(c, c.r[d], imm, 56);
      case MI8 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write8(va, (int) xor(c, c.mmu.readForWrite(va, 1), imm, 56));
      };
      default -> (c, n) -> Operands.update(c, n, Logic::xor);
    };
  }

  static Op test(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> and(c, c.r[d], c.r[s], 0);
      case RI64 -> (c, n) -> and(c, c.r[d], imm, 0);
      case MR64 -> (c, n) -> and(c, c.mmu.read64(m.of(c)), c.r[s], 0);
      case MI64 -> (c, n) -> and(c, c.mmu.read64(m.of(c)), imm, 0);
      case RR32 -> (c, n) -> and(c, c.r[d], c.r[s], 32);
      case RI32 -> (c, n) -> and(c, c.r[d], imm, 32);
      case MR32 -> (c, n) -> and(c, c.mmu.read32(m.of(c)), c.r[s], 32);
      case MI32 -> (c, n) -> and(c, c.mmu.read32(m.of(c)), imm, 32);
      case RR8 -> (c, n) -> and(c, c.r[d], c.r[s], 56);
      case RI8 -> (c, n) -> and(c, c.r[d], imm, 56);
      case MI8 -> (c, n) -> and(c, c.mmu.read8(m.of(c)), imm, 56);
      default -> (c, n) -> Operands.compare(c, n, Logic::and);
    };
  }

  static Op not(Instruction i) {
    int d = i.reg0;
    return switch (Form.of(i)) {
      case R64 -> (c, n) -> c.r[d] = not(c, c.r[d], 0);
      case R32 -> (c, n) -> c.r[d] = not(c, c.r[d], 32);
      default -> (c, n) -> Operands.update(c, n, Logic::not);
    };
  }
}
