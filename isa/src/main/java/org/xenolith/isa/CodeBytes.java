package org.xenolith.isa;

/** Where a {@link Decoder} can read an instruction's bytes from, one by one. */
@FunctionalInterface
public interface CodeBytes {
  /** The byte at {@code index} (0 is the instruction's first), 0 to 255, or -1 where there is none to be had. */
  int byteAt(int index);
}
