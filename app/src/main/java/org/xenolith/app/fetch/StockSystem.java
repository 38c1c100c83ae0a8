package org.xenolith.app.fetch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.xenolith.app.CommandFailure;
import org.xenolith.app.ExitStatus;
import org.xenolith.app.Progress;

/**
 * Debian's stock kernel and its static busybox, got through the system's package manager and kept in the user's cache folder. What is there
 * already is used without asking the network.
 */
public final class StockSystem {
  private static final String META_PACKAGE = "linux-image-amd64";
  private static final String BUSYBOX_PACKAGE = "busybox-static";

  /** Links to the newest that was fetched, as Debian has them in its root folder. */
  private static final String KERNEL_LINK = "debian/vmlinuz";

  private static final String BUSYBOX_LINK = "debian/busybox";

  private final CacheFolder cache;
  private final Progress progress;
  private final Apt apt;
  private final boolean hasApt;

  /** @param path the folders in which programs are looked for, separated by colons */
  public StockSystem(CacheFolder cache, Progress progress, String path) {
    this.cache = cache;
    this.progress = progress;
    this.apt = new Apt(cache.root().resolve("apt"));
    this.hasApt = Apt.isOn(path);
  }

  /** The kernel in the cache, or the newest that apt offers, fetched now. */
  public Path kernel() {
    try {
      Optional<Path> cached = cache.linked(KERNEL_LINK);
      return cached.isPresent() ? cached.get() : fetchKernel();
    } catch (IOException e) {
      throw failed("the stock kernel", e);
    }
  }

  /** The newest kernel that apt offers, fetched unless that very one is in the cache. */
  public Path newestKernel() {
    try {
      return fetchKernel();
    } catch (IOException e) {
      throw failed("the stock kernel", e);
    }
  }

  /** A static busybox for x86-64: the one in the cache, or the newest that apt offers, fetched now. */
  public Path busybox() {
    try {
      Optional<Path> cached = cache.linked(BUSYBOX_LINK);
      if (cached.isPresent()) {
        return cached.get();
      }
      if (!hasApt) {
        throw CommandFailure.unusable(
            "no busybox for an initramfs: this system has no apt-get to get one", "give an initrd of your own with --initrd FILE");
      }
      Apt.Offer offer = offered(BUSYBOX_PACKAGE);
      return fetch(offer, BUSYBOX_LINK, path -> path.equals("bin/busybox") || path.equals("usr/bin/busybox"));
    } catch (IOException e) {
      throw failed("busybox", e);
    } finally {
      progress.end();
    }
  }

  private Path fetchKernel() throws IOException {
    if (!hasApt) {
      throw withoutApt();
    }
    try {
      Apt.Offer meta = offered(META_PACKAGE);
      String name = Apt.kernelPackage(meta).orElseThrow(() -> new IOException(META_PACKAGE + " names no kernel: " + meta.depends()));
      return fetch(offered(name), KERNEL_LINK, path -> path.startsWith("boot/vmlinuz-"));
    } finally {
      progress.end();
    }
  }

  private Apt.Offer offered(String name) throws IOException {
    Optional<Apt.Offer> offer = apt.newest(name);
    if (offer.isEmpty() && !apt.usesPrivateLists()) {
      progress.begin("getting package lists (the system's own do not know " + name + ")");
      apt.updatePrivateLists();
      offer = apt.newest(name);
    }
    return offer.orElseThrow(() -> new IOException("the system's package sources offer no package " + name));
  }

  private Path fetch(Apt.Offer first, String link, Predicate<String> wanted) throws IOException {
    Path work = cache.newWorkFolder();
    try {
      Apt.Offer offer = first;
      Optional<Path> known = known(offer, link);
      if (known.isPresent()) {
        return known.get();
      }
      Path deb;
      try {
        deb = download(offer, work.resolve("download"));
      } catch (Apt.AptException e) {
        if (apt.usesPrivateLists()) {
          throw e;
        }
        // The system's lists may name a version that its mirror has replaced since.
        progress.begin("getting package lists (the system's own are out of date)");
        apt.updatePrivateLists();
        offer = apt.newest(offer.name()).orElseThrow(() -> e);
        deb = download(offer, work.resolve("download-again"));
      }
      progress.begin("unpacking " + offer.name());
      Path complete = Files.createDirectory(work.resolve("complete"));
      Path part = work.resolve("file");
      Optional<String> found = new DebArchive(deb).extract(wanted, part);
      String path = found.orElseThrow(() -> new IOException("the package " + first.name() + " holds no such file"));
      Path file = Files.move(part, complete.resolve(Path.of(path).getFileName()));
      Files.setPosixFilePermissions(complete, PosixFilePermissions.fromString("rwxr-xr-x"));
      Path published = cache.publish(complete, folderName(offer)).resolve(file.getFileName());
      cache.link(link, published);
      return published;
    } finally {
      CacheFolder.delete(work);
    }
  }

  /** The file of this very package, if an earlier run fetched it. */
  private Optional<Path> known(Apt.Offer offer, String link) throws IOException {
    Path folder = cache.root().resolve(folderName(offer));
    if (!Files.isDirectory(folder)) {
      return Optional.empty();
    }
    try (Stream<Path> files = Files.list(folder)) {
      Path file = files.findFirst().orElseThrow(() -> new IOException(folder + " is empty: delete it"));
      cache.link(link, file);
      return Optional.of(file);
    }
  }

  private static String folderName(Apt.Offer offer) {
    return "debian/" + offer.name() + "_" + offer.version().replace(':', '-').replace('/', '-');
  }

  private Path download(Apt.Offer offer, Path folder) throws IOException {
    Files.createDirectory(folder);
    String total = " of " + megabytes(offer.bytes());
    progress.begin("getting " + offer.name() + " " + offer.version() + ", " + megabytes(offer.bytes()));
    return apt.download(offer, folder, bytes -> progress.at(megabytes(bytes) + total));
  }

  private static String megabytes(long bytes) {
    return "%.1f MB".formatted(bytes / 1e6);
  }

  private static boolean isKernel(String name) {
    return name.startsWith("vmlinuz-");
  }

  private static CommandFailure failed(String what, IOException e) {
    return new CommandFailure(
        ExitStatus.USAGE,
        "cannot get " + what + ": " + e.getMessage(),
        "is the network there, and do the system's package sources work (apt-get update)? Or name a kernel file instead of 'debian'");
  }

  private static CommandFailure withoutApt() {
    List<String> kernels = new ArrayList<>();
    try (Stream<Path> files = Files.list(Path.of("/boot"))) {
      files.filter(file -> isKernel(file.getFileName().toString())).sorted().forEach(file -> kernels.add(serving(file)));
    } catch (IOException e) {
      kernels.add("(/boot cannot be listed: " + e.getMessage() + ")");
    }
    String remedy =
        kernels.isEmpty()
            ? "there is no kernel under /boot either: name a kernel file"
            : "a kernel of this host would serve:\n" + String.join("\n", kernels);
    return CommandFailure.unusable("'debian' needs Debian's package manager, and this system has no apt-get", remedy);
  }

  private static String serving(Path kernel) {
    return "xenolith boot " + kernel + (Files.isReadable(kernel) ? "" : "   (only root can read it: copy it first)");
  }
}
