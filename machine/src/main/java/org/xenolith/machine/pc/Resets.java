package org.xenolith.machine.pc;

/** The lines by which devices reset a PC. */
interface Resets {
  /**
   * The reset line: the machine starts anew.
   *
   * @param by the device, for messages
   */
  void hard(String by);

  /**
   * The INIT line, which a PC's chipset drives where the first PCs reset their processor alone: memory and devices stay as they are
   * (82371SB data sheet, section 2.5.10, RCPU).
   *
   * @param by the device, for messages
   */
  void soft(String by);
}
