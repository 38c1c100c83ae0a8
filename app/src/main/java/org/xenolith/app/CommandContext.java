package org.xenolith.app;

import java.io.PrintStream;
import java.util.Map;
import org.xenolith.app.fetch.CacheFolder;
import org.xenolith.app.fetch.StockSystem;

/**
 * What a command knows of the world around it.
 *
 * @param environment the environment variables of the process
 * @param terminal whether a person looks at the standard streams
 */
record CommandContext(PrintStream out, PrintStream err, Map<String, String> environment, boolean terminal) {
  CacheFolder cache() {
    return CacheFolder.ofUser(environment);
  }

  Progress progress() {
    return new Progress(err, terminal);
  }

  StockSystem stockSystem() {
    return new StockSystem(cache(), progress(), environment.getOrDefault("PATH", ""));
  }
}
