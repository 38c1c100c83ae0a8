package org.xenolith.translator;

/** Which register of the host holds what. */
final class Host {
  static final int RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;

  /** Free inside the code of one guest instruction. B is also where LAHF puts the flags, and what some instructions use as RAX. */
  static final int A = 10, B = RAX;

  /** Address of {@link State}. */
  static final int STATE = 15;

  /**
   * The host register that holds each general register of the guest, or -1 for those that stay in {@link State}: the least used of a
   * kernel's boot. The guest's RSP is kept out of the host's.
   */
  static final int[] HOME = {11, 1, 2, 3, 12, 5, 6, 7, 8, 9, -1, -1, -1, 13, 14, -1};

  /** The SSE registers of the guest are in those of the host, but for this one: it is free, and the guest's stays in {@link State}. */
  static final int XMM_SCRATCH = 15;

  private Host() {}
}
