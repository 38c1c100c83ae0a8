package org.xenolith.cpu.sse;

/** What an instruction with an MMX register as destination does: the destination's new value. */
@FunctionalInterface
public interface MmxOperation {
  /**
   * @param destination the destination's old value
   * @param source the source's 64 bits (a narrower source zero-extended)
   * @param immediate the immediate byte, or 0
   */
  long apply(long destination, long source, int immediate);
}
