package org.xenolith.cpu.x87;

/**
 * The memory images of FSTENV, FSAVE and FXSAVE, little-endian in arrays of longs. Intel manual volume 1, sections 8.1.10 and 10.5; AMD
 * manual volume 2, section 11.4.4. FSTENV and FSAVE have formats of their own in real mode, with linear addresses in place of selectors and
 * offsets.
 */
public final class X87Images {
  /** Sizes in bytes for operand sizes of 16 and 32 bits. */
  public static final int ENVIRONMENT_16 = 14, ENVIRONMENT_32 = 28, SAVE_16 = 94, SAVE_32 = 108;

  /** Where MXCSR, its mask and the first registers are in the FXSAVE image. */
  public static final int FXSAVE_MXCSR = 24, FXSAVE_MXCSR_MASK = 28, FXSAVE_ST = 32, FXSAVE_XMM = 160;

  private X87Images() {}

  private static void put(long[] image, int offset, int bytes, long value) {
    for (int i = 0; i < bytes; i++) {
      int at = offset + i;
      int shift = (at & 7) * 8;
      image[at >> 3] = image[at >> 3] & ~(0xFFL << shift) | (value >>> i * 8 & 0xFF) << shift;
    }
  }

  private static long get(long[] image, int offset, int bytes) {
    long value = 0;
    for (int i = 0; i < bytes; i++) {
      int at = offset + i;
      value |= (image[at >> 3] >>> (at & 7) * 8 & 0xFF) << i * 8;
    }
    return value;
  }

  /**
   * FNSTENV without its masking of exceptions.
   *
   * @param wide an operand size of 32 bits, not 16
   * @param real the formats of real mode
   */
  public static void storeEnvironment(X87State state, long[] image, boolean wide, boolean real) {
    int step = wide ? 4 : 2;
    long unused = wide ? 0xFFFF0000L : 0;
    put(image, 0, step, state.control | unused);
    put(image, step, step, state.statusWord() | unused);
    put(image, 2 * step, step, state.tagWord() | unused);
    if (real) {
      long code = ((long) state.codeSelector << 4) + state.instructionPointer;
      long data = ((long) state.dataSelector << 4) + state.dataPointer;
      put(image, 3 * step, step, code & 0xFFFF | unused);
      put(image, 4 * step, step, upper(code, wide) | state.opcode);
      put(image, 5 * step, step, data & 0xFFFF | unused);
      put(image, 6 * step, step, upper(data, wide));
      return;
    }
    put(image, 3 * step, step, state.instructionPointer);
    put(image, 4 * step, step, wide ? state.codeSelector | (long) state.opcode << 16 : state.codeSelector);
    put(image, 5 * step, step, state.dataPointer);
    put(image, 6 * step, step, state.dataSelector | unused);
  }

  /** Bits 16 and up of a linear address where real-mode images have them: from bit 12 on, 4 or 16. */
  private static long upper(long linear, boolean wide) {
    return (linear >>> 16 & (wide ? 0xFFFF : 0xF)) << 12;
  }

  /** FLDENV; parameters as for {@link #storeEnvironment}. */
  public static void loadEnvironment(X87State state, long[] image, boolean wide, boolean real) {
    int step = wide ? 4 : 2;
    state.setControlWord((int) get(image, 0, 2));
    state.setStatusWord((int) get(image, step, 2));
    state.setTagWord((int) get(image, 2 * step, 2));
    if (real) {
      state.instructionPointer = get(image, 3 * step, 2) | get(image, 4 * step, step) >>> 12 << 16;
      state.codeSelector = 0;
      state.opcode = (int) get(image, 4 * step, 2) & 0x7FF;
      state.dataPointer = get(image, 5 * step, 2) | get(image, 6 * step, step) >>> 12 << 16;
      state.dataSelector = 0;
      return;
    }
    state.instructionPointer = get(image, 3 * step, step);
    state.codeSelector = (int) get(image, 4 * step, 2);
    state.opcode = wide ? (int) get(image, 4 * step + 2, 2) & 0x7FF : 0;
    state.dataPointer = get(image, 5 * step, step);
    state.dataSelector = (int) get(image, 6 * step, 2);
  }

  /** FNSAVE without its initialization; parameters as for {@link #storeEnvironment}. */
  public static void save(X87State state, long[] image, boolean wide, boolean real) {
    storeEnvironment(state, image, wide, real);
    int offset = wide ? ENVIRONMENT_32 : ENVIRONMENT_16;
    for (int i = 0; i < 8; i++) {
      int register = state.top + i & 7;
      put(image, offset + 10 * i, 8, state.significands[register]);
      put(image, offset + 10 * i + 8, 2, state.signExponents[register]);
    }
  }

  /** FRSTOR; parameters as for {@link #storeEnvironment}. */
  public static void restore(X87State state, long[] image, boolean wide, boolean real) {
    loadEnvironment(state, image, wide, real);
    int offset = wide ? ENVIRONMENT_32 : ENVIRONMENT_16;
    for (int i = 0; i < 8; i++) {
      int register = state.top + i & 7;
      state.significands[register] = get(image, offset + 10 * i, 8);
      state.signExponents[register] = (int) get(image, offset + 10 * i + 8, 2);
    }
  }

  /**
   * The x87 part of FXSAVE: bytes 0 to 23 and the registers at 32 to 159.
   *
   * @param wide the REX.W form with 64-bit pointers; the other has 32-bit pointers and selectors
   */
  public static void fxsave(X87State state, long[] image, boolean wide) {
    put(image, 0, 2, state.control);
    put(image, 2, 2, state.statusWord());
    put(image, 4, 2, state.occupied);
    // AMD processors save the pointers only with an exception pending, else zeros.
    boolean pointers = state.isExceptionPending();
    put(image, 6, 2, pointers ? state.opcode : 0);
    image[1] = pointers ? pointer(state.instructionPointer, state.codeSelector, wide) : 0;
    image[2] = pointers ? pointer(state.dataPointer, state.dataSelector, wide) : 0;
    for (int i = 0; i < 8; i++) {
      int register = state.top + i & 7;
      image[4 + 2 * i] = state.significands[register];
      image[5 + 2 * i] = state.signExponents[register];
    }
  }

  private static long pointer(long offset, int selector, boolean wide) {
    return wide ? offset : offset & 0xFFFFFFFFL | (long) selector << 32;
  }

  /** The x87 part of FXRSTOR. */
  public static void fxrstor(X87State state, long[] image, boolean wide) {
    state.setControlWord((int) image[0]);
    state.setStatusWord((int) (image[0] >>> 16));
    state.occupied = (int) (image[0] >>> 32) & 0xFF;
    state.opcode = (int) (image[0] >>> 48) & 0x7FF;
    state.instructionPointer = wide ? image[1] : image[1] & 0xFFFFFFFFL;
    state.codeSelector = wide ? 0 : (int) (image[1] >>> 32) & 0xFFFF;
    state.dataPointer = wide ? image[2] : image[2] & 0xFFFFFFFFL;
    state.dataSelector = wide ? 0 : (int) (image[2] >>> 32) & 0xFFFF;
    for (int i = 0; i < 8; i++) {
      int register = state.top + i & 7;
      state.significands[register] = image[4 + 2 * i];
      state.signExponents[register] = (int) image[5 + 2 * i] & 0xFFFF;
    }
  }
}
