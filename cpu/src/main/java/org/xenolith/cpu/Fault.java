package org.xenolith.cpu;

/**
 * A fault inside an instruction, thrown by memory accesses and instruction methods and caught by {@link Cpu#run}. One object per processor,
 * reused, without stack trace or allocation. Vectors: Intel SDM volume 3, table 6-1.
 */
public final class Fault extends RuntimeException {
  public static final int DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, BR = 5, UD = 6, NM = 7, DF = 8, TS = 10, NP = 11, SS = 12, GP = 13;
  public static final int PF = 14, MF = 16, AC = 17, MC = 18, XM = 19;

  /**
   * No fault of the guest's: the instruction, of which nothing has happened, is to be run again alone ({@link
   * Cpu#aboutToAccessDevice}).
   */
  static final int RESTART = -1;

  /** The error code of vectors that have none. */
  public static final int NO_ERROR_CODE = -1;

  /** Bits of a page fault's error code. */
  public static final int PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8, PF_FETCH = 16;

  int vector;
  int errorCode;
  long address;

  Fault() {
    super(null, null, false, false);
  }

  /** The vector, see {@link #DE} and the rest. */
  public int vector() {
    return vector;
  }

  /** The error code or {@link #NO_ERROR_CODE}. */
  public int errorCode() {
    return errorCode;
  }

  /** The linear address of a page fault. */
  public long address() {
    return address;
  }
}
