package org.xenolith.translator;

import org.xenolith.isa.Encoding;

/** Sets of arithmetic flags, by their bits in RFLAGS. */
final class Flags {
  static final int ALL = Encoding.CF | Encoding.PF | Encoding.AF | Encoding.ZF | Encoding.SF | Encoding.OF;

  private Flags() {}
}
