package org.xenolith.machine.pc;

import java.nio.charset.StandardCharsets;
import org.xenolith.machine.Ending;
import org.xenolith.machine.RunOutcome;

/**
 * Reads on the console that a Linux kernel has panicked (kernel/panic.c): a PC has no other way to learn of it. Behind its last line the
 * kernel only blinks for ever; if it was told to reset the machine instead, that was a crash and no reboot.
 */
final class PanicWatch {
  private static final String BEGIN = "Kernel panic - not syncing: ", END = "---[ end Kernel panic";

  /** What comes later in a line is not looked at. */
  private static final int MOST = 256;

  private final Ending ending;
  private final byte[] line = new byte[MOST];
  private int length;
  private String reason;

  PanicWatch(Ending ending) {
    this.ending = ending;
  }

  /** The guest printed a byte. */
  void printed(byte b) {
    if (b != '\n') {
      if (length < MOST) {
        line[length++] = b;
      }
      return;
    }
    String text = new String(line, 0, length, StandardCharsets.ISO_8859_1).strip();
    length = 0;
    int begin = text.indexOf(BEGIN);
    if (text.contains(END)) {
      ending.end(RunOutcome.Kind.CRASH, outcome());
    } else if (begin >= 0 && reason == null) {
      reason = text.substring(begin + BEGIN.length());
    }
  }

  /** How the guest ended: a reset after a panic was a crash. */
  RunOutcome judge(RunOutcome own) {
    boolean reset = own != null && own.kind() == RunOutcome.Kind.REBOOT;
    return reason != null && reset ? new RunOutcome(RunOutcome.Kind.CRASH, outcome()) : own;
  }

  private String outcome() {
    return "the kernel panicked: " + (reason == null ? "why was not printed" : reason);
  }
}
