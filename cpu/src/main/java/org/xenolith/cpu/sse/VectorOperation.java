package org.xenolith.cpu.sse;

/** What an instruction with an SSE register as destination does to it. */
@FunctionalInterface
public interface VectorOperation {
  /**
   * Computes and writes the destination.
   *
   * @param d index of the destination's low half in {@link VectorUnit#xmm}
   * @param low the source's bits 63 to 0; for a narrower source its bits, zero-extended (an integer register: sign-extended)
   * @param high the source's bits 127 to 64
   * @param immediate the immediate byte, or 0
   * @return false if an unmasked exception came up: nothing was written but MXCSR's flags, and #XM is due
   */
  boolean apply(VectorUnit unit, int d, long low, long high, int immediate);
}
