package org.xenolith.translator;

import org.xenolith.isa.Encoding;

/**
 * What an instruction does to the arithmetic flags, and which of them the host sets as the interpreter does. What manuals leave undefined,
 * and so hosts may do as they like, is told by the difference.
 */
enum FlagEffect {
  NONE(0, 0, 0),
  /** All are set. */
  ARITHMETIC(Flags.ALL, Flags.ALL, Flags.ALL),
  /** All are set; AF is 0. */
  LOGIC(Flags.ALL, Flags.ALL, Flags.ALL & ~Encoding.AF),
  /** All but CF. */
  STEP(Flags.ALL & ~Encoding.CF, Flags.ALL & ~Encoding.CF, Flags.ALL & ~Encoding.CF),
  /** All are set by a count that is not 0, see {@link org.xenolith.translator.FlagSaver} for what AF and OF become. */
  SHIFT(Flags.ALL, Flags.ALL, Flags.ALL & ~(Encoding.AF | Encoding.OF)),
  /** The same by a count in a register: it may be 0, and then all stay. */
  SHIFT_BY_CL(Flags.ALL, 0, 0),
  /** CF and OF. */
  ROTATE(Encoding.CF | Encoding.OF, Encoding.CF | Encoding.OF, Encoding.CF),
  /** CF and OF tell that the product is long; the others are as if the low half had been tested. */
  PRODUCT(Flags.ALL, Flags.ALL, Encoding.CF | Encoding.OF),
  /** All are as if the source had been tested; hosts set ZF alone. */
  TESTED(Flags.ALL, Flags.ALL, 0),
  /** ZF only. */
  ZERO(Encoding.ZF, Encoding.ZF, Encoding.ZF),
  /** CF only; hosts may change others. */
  BIT(Encoding.CF, Encoding.CF, Encoding.CF);

  /** Flags that may change. */
  final int changes;

  /** Flags that are certainly replaced, so that what they were before does not matter. */
  final int kills;

  /** Flags that every host gives the interpreter's value. */
  final int exact;

  FlagEffect(int changes, int kills, int exact) {
    this.changes = changes;
    this.kills = kills;
    this.exact = exact;
  }
}
