package org.xenolith.app;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFile.ClassHierarchyResolverOption;
import java.lang.classfile.ClassFile.StackMapsOption;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeTransform;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;

/**
 * Brings libraries that come in a class file format of before Java 6 to that of Java 8. The JDK's AOT cache takes no older ones ("Old class
 * has been linked"), nor classes that use them, and the JVM checks them with a slower verifier: with picocli as it comes, reading the
 * command line takes 160 ms of a start; with it in the cache, 60.
 */
final class ClassFormats {
  private ClassFormats() {}

  /**
   * What the launcher runs before it makes the AOT cache.
   *
   * @param jars the libraries; those with old classes are replaced
   */
  public static void main(String[] jars) throws IOException {
    for (String jar : jars) {
      modernize(Path.of(jar));
    }
  }

  /** Replaces a jar if it has old classes. */
  static void modernize(Path jar) throws IOException {
    try (JarFile old = new JarFile(jar.toFile())) {
      List<JarEntry> entries = old.stream().toList();
      if (entries.stream().noneMatch(e -> isOld(e, bytes(old, e)))) {
        return;
      }
      Path aside = jar.resolveSibling(jar.getFileName() + ".new");
      try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(aside));
          URLClassLoader classes = new URLClassLoader(new URL[] {jar.toUri().toURL()})) {
        for (JarEntry entry : entries) {
          byte[] bytes = bytes(old, entry);
          out.putNextEntry(new JarEntry(entry.getName()));
          out.write(isOld(entry, bytes) ? modern(bytes, classes) : bytes);
        }
      }
      Files.move(aside, jar, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /** Whether these are the bytes of a class without stack maps (JVMS 4.10). */
  private static boolean isOld(JarEntry entry, byte[] bytes) {
    return entry.getName().endsWith(".class") && (bytes[6] << 8 | bytes[7] & 0xff) < ClassFile.JAVA_6_VERSION;
  }

  private static byte[] bytes(JarFile jar, JarEntry entry) {
    try {
      return jar.getInputStream(entry).readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The same class with stack maps, which need to know what {@code classes} it names extend. */
  private static byte[] modern(byte[] old, ClassLoader classes) {
    ClassHierarchyResolver hierarchy =
        ClassHierarchyResolver.ofResourceParsing(classes).orElse(ClassHierarchyResolver.defaultResolver());
    ClassFile format = ClassFile.of(StackMapsOption.GENERATE_STACK_MAPS, ClassHierarchyResolverOption.of(hierarchy));
    ClassModel model = format.parse(old);
    ClassTransform version =
        (builder, element) -> {
          if (element instanceof ClassFileVersion) {
            builder.withVersion(ClassFile.JAVA_8_VERSION, 0);
          } else {
            builder.with(element);
          }
        };
    return format.transformClass(model, ClassTransform.transformingMethodBodies(CodeTransform.ACCEPT_ALL).andThen(version));
  }
}
