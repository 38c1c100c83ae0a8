package org.xenolith.isa;

/** Prints instructions in AT&amp;T syntax. */
public final class Printer {
  private Printer() {}

  /** The instruction, mnemonic and operands. */
  public static String print(Instruction instruction) {
    return instruction.encoding.toString();
  }
}
