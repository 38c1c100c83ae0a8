package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/**
 * Addition and subtraction. Each operation is one method for all widths: {@code shift} is 64 minus the width in bits, operands may have
 * anything above their width, the result is zero-extended, all flags are set.
 */
final class Arithmetic {
  /** Where {@link Cpu#flagCarries} keeps CF and the carry into the top bit. */
  static final long TOP = 3L << 62;

  private Arithmetic() {}

  // ---- What they compute ----

  static long add(Cpu c, long a, long b, int shift) {
    return sum(c, a, b, a + b, shift);
  }

  static long adc(Cpu c, long a, long b, int shift) {
    return sum(c, a, b, a + b + (c.cf() ? 1 : 0), shift);
  }

  static long sub(Cpu c, long a, long b, int shift) {
    return difference(c, a, b, a - b, shift);
  }

  static long sbb(Cpu c, long a, long b, int shift) {
    return difference(c, a, b, a - b - (c.cf() ? 1 : 0), shift);
  }

  private static long sum(Cpu c, long a, long b, long r, int shift) {
    long carries = a & b | (a | b) & ~r;
    c.flagCarries = carries << shift & TOP | carries & 8;
    c.flagResult = r << shift >> shift;
    return r << shift >>> shift;
  }

  private static long difference(Cpu c, long a, long b, long r, int shift) {
    long borrows = ~a & b | (~a | b) & r;
    c.flagCarries = borrows << shift & TOP | borrows & 8;
    c.flagResult = r << shift >> shift;
    return r << shift >>> shift;
  }

  /** CF stays. */
  static long inc(Cpu c, long a, int shift) {
    long r = a + 1;
    long signed = r << shift >> shift;
    overflowBeside(c, signed == Long.MIN_VALUE >> shift, (r & 15) == 0);
    c.flagResult = signed;
    return r << shift >>> shift;
  }

  /** CF stays. */
  static long dec(Cpu c, long a, int shift) {
    long r = a - 1;
    long signed = r << shift >> shift;
    overflowBeside(c, signed == Long.MAX_VALUE >> shift, (r & 15) == 15);
    c.flagResult = signed;
    return r << shift >>> shift;
  }

  private static void overflowBeside(Cpu c, boolean overflow, boolean adjust) {
    c.flagCarries = c.flagCarries >> 63 & TOP ^ (overflow ? 1L << 62 : 0) | (adjust ? 8 : 0);
  }

  static long neg(Cpu c, long a, int shift) {
    return sub(c, 0, a, shift);
  }

  // ---- Their forms ----

