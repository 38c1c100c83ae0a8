package org.xenolith.app;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Map;
import org.xenolith.app.fetch.CacheFolder;
import org.xenolith.app.fetch.StockSystem;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;

/**
 * What a command knows of the world around it.
 *
 * @param environment the environment variables of the process
 * @param terminal whether standard error is a terminal that can overwrite a line
 */
record CommandContext(PrintStream out, PrintStream err, Map<String, String> environment, boolean terminal) {
  /** In place of a kernel's path: the newest stock kernel that the system's package manager offers. */
  static final String DEBIAN = "debian";

  CacheFolder cache() {
    return CacheFolder.ofUser(environment);
  }

  Progress progress() {
    return new Progress(err, terminal);
  }

  StockSystem stockSystem() {
    return new StockSystem(cache(), progress(), environment.getOrDefault("PATH", ""));
  }

  /** Reads the image that a command was given: a file, or {@code debian}. */
  KernelImage image(String kernel) {
    Path path = kernel.equals(DEBIAN) ? stockSystem().kernel() : Path.of(kernel);
    try {
      return KernelImage.read(path);
    } catch (ImageException e) {
      throw CommandFailure.unusable(e.problem(), e.advice());
    }
  }
}
