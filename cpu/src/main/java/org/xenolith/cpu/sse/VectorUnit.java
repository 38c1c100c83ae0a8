package org.xenolith.cpu.sse;

/** The SSE registers of one vCPU and what their instructions compute with. */
public final class VectorUnit {
  /** xmm0 to xmm15: the low half of register n at 2 * n, the high half at 2 * n + 1. */
  public final long[] xmm;

  /** Floating-point arithmetic, and MXCSR. */
  public final SseFloats floats = new SseFloats();

  /** The last result of a string comparison. */
  public final StringCompare strings = new StringCompare();

  public VectorUnit(long[] xmm) {
    this.xmm = xmm;
  }
}