  static Op add(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[d] = add(c, c.r[d], c.r[s], 0);
      case RM64 -> (c, n) -> c.r[d] = add(c, c.r[d], c.mmu.read64(m.of(c)), 0);
      case RI64 -> (c, n) -> c.r[d] = add(c, c.r[d], imm, 0);
      case MR64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, add(c, c.mmu.readForWrite(va, 8), c.r[s], 0));
      };
      case MI64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, add(c, c.mmu.readForWrite(va, 8), imm, 0));
      };
      case RR32 -> (c, n) -> c.r[d] = add(c, c.r[d], c.r[s], 32);
      case RM32 -> (c, n) -> c.r[d] = add(c, c.r[d], c.mmu.read32(m.of(c)), 32);
      case RI32 -> (c, n) -> c.r[d] = add(c, c.r[d], imm, 32);
      case MR32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) add(c, c.mmu.readForWrite(va, 4), c.r[s], 32));
      };
      case MI32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) add(c, c.mmu.readForWrite(va, 4), imm, 32));
      };
      default -> (c, n) -> Operands.update(c, n, Arithmetic::add);
    };
  }

  static Op sub(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[d] = sub(c, c.r[d], c.r[s], 0);
      case RM64 -> (c, n) -> c.r[d] = sub(c, c.r[d], c.mmu.read64(m.of(c)), 0);
      case RI64 -> (c, n) -> c.r[d] = sub(c, c.r[d], imm, 0);
      case MR64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, sub(c, c.mmu.readForWrite(va, 8), c.r[s], 0));
      };
      case MI64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, sub(c, c.mmu.readForWrite(va, 8), imm, 0));
      };
      case RR32 -> (c, n) -> c.r[d] = sub(c, c.r[d], c.r[s], 32);
      case RM32 -> (c, n) -> c.r[d] = sub(c, c.r[d], c.mmu.read32(m.of(c)), 32);
      case RI32 -> (c, n) -> c.r[d] = sub(c, c.r[d], imm, 32);
      case MR32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) sub(c, c.mmu.readForWrite(va, 4), c.r[s], 32));
      };
      case MI32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) sub(c, c.mmu.readForWrite(va, 4), imm, 32));
      };
      default -> (c, n) -> Operands.update(c, n, Arithmetic::sub);
    };
  }

  static Op cmp(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> sub(c, c.r[d], c.r[s], 0);
      case RM64 -> (c, n) -> sub(c, c.r[d], c.mmu.read64(m.of(c)), 0);
      case RI64 -> (c, n) -> sub(c, c.r[d], imm, 0);
      case MR64 -> (c, n) -> sub(c, c.mmu.read64(m.of(c)), c.r[s], 0);
      case MI64 -> (c, n) -> sub(c, c.mmu.read64(m.of(c)), imm, 0);
      case RR32 -> (c, n) -> sub(c, c.r[d], c.r[s], 32);
      case RM32 -> (c, n) -> sub(c, c.r[d], c.mmu.read32(m.of(c)), 32);
      case RI32 -> (c, n) -> sub(c, c.r[d], imm, 32);
      case MR32 -> (c, n) -> sub(c, c.mmu.read32(m.of(c)), c.r[s], 32);
      case MI32 -> (c, n) -> sub(c, c.mmu.read32(m.of(c)), imm, 32);
      case RR8 -> (c, n) -> sub(c, c.r[d], c.r[s], 56);
      case RM8 -> (c, n) -> sub(c, c.r[d], c.mmu.read8(m.of(c)), 56);
      case RI8 -> (c, n) -> sub(c, c.r[d], imm, 56);
      case MR8 -> (c, n) -> sub(c, c.mmu.read8(m.of(c)), c.r[s], 56);
      case MI8 -> (c, n) -> sub(c, c.mmu.read8(m.of(c)), imm, 56);
      default -> (c, n) -> Operands.compare(c, n, Arithmetic::sub);
    };
  }

  static Op adc(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[d] = adc(c, c.r[d], c.r[s], 0);
      case RM64 -> (c, n) -> c.r[d] = adc(c, c.r[d], c.mmu.read64(m.of(c)), 0);
      case RI64 -> (c, n) -> c.r[d] = adc(c, c.r[d], imm, 0);
      case RI32 -> (c, n) -> c.r[d] = adc(c, c.r[d], imm, 32);
      default -> (c, n) -> Operands.update(c, n, Arithmetic::adc);
    };
  }

  static Op sbb(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[d] = sbb(c, c.r[d], c.r[s], 0);
      case RR32 -> (c, n) -> c.r[d] = sbb(c, c.r[d], c.r[s], 32);
      case RI64 -> (c, n) -> c.r[d] = sbb(c, c.r[d], imm, 0);
      case RI32 -> (c, n) -> c.r[d] = sbb(c, c.r[d], imm, 32);
      default -> (c, n) -> Operands.update(c, n, Arithmetic::sbb);
    };
  }

  static Op inc(Instruction i) {
    int d = i.reg0;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case R64 -> (c, n) -> c.r[d] = inc(c, c.r[d], 0);
      case R32 -> (c, n) -> c.r[d] = inc(c, c.r[d], 32);
      case M64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, inc(c, c.mmu.readForWrite(va, 8), 0));
      };
      case M32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) inc(c, c.mmu.readForWrite(va, 4), 32));
      };
      default -> (c, n) -> Operands.update(c, n, Arithmetic::inc);
    };
  }

  static Op dec(Instruction i) {
    int d = i.reg0;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case R64 -> (c, n) -> c.r[d] = dec(c, c.r[d], 0);
      case R32 -> (c, n) -> c.r[d] = dec(c, c.r[d], 32);
      case M64 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write64(va, dec(c, c.mmu.readForWrite(va, 8), 0));
      };
      case M32 -> (c, n) -> {
        long va = m.of(c);
        c.mmu.write32(va, (int) dec(c, c.mmu.readForWrite(va, 4), 32));
      };
      default -> (c, n) -> Operands.update(c, n, Arithmetic::dec);
    };
  }

  static Op neg(Instruction i) {
    int d = i.reg0;
    return switch (Form.of(i)) {
      case R64 -> (c, n) -> c.r[d] = neg(c, c.r[d], 0);
      case R32 -> (c, n) -> c.r[d] = neg(c, c.r[d], 32);
      default -> (c, n) -> Operands.update(c, n, Arithmetic::neg);
    };
  }
}
