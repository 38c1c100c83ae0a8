package org.xenolith.app;

/**
 * Runs the program twice in one process, as {@link Main} runs it once: what a user waits for when everything is loaded and compiled that a
 * boot needs. {@code bench/run} starts it, and times from the marker on.
 */
final class SecondBoot {
  private SecondBoot() {}

  public static void main(String[] arguments) {
    CommandContext context = new CommandContext(System.out, System.err, System.getenv(), false);
    int first = Main.run(context, arguments);
    if (first != ExitStatus.OK) {
      System.exit(first);
    }
    System.out.println("BENCH-AGAIN");
    System.exit(Main.run(context, arguments));
  }
}
