package org.xenolith.app.guest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.xenolith.app.CommandFailure;
import org.xenolith.app.fetch.StockSystem;

/** The initrd that a guest gets: a file, or one made with busybox. */
public final class GuestInitrd {
  private GuestInitrd() {}

  /**
   * @param given the file that the user named, or null
   * @param shell whether the one that is made starts a shell; otherwise it says GUEST-READY and powers off
   * @throws CommandFailure if the file cannot be read, or busybox cannot be had
   */
  public static byte[] of(Path given, boolean shell, StockSystem system) {
    if (given != null) {
      return read(given);
    }
    byte[] busybox = read(system.busybox());
    return shell ? Initramfs.withShell(busybox) : Initramfs.thatReportsReady(busybox);
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      String problem = "cannot read the initrd " + file + ": " + CommandFailure.why(e);
      throw CommandFailure.unusable(problem, "name a file that is there and that you may read");
    } catch (OutOfMemoryError e) {
      throw CommandFailure.unusable("the initrd " + file + " is too large", "make it smaller");
    }
  }
}
