package org.xenolith.app.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.app.CommandFailure;
import org.xenolith.app.ExitStatus;
import org.xenolith.app.Progress;

class StockSystemTest {
  private static final String NO_PROGRAMS = "/nonexistent";

  @TempDir Path temp;
  private final Progress progress = new Progress(new PrintStream(new ByteArrayOutputStream()), false);

  @Test
  void usesTheCachedKernelWithoutAPackageManager() throws Exception {
    CacheFolder cache = new CacheFolder(temp);
    Path work = cache.newWorkFolder();
    Files.writeString(work.resolve("vmlinuz-6"), "a kernel");
    Path published = cache.publish(work, "debian/linux-image-6_1");
    cache.link("debian/vmlinuz", published.resolve("vmlinuz-6"));
    assertThat(new StockSystem(cache, progress, NO_PROGRAMS).kernel()).hasContent("a kernel").hasFileName("vmlinuz-6");
  }

  @Test
  void saysSoWithoutPackageManagerAndCache() {
    assertThatThrownBy(() -> new StockSystem(new CacheFolder(temp), progress, NO_PROGRAMS).kernel())
        .isInstanceOfSatisfying(CommandFailure.class, failure -> {
          assertThat(failure.status()).isEqualTo(ExitStatus.USAGE);
          assertThat(failure).hasMessageContaining("no apt-get");
          assertThat(failure.remedy()).contains("/boot");
        });
    assertThat(temp).isEmptyDirectory();
  }

  @Test
  void aLinkThatIsChangedLeadsToTheNewFileAndOneToAFileThatIsGoneCountsForNothing() throws Exception {
    CacheFolder cache = new CacheFolder(temp);
    Path file = Files.createFile(temp.resolve("new"));
    cache.link("debian/vmlinuz", temp.resolve("gone"));
    assertThat(cache.linked("debian/vmlinuz")).isEmpty();
    cache.link("debian/vmlinuz", file);
    assertThat(cache.linked("debian/vmlinuz")).hasValue(file.toRealPath());
  }

  @Test
  void deletesWhatAKilledProcessLeftButNotWhatIsUnderWay() throws Exception {
    CacheFolder cache = new CacheFolder(temp);
    Path left = cache.newWorkFolder();
    Files.createFile(left.resolve("half-a-package"));
    Files.setLastModifiedTime(left, FileTime.from(Instant.now().minus(Duration.ofHours(4))));
    Path underWay = cache.newWorkFolder();
    cache.newWorkFolder();
    assertThat(left).doesNotExist();
    assertThat(underWay).exists();
  }

  @Test
  void findsTheKernelInTheDependenciesOfTheMetaPackage() {
    assertThat(Apt.kernelPackage(new Apt.Offer("linux-image-amd64", "6.1.192-2", 1480, "linux-image-6.1.0-56-amd64 (= 6.1.192-2)")))
        .hasValue("linux-image-6.1.0-56-amd64");
    assertThat(Apt.kernelPackage(new Apt.Offer("x", "1", 1, "linux-base, linux-image-6.12.9+deb13-amd64 (= 6.12.9-1)")))
        .hasValue("linux-image-6.12.9+deb13-amd64");
    assertThat(Apt.kernelPackage(new Apt.Offer("x", "1", 1, "libc6"))).isEmpty();
  }

  @Test
  void cacheFollowsXdgThenHome() {
    assertThat(CacheFolder.ofUser(Map.of("XDG_CACHE_HOME", "/x", "HOME", "/h")).root()).hasToString("/x/xenolith");
    assertThat(CacheFolder.ofUser(Map.of("XDG_CACHE_HOME", "relative", "HOME", "/h")).root()).hasToString("/h/.cache/xenolith");
    assertThat(CacheFolder.ofUser(Map.of("HOME", "/h")).root()).hasToString("/h/.cache/xenolith");
  }
}
