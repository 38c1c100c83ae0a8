package org.xenolith.cpu.silicon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One case: an instruction and the state before it, and the state after it as one side found it. A view of {@link #SIZE} bytes, which is
 * also how the host's side reads and writes it; the layout is given here once.
 *
 * <p>The instruction stands at {@link #CODE_VA}, in a page otherwise full of INT3, so that whatever it does ends in a trap. Two data pages
 * follow one another at {@link #DATA_VA}; the page behind them does not exist. They are zero but for the bytes around their boundary (the
 * crossing window) and at their end (the edge window).
 */
final class Case {
  static final int SIZE = 5 * 4096;

  static final long CODE_PAGE_VA = 0x1000_0000L;
  static final long CODE_VA = CODE_PAGE_VA + 2048;
  static final long DATA_VA = 0x2000_0000L;
  static final int DATA_SIZE = 2 * 4096;
  static final int WINDOW = 512;
  static final long CROSSING_VA = DATA_VA + 4096 - WINDOW / 2;
  static final long EDGE_VA = DATA_VA + DATA_SIZE - WINDOW;

  // Before.
  static final int REGISTERS = 0;
  static final int RFLAGS = 128;
  static final int CODE = 136;
  static final int CODE_ROOM = 32;
  static final int FX = 256;
  static final int FX_SIZE = 512;
  static final int DATA = 4096;

  // After: what Linux's struct sigcontext holds, in its order.
  static final int CONTEXT = 1792;
  static final int CONTEXT_SIZE = 23 * 8;
  static final int FX_AFTER = 2048;
  static final int DATA_AFTER = DATA + DATA_SIZE;

  /** The places of the general registers in struct sigcontext (Linux, arch/x86/include/uapi/asm/sigcontext.h), by register number. */
  private static final int[] CONTEXT_REGISTER = {13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7};

  private static final int CONTEXT_RIP = 16, CONTEXT_RFLAGS = 17, CONTEXT_ERROR = 19, CONTEXT_TRAP = 20, CONTEXT_CR2 = 22;

  private final MemorySegment at;

  Case(MemorySegment at) {
    this.at = at;
  }

  MemorySegment segment() {
    return at;
  }

  private long get(long offset) {
    return at.get(ValueLayout.JAVA_LONG_UNALIGNED, offset);
  }

  private void set(long offset, long value) {
    at.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, value);
  }

  long register(int n) {
    return get(REGISTERS + 8 * n);
  }

  void register(int n, long value) {
    set(REGISTERS + 8 * n, value);
  }

  long rflags() {
    return get(RFLAGS);
  }

  void rflags(long value) {
    set(RFLAGS, value);
  }

  void code(byte[] instruction) {
    at.asSlice(CODE, CODE_ROOM).fill((byte) 0xcc);
    MemorySegment.copy(instruction, 0, at, ValueLayout.JAVA_BYTE, CODE, instruction.length);
  }

  byte[] code() {
    return at.asSlice(CODE, CODE_ROOM).toArray(ValueLayout.JAVA_BYTE);
  }

  byte[] fx() {
    return at.asSlice(FX, FX_SIZE).toArray(ValueLayout.JAVA_BYTE);
  }

  void fx(byte[] image) {
    MemorySegment.copy(image, 0, at, ValueLayout.JAVA_BYTE, FX, FX_SIZE);
  }

  MemorySegment data() {
    return at.asSlice(DATA, DATA_SIZE);
  }

  /** Sets the two windows, the crossing window first. */
  void data(byte[] windows) {
    data().fill((byte) 0);
    MemorySegment.copy(windows, 0, at, ValueLayout.JAVA_BYTE, DATA + CROSSING_VA - DATA_VA, WINDOW);
    MemorySegment.copy(windows, WINDOW, at, ValueLayout.JAVA_BYTE, DATA + EDGE_VA - DATA_VA, WINDOW);
  }

  long registerAfter(int n) {
    return get(CONTEXT + 8 * CONTEXT_REGISTER[n]);
  }

  void registerAfter(int n, long value) {
    set(CONTEXT + 8 * CONTEXT_REGISTER[n], value);
  }

  long ripAfter() {
    return get(CONTEXT + 8 * CONTEXT_RIP);
  }

  void ripAfter(long value) {
    set(CONTEXT + 8 * CONTEXT_RIP, value);
  }

  long rflagsAfter() {
    return get(CONTEXT + 8 * CONTEXT_RFLAGS);
  }

  void rflagsAfter(long value) {
    set(CONTEXT + 8 * CONTEXT_RFLAGS, value);
  }

  int trap() {
    return (int) get(CONTEXT + 8 * CONTEXT_TRAP);
  }

  void trap(int vector, int error, long cr2) {
    set(CONTEXT + 8 * CONTEXT_TRAP, vector);
    set(CONTEXT + 8 * CONTEXT_ERROR, error);
    set(CONTEXT + 8 * CONTEXT_CR2, cr2);
  }

  int error() {
    return (int) get(CONTEXT + 8 * CONTEXT_ERROR);
  }

  long cr2() {
    return get(CONTEXT + 8 * CONTEXT_CR2);
  }

  byte[] fxAfter() {
    return at.asSlice(FX_AFTER, FX_SIZE).toArray(ValueLayout.JAVA_BYTE);
  }

  void fxAfter(byte[] image) {
    MemorySegment.copy(image, 0, at, ValueLayout.JAVA_BYTE, FX_AFTER, FX_SIZE);
  }

  MemorySegment dataAfter() {
    return at.asSlice(DATA_AFTER, DATA_SIZE);
  }
}
