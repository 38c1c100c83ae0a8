package org.xenolith.cpu.x87;

import java.util.Arrays;

/**
 * The registers of the x87 unit and, in the same storage, those of MMX. Registers are in physical order here; ST(i) is register (top + i)
 * mod 8, MMi is the significand of register i. Intel manual volume 1, section 8.1 and chapter 9.
 */
public final class X87State {
  /** Significands by physical number: also the MMX registers. */
  public final long[] significands = new long[8];

  /** Signs and exponents by physical number. */
  public final int[] signExponents = new int[8];

  /** The control word. */
  public int control;

  /** Exception flags, stack fault and condition codes of the status word; top, summary and busy are derived. */
  int status;

  /** The physical number of ST(0). */
  public int top;

  /** Bit i: physical register i is not empty. */
  public int occupied;

  /** Where the last instruction that was no control instruction stood, its memory operand, and its opcode (11 bits). */
  public long instructionPointer, dataPointer;

  public int codeSelector, dataSelector, opcode;

  public X87State() {
    initialize();
  }

  /** FNINIT. Register contents stay, all registers become empty. */
  public void initialize() {
    control = X87Word.CONTROL_RESET;
    status = 0;
    top = 0;
    occupied = 0;
    instructionPointer = 0;
    dataPointer = 0;
    codeSelector = 0;
    dataSelector = 0;
    opcode = 0;
  }

  /** Power-on: as after FNINIT, all registers +0 and control word 0x40. */
  public void reset() {
    initialize();
    Arrays.fill(significands, 0);
    Arrays.fill(signExponents, 0);
    control = 0x40;
  }

  /** Whether an unmasked exception waits to be raised as #MF by the next waiting instruction. */
  public boolean isExceptionPending() {
    return (status & ~control & X87Word.EXCEPTIONS) != 0;
  }

  public int statusWord() {
    return status | top << X87Word.TOP_SHIFT | (isExceptionPending() ? X87Word.SUMMARY | X87Word.BUSY : 0);
  }

  public void setStatusWord(int word) {
    status = word & (X87Word.EXCEPTIONS | X87Word.STACK_FAULT | X87Word.CONDITIONS);
    top = word >> X87Word.TOP_SHIFT & 7;
  }

  /** FLDCW. Reserved bits stay 0 but bit 6, which stays 1. */
  public void setControlWord(int word) {
    control = word & 0x1F3F | 0x40;
  }

  /** What FNSTENV does after its store. */
  public void maskExceptions() {
    control |= X87Word.EXCEPTIONS;
  }

  /** FNCLEX. */
  public void clearExceptions() {
    status &= X87Word.CONDITIONS;
  }

  /** The full tag word: two bits per physical register. 0 a number, 1 zero, 2 special, 3 empty. */
  public int tagWord() {
    int word = 0;
    for (int i = 0; i < 8; i++) {
      word |= tag(i) << 2 * i;
    }
    return word;
  }

  private int tag(int i) {
    if ((occupied >> i & 1) == 0) {
      return 3;
    }
    int exponent = signExponents[i] & 0x7FFF;
    if (exponent == 0 && significands[i] == 0) {
      return 1;
    }
    return exponent == 0 || exponent == 0x7FFF || significands[i] >= 0 ? 2 : 0;
  }

  public void setTagWord(int word) {
    occupied = 0;
    for (int i = 0; i < 8; i++) {
      if ((word >> 2 * i & 3) != 3) {
        occupied |= 1 << i;
      }
    }
  }

  // MMX.

  /** What every MMX instruction but EMMS does first: top 0, no register empty. */
  public void enterMmx() {
    top = 0;
    occupied = 0xFF;
  }

  /** Writes MMi: the exponent field becomes all ones. */
  public void setMmx(int i, long value) {
    significands[i] = value;
    signExponents[i] = 0xFFFF;
  }

  /** EMMS. */
  public void leaveMmx() {
    top = 0;
    occupied = 0;
  }
}
