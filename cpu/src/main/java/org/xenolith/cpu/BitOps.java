package org.xenolith.cpu;

import org.xenolith.cpu.sse.Crc32c;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * Single bits and bit counts (AMD64 APM volume 3). Flags that the manuals leave undefined: BT and its kin leave all but CF as they were;
 * BSF and BSR set them as a TEST of the source would.
 */
final class BitOps {
  private BitOps() {}

  // ---- BT, BTS, BTR, BTC ----

  @FunctionalInterface
  private interface Change {
    long apply(long value, long bit);
  }

  /** The address of the unit that a bit offset in a register reaches: the offset is signed and counts from the operand. */
  private static long unit(Cpu c, Instruction i) {
    int shift = Operands.shift(i.width);
    long offset = c.r[i.reg1] << shift >> shift;
    // Units of the operand's width: offset / bits, rounded down, times bytes.
    long bytes = (offset >> 3) & -i.width;
    return c.ea(i, bytes);
  }

  private static long bit(Cpu c, Instruction i) {
    return 1L << ((i.kind1 == OperandKind.IMM ? i.imm : c.r[i.reg1]) & 8 * i.width - 1);
  }

  static void bt(Cpu c, Instruction i) {
    long bit = bit(c, i);
    long value = i.kind0 != OperandKind.MEM ? c.r[i.reg0] : c.mmu.read(i.kind1 == OperandKind.IMM ? c.ea(i) : unit(c, i), i.width);
    c.setCarry((value & bit) != 0);
  }

  static void bts(Cpu c, Instruction i) {
    change(c, i, (value, bit) -> value | bit);
  }

  static void btr(Cpu c, Instruction i) {
    change(c, i, (value, bit) -> value & ~bit);
  }

  static void btc(Cpu c, Instruction i) {
    change(c, i, (value, bit) -> value ^ bit);
  }

  private static void change(Cpu c, Instruction i, Change change) {
    long bit = bit(c, i);
    long value;
    if (i.kind0 == OperandKind.MEM) {
      long va = i.kind1 == OperandKind.IMM ? c.ea(i) : unit(c, i);
      value = c.mmu.readForWrite(va, i.width);
      c.mmu.write(va, i.width, change.apply(value, bit));
    } else {
      value = c.r[i.reg0];
      Operands.setRegister(c, i.reg0, i.width, change.apply(value, bit));
    }
    c.setCarry((value & bit) != 0);
  }

  // ---- Scans and counts ----

  private static long tested(Cpu c, Instruction i) {
    return Logic.and(c, Operands.read1(c, i), -1, Operands.shift(i.width));
  }

  /** A source of 0 leaves the destination alone, its upper half included. */
  static void bsf(Cpu c, Instruction i) {
    long value = tested(c, i);
    if (value != 0) {
      Operands.setRegister(c, i.reg0, i.width, Long.numberOfTrailingZeros(value));
    }
  }

  static void bsr(Cpu c, Instruction i) {
    long value = tested(c, i);
    if (value != 0) {
      Operands.setRegister(c, i.reg0, i.width, 63 - Long.numberOfLeadingZeros(value));
    }
  }

  static void popcnt(Cpu c, Instruction i) {
    long value = Operands.read1(c, i);
    Operands.setRegister(c, i.reg0, i.width, Long.bitCount(value));
    c.setArithmeticFlags(value == 0 ? Cpu.ZF : 0);
  }

  /** BSWAP of 16 bits, undefined by the manuals, gives 0, as processors do. */
  static void bswap(Cpu c, Instruction i) {
    long value = c.r[i.reg0];
    switch (i.width) {
      case 8 -> c.r[i.reg0] = Long.reverseBytes(value);
      case 4 -> c.r[i.reg0] = Integer.reverseBytes((int) value) & 0xffff_ffffL;
      default -> c.r[i.reg0] = value & ~0xffffL;
    }
  }

  static void movbe(Cpu c, Instruction i) {
    long value = Long.reverseBytes(Operands.read1(c, i)) >>> Operands.shift(i.width);
    Operands.write0(c, i, value);
  }

  static void crc32(Cpu c, Instruction i) {
    long data = Operands.read(c, i, i.kind1, i.reg1, i.sourceWidth);
    c.r[i.reg0] = Crc32c.update((int) c.r[i.reg0], data, i.sourceWidth) & 0xffff_ffffL;
  }
}
