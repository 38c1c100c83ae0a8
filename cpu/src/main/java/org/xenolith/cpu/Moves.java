package org.xenolith.cpu;

import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Data movement between registers and memory, conversions of width, exchanges, and what is done on a condition. */
final class Moves {
  private Moves() {}

  static Op mov(Instruction i) {
    if (i.kind0 == OperandKind.SEG || i.kind1 == OperandKind.SEG) {
      return i.kind0 == OperandKind.SEG ? SegmentOps::load : SegmentOps::store;
    }
    if (i.kind0 == OperandKind.DR || i.kind1 == OperandKind.DR) {
      return DebugOps::move;
    }
    if (i.kind0 == OperandKind.CR || i.kind1 == OperandKind.CR) {
      return SystemOps::privileged;
    }
    int d = i.reg0;
    int s = i.reg1;
    long imm = i.imm;
    Address m = Address.of(i);
    return switch (Form.of(i)) {
      case RR64 -> (c, n) -> c.r[d] = c.r[s];
      case RM64 -> (c, n) -> c.r[d] = c.mmu.read64(m.of(c));
      case RI64 -> (c, n) -> c.r[d] = imm;
      case RI32 -> (c, n) -> c.r[d] = imm & 0xffff_ffffL;
      case MR64 -> (c, n) -> c.mmu.write64(m.of(c), c.r[s]);
      case MI64 -> (c, n) -> c.mmu.write64(m.of(c), imm);
      case RR32 -> (c, n) -> c.r[d] = c.r[s] & 0xffff_ffffL;
      case RM32 -> (c, n) -> c.r[d] = c.mmu.read32(m.of(c)) & 0xffff_ffffL;
      case MR32 -> (c, n) -> c.mmu.write32(m.of(c), (int) c.r[s]);
      case MI32 -> (c, n) -> c.mmu.write32(m.of(c), (int) imm);
      case RR8 -> (c, n) -> c.r[d] = c.r[d] & ~0xffL | c.r[s] & 0xff;
      case RM8 -> (c, n) -> c.r[d] = c.r[d] & ~0xffL | c.mmu.read8(m.of(c));
      case RI8 -> (c, n) -> c.r[d] = c.r[d] & ~0xffL | imm & 0xff;
      case MR8 -> (c, n) -> c.mmu.write8(m.of(c), (int) c.r[s]);
      case MI8 -> (c, n) -> c.mmu.write8(m.of(c), (int) imm);
      default -> (c, n) -> Operands.write0(c, n, Operands.read1(c, n));
    };
  }

  static Op movzx(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    Address m = Address.of(i);
    if (i.width >= 4 && m != null) {
      return i.sourceWidth == 1 ? (c, n) -> c.r[d] = c.mmu.read8(m.of(c)) : (c, n) -> c.r[d] = c.mmu.read16(m.of(c));
    }
    if (i.width >= 4 && i.kind1 == OperandKind.GPR) {
      return i.sourceWidth == 1 ? (c, n) -> c.r[d] = c.r[s] & 0xff : (c, n) -> c.r[d] = c.r[s] & 0xffff;
    }
    return (c, n) -> Operands.write0(c, n, Operands.read(c, n, n.kind1, n.reg1, n.sourceWidth));
  }

  /** MOVSX and MOVSXD. */
  static Op movsx(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    Address m = Address.of(i);
    if (i.width == 8 && i.sourceWidth == 4 && m != null) {
      return (c, n) -> c.r[d] = c.mmu.read32(m.of(c));
    }
    if (i.width == 8 && i.sourceWidth == 4 && i.kind1 == OperandKind.GPR) {
      return (c, n) -> c.r[d] = (int) c.r[s];
    }
    return (c, n) -> {
      int shift = Operands.shift(n.sourceWidth);
      Operands.write0(c, n, Operands.read(c, n, n.kind1, n.reg1, n.sourceWidth) << shift >> shift);
    };
  }

  static Op lea(Instruction i) {
    int d = i.reg0;
    Address m = Address.of(i);
    if (m != null && i.width == 8) {
      return (c, n) -> c.r[d] = m.offset(c);
    }
    if (m != null && i.width == 4) {
      return (c, n) -> c.r[d] = m.offset(c) & 0xffff_ffffL;
    }
    return (c, n) -> Operands.setRegister(c, n.reg0, n.width, c.offset(n));
  }

  static void xchg(Cpu c, Instruction i) {
    int width = i.width;
    if (i.kind0 == OperandKind.MEM) {
      long va = c.ea(i);
      long old = c.mmu.readForWrite(va, width);
      c.mmu.write(va, width, Operands.read1(c, i));
      Operands.write(c, i, i.kind1, i.reg1, width, old);
    } else {
      long a = Operands.read0(c, i);
      Operands.write0(c, i, Operands.read1(c, i));
      Operands.write(c, i, i.kind1, i.reg1, width, a);
    }
  }

  static void xadd(Cpu c, Instruction i) {
    int width = i.width;
    long b = Operands.read1(c, i);
    if (i.kind0 == OperandKind.MEM) {
      long va = c.ea(i);
      long a = c.mmu.readForWrite(va, width);
      c.mmu.write(va, width, Arithmetic.add(c, a, b, Operands.shift(width)));
      Operands.write(c, i, i.kind1, i.reg1, width, a);
    } else {
      long a = Operands.read0(c, i);
      long sum = Arithmetic.add(c, a, b, Operands.shift(width));
      // The destination last: with one register for both, the sum stays.
      Operands.write(c, i, i.kind1, i.reg1, width, a);
      Operands.write0(c, i, sum);
    }
  }

