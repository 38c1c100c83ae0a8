package org.xenolith.app.fetch;

import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The user's cache folder, {@code $XDG_CACHE_HOME/xenolith} or {@code ~/.cache/xenolith} (XDG Base Directory Specification). What stands in
 * it under its final name is whole: everything is written aside and renamed.
 */
public final class CacheFolder {
  private static final String WORK = "work-";
  private static final Duration LONGER_THAN_ANY_WORK = Duration.ofHours(3);

  private final Path root;

  public CacheFolder(Path root) {
    this.root = root;
  }

  /** The folder that the environment of this process names; a relative {@code XDG_CACHE_HOME} is ignored, as the specification asks. */
  public static CacheFolder ofUser(Map<String, String> environment) {
    String xdg = environment.getOrDefault("XDG_CACHE_HOME", "");
    Path base = xdg.startsWith("/") ? Path.of(xdg) : Path.of(environment.getOrDefault("HOME", System.getProperty("user.home")), ".cache");
    return new CacheFolder(base.resolve("xenolith"));
  }

  public Path root() {
    return root;
  }

  /** A new, empty folder in the cache for work under way; the caller deletes it. */
  Path newWorkFolder() throws IOException {
    Files.createDirectories(root);
    deleteLeftovers();
    return Files.createTempDirectory(root, WORK);
  }

  /** Deletes work folders of processes that were killed. */
  private void deleteLeftovers() throws IOException {
    Instant old = Instant.now().minus(LONGER_THAN_ANY_WORK);
    try (Stream<Path> folders = Files.list(root)) {
      for (Path folder : folders.filter(name -> name.getFileName().toString().startsWith(WORK)).toList()) {
        if (Files.getLastModifiedTime(folder).toInstant().isBefore(old)) {
          delete(folder);
        }
      }
    }
  }

  /** Gives a folder that is complete its final name below the cache; one that already has that name stays. */
  Path publish(Path complete, String name) throws IOException {
    Path target = root.resolve(name);
    Files.createDirectories(target.getParent());
    try {
      Files.move(complete, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (FileAlreadyExistsException | DirectoryNotEmptyException e) {
      delete(complete);
    }
    return target;
  }

  /** Makes the symbolic link {@code link} lead to a file below the cache, in place of what it led to. */
  void link(String link, Path file) throws IOException {
    Path target = root.resolve(link);
    Files.createDirectories(target.getParent());
    Path aside = target.resolveSibling("." + target.getFileName() + "." + ProcessHandle.current().pid());
    Files.deleteIfExists(aside);
    Files.createSymbolicLink(aside, target.getParent().relativize(file));
    Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
  }

  /** The file a symbolic link leads to, if it is there. */
  Optional<Path> linked(String link) throws IOException {
    Path file = root.resolve(link);
    return Files.isRegularFile(file) ? Optional.of(file.toRealPath()) : Optional.empty();
  }

  /** Deletes a folder and all in it. */
  static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, IOException failure) throws IOException {
            if (failure != null) {
              throw failure;
            }
            Files.delete(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
