package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/**
 * Decimal adjustments, outside 64-bit mode only (AMD64 APM volume 3). Flags that the manuals leave undefined: OF is 0 after DAA, DAS, AAM
 * and AAD, CF and AF are 0 after AAM and AAD; AAA and AAS set SF, ZF and PF by AL and clear OF.
 */
final class Decimal {
  private Decimal() {}

  private static int al(Cpu c) {
    return (int) c.r[Cpu.RAX] & 0xff;
  }

  private static void setAl(Cpu c, int value, boolean carry, boolean adjust) {
    Operands.setRegister(c, Cpu.RAX, 1, value);
    c.flagResult = (byte) value;
    c.flagCarries = (carry ? Arithmetic.TOP : 0) | (adjust ? 8 : 0);
  }

  static void daa(Cpu c, Instruction i) {
    int old = al(c);
    boolean oldCarry = c.cf();
    boolean adjust = (old & 15) > 9 || c.af();
    boolean carry = old > 0x99 || oldCarry;
    setAl(c, old + (adjust ? 6 : 0) + (carry ? 0x60 : 0), carry, adjust);
  }

  static void das(Cpu c, Instruction i) {
    int old = al(c);
    boolean oldCarry = c.cf();
    boolean adjust = (old & 15) > 9 || c.af();
    boolean high = old > 0x99 || oldCarry;
    boolean carry = high || adjust && old < 6;
    setAl(c, old - (adjust ? 6 : 0) - (high ? 0x60 : 0), carry, adjust);
  }

  static void aaa(Cpu c, Instruction i) {
    ascii(c, 0x106);
  }

  static void aas(Cpu c, Instruction i) {
    ascii(c, -0x106);
  }

  private static void ascii(Cpu c, int step) {
    boolean adjust = (al(c) & 15) > 9 || c.af();
    if (adjust) {
      Operands.setRegister(c, Cpu.RAX, 2, c.r[Cpu.RAX] + step);
    }
    setAl(c, al(c) & 15, adjust, adjust);
  }

  static void aam(Cpu c, Instruction i) {
    int base = (int) i.imm & 0xff;
    if (base == 0) {
      throw c.fault(Fault.DE);
    }
    int value = al(c);
    Operands.setRegister(c, Cpu.RAX, 2, (long) (value / base) << 8);
    setAl(c, value % base, false, false);
  }

  static void aad(Cpu c, Instruction i) {
    int value = al(c) + ((int) c.r[Cpu.RAX] >>> 8 & 0xff) * ((int) i.imm & 0xff) & 0xff;
    Operands.setRegister(c, Cpu.RAX, 2, value);
    setAl(c, value, false, false);
  }

  static void salc(Cpu c, Instruction i) {
    Operands.setRegister(c, Cpu.RAX, 1, c.cf() ? 0xff : 0);
  }
}
