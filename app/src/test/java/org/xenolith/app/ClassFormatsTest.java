package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.classfile.ClassFile;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class ClassFormatsTest {
  @TempDir Path temp;

  private Path library(Class<?> member) throws Exception {
    URI jar = member.getProtectionDomain().getCodeSource().getLocation().toURI();
    return Files.copy(Path.of(jar), temp.resolve("library.jar"));
  }

  /** Picocli's classes are of Java 5; loaded and linked, they pass the new verifier, and one of them still parses. */
  @Test
  void oldClassesAreBroughtToANewFormat() throws Exception {
    Path jar = library(CommandLine.class);
    List<String> names = new JarFile(jar.toFile()).stream().map(e -> e.getName()).toList();
    ClassFormats.modernize(jar);
    assertThat(new JarFile(jar.toFile()).stream().map(e -> e.getName())).containsExactlyElementsOf(names);
    try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, ClassLoader.getPlatformClassLoader())) {
      for (String name : names) {
        if (name.startsWith("picocli/") && name.endsWith(".class")) {
          byte[] bytes = loader.getResourceAsStream(name).readAllBytes();
          assertThat(ClassFile.of().parse(bytes).majorVersion()).as(name).isGreaterThanOrEqualTo(ClassFile.JAVA_8_VERSION);
          Class.forName(name.replace('/', '.').replace(".class", ""), true, loader);
        }
      }
      Class<?> commandLine = loader.loadClass("picocli.CommandLine");
      assertThat(commandLine).isNotEqualTo(CommandLine.class);
      Object spec = loader.loadClass("picocli.CommandLine$Model$CommandSpec").getMethod("create").invoke(null);
      Object line = commandLine.getConstructor(Object.class).newInstance(spec);
      Object parsed = commandLine.getMethod("parseArgs", String[].class).invoke(line, (Object) new String[0]);
      assertThat(parsed.getClass().getMethod("unmatched").invoke(parsed)).isEqualTo(List.of());
    }
    assertThat(temp.toFile().list()).containsExactly("library.jar");
  }

  @Test
  void aLibraryWithoutOldClassesIsLeftAlone() throws Exception {
    Path jar = library(org.tukaani.xz.XZInputStream.class);
    FileTime longAgo = FileTime.from(Instant.EPOCH);
    Files.setLastModifiedTime(jar, longAgo);
    ClassFormats.modernize(jar);
    assertThat(Files.getLastModifiedTime(jar)).isEqualTo(longAgo);
  }
}
