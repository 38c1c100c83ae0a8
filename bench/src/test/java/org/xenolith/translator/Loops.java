package org.xenolith.translator;

import java.util.function.Consumer;
import org.xenolith.isa.Assembler;

/** Guests that run a loop for ever, on the translator. */
final class Loops {
  /** How often a block is interpreted before it is translated. */
  private static final int EARNED = 30;

  private Loops() {}

  /**
   * @param body of the loop; a jump to its start follows it
   */
  static Guest translated(Consumer<Assembler> body) {
    return new Guest(EARNED).code(code(body));
  }

  static byte[] code(Consumer<Assembler> body) {
    Assembler a = new Assembler(Guest.CODE);
    Assembler.Label again = a.here();
    body.accept(a);
    return a.jmp(again).toBytes();
  }
}