  /** The destination is written in either case, with its own value if the comparison fails. */
  static void cmpxchg(Cpu c, Instruction i) {
    int width = i.width;
    int shift = Operands.shift(width);
    long accumulator = c.r[Cpu.RAX] & -1L >>> shift;
    long replacement = Operands.read1(c, i);
    boolean memory = i.kind0 == OperandKind.MEM;
    long va = memory ? c.ea(i) : 0;
    long value = memory ? c.mmu.readForWrite(va, width) : Operands.read0(c, i);
    boolean equal = value == accumulator;
    if (memory) {
      c.mmu.write(va, width, equal ? replacement : value);
    } else if (equal) {
      Operands.write0(c, i, replacement);
    }
    Arithmetic.sub(c, accumulator, value, shift);
    if (!equal) {
      Operands.setRegister(c, Cpu.RAX, width, value);
    }
  }

  static void cmpxchg8b(Cpu c, Instruction i) {
    long va = c.ea(i);
    long[] r = c.r;
    long value = c.mmu.readForWrite(va, 8);
    boolean equal = value == (r[Cpu.RDX] << 32 | r[Cpu.RAX] & 0xffff_ffffL);
    c.mmu.write64(va, equal ? r[Cpu.RCX] << 32 | r[Cpu.RBX] & 0xffff_ffffL : value);
    if (!equal) {
      r[Cpu.RAX] = value & 0xffff_ffffL;
      r[Cpu.RDX] = value >>> 32;
    }
    setZero(c, equal);
  }

  /** #GP(0) unless aligned to 16 bytes. */
  static void cmpxchg16b(Cpu c, Instruction i) {
    long va = c.eaAligned(i);
    long[] r = c.r;
    long low = c.mmu.readForWrite(va, 8);
    long high = c.mmu.readForWrite(va + 8, 8);
    boolean equal = low == r[Cpu.RAX] && high == r[Cpu.RDX];
    c.mmu.write128(va, equal ? r[Cpu.RBX] : low, equal ? r[Cpu.RCX] : high);
    if (!equal) {
      r[Cpu.RAX] = low;
      r[Cpu.RDX] = high;
    }
    setZero(c, equal);
  }

  private static void setZero(Cpu c, boolean zero) {
    c.setArithmeticFlags(c.arithmeticFlags() & ~Cpu.ZF | (zero ? Cpu.ZF : 0));
  }

  // ---- On a condition ----

  /** Reads the source whether the condition holds or not, and clears the upper half of a 32-bit destination either way. */
  static Op cmov(Instruction i) {
    int d = i.reg0;
    int s = i.reg1;
    int condition = i.condition;
    if (i.width == 8 && i.kind1 == OperandKind.GPR) {
      return (c, n) -> {
        if (c.condition(condition)) {
          c.r[d] = c.r[s];
        }
      };
    }
    if (i.width == 4 && i.kind1 == OperandKind.GPR) {
      return (c, n) -> c.r[d] = c.r[c.condition(condition) ? s : d] & 0xffff_ffffL;
    }
    return (c, n) -> {
      long value = Operands.read1(c, n);
      if (c.condition(n.condition)) {
        Operands.setRegister(c, n.reg0, n.width, value);
      } else if (n.width == 4) {
        c.r[n.reg0] &= 0xffff_ffffL;
      }
    };
  }

  static void setcc(Cpu c, Instruction i) {
    Operands.write0(c, i, c.condition(i.condition) ? 1 : 0);
  }

  // ---- The accumulator ----

  /** CBW, CWDE, CDQE. */
  static void cbw(Cpu c, Instruction i) {
    long a = c.r[Cpu.RAX];
    Operands.setRegister(c, Cpu.RAX, i.width, i.width == 8 ? (int) a : i.width == 4 ? (short) a : (byte) a);
  }

  /** CWD, CDQ, CQO. */
  static void cwd(Cpu c, Instruction i) {
    long sign = c.r[Cpu.RAX] << Operands.shift(i.width) >> 63;
    Operands.setRegister(c, Cpu.RDX, i.width, sign);
  }

  static void xlat(Cpu c, Instruction i) {
    long offset = c.r[Cpu.RBX] + (c.r[Cpu.RAX] & 0xff);
    int value = c.mmu.read8(c.linear(i.segment, offset & -1L >>> Operands.shift(i.addressWidth)));
    Operands.setRegister(c, Cpu.RAX, 1, value);
  }

  static void lahf(Cpu c, Instruction i) {
    int flags = c.arithmeticFlags() & ~Cpu.OF | 2;
    c.r[Cpu.RAX] = c.r[Cpu.RAX] & ~0xff00L | flags << 8;
  }

  static void sahf(Cpu c, Instruction i) {
    int flags = (int) (c.r[Cpu.RAX] >>> 8);
    c.setArithmeticFlags(flags & ~Cpu.OF | (c.of() ? Cpu.OF : 0));
  }
}
