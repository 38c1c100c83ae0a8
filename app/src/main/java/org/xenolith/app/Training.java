package org.xenolith.app;

import java.io.OutputStream;
import java.io.PrintStream;

/**
 * What the launcher runs once after a build, to make the JDK's AOT cache: a boot in each mode, so that later runs start with the classes
 * that one needs and compile its methods at once with what is known of them. Whole boots: from a part of one the next gains nothing.
 */
final class Training {
  private Training() {}

  /**
   * @param arguments the kernel to boot
   */
  public static void main(String[] arguments) {
    CommandContext context = Main.context(new PrintStream(OutputStream.nullOutputStream()));
    for (String mode : new String[] {"pv", "bare", "pvh"}) {
      int status = Main.run(context, "boot", arguments[0], "--mode", mode);
      if (status != ExitStatus.OK) {
        System.exit(status);
      }
    }
    System.exit(ExitStatus.OK);
  }
}
