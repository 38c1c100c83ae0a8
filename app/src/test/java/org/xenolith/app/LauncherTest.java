package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher script in a source tree of its own, with JDKs and a Maven that only write down how they were called. */
class LauncherTest {
  @TempDir Path temp;
  private Path tree;
  private Path bin;
  private Path jdks;

  private record Result(int status, String out, String err) {}

  @BeforeEach
  void makeTree() throws IOException {
    tree = Files.createDirectories(temp.resolve("tree"));
    Files.copy(repository().resolve("xenolith"), tree.resolve("xenolith"), StandardCopyOption.COPY_ATTRIBUTES);
    Files.createDirectories(tree.resolve("app/src/main/java"));
    write(tree.resolve("pom.xml"), "<project/>");
    write(tree.resolve("app/src/main/java/A.java"), "class A {}");
    bin = Files.createDirectories(temp.resolve("bin"));
    List<String> tools = List.of("readlink", "sed", "find", "head", "mkdir", "cat", "rm", "mv", "tee", "flock", "sleep",
        "touch");
    for (String tool : tools) {
      script(bin.resolve(tool), "exec " + which(tool) + " \"$@\"\n");
    }
    script(bin.resolve("mvn"), """
        echo "mvn $* with $JAVA_HOME" >> %s/calls
        mkdir -p %s/app/target
        [ -e %s/fails ] && { echo '[ERROR] A.java: it is wrong'; exit 1; }
        echo '[INFO] Building fake 1            [1/1]'
        sleep 0.3
        touch %s/app/target/xenolith.jar
        """.formatted(temp, tree, temp, tree));
    jdks = Files.createDirectories(temp.resolve("jdks"));
  }

  @Test
  void takesTheJdkOfJavaHome() throws Exception {
    Path chosen = jdk("elsewhere", "25.0.1");
    jdk("jdks/another", "26");
    Result result = run(Map.of("JAVA_HOME", chosen.toString()), "boot", "a b");
    assertThat(result.status).isZero();
    assertThat(result.out).contains("java of " + chosen).contains("[boot] [a b]");
  }

  @Test
  void passesOverAJavaHomeThatIsTooOld() throws Exception {
    Path old = jdk("elsewhere", "17.0.15");
    Path chosen = jdk("jdks/new", "26-ea");
    assertThat(run(Map.of("JAVA_HOME", old.toString())).out).contains("java of " + chosen);
  }

  @Test
  void takesTheJdkOnThePath() throws Exception {
    Path chosen = jdk("opt", "25");
    Files.createSymbolicLink(bin.resolve("javac"), Path.of("../opt/bin/javac"));
    assertThat(run(Map.of()).out).contains("java of " + chosen);
  }

  @Test
  void passesOverAJavaWithoutACompiler() throws Exception {
    Path runtime = jdk("elsewhere", "25");
    Files.delete(runtime.resolve("bin/javac"));
    Path chosen = jdk("jdks/whole", "25");
    assertThat(run(Map.of("JAVA_HOME", runtime.toString())).out).contains("java of " + chosen);
  }

  @Test
  void saysWhatItFoundWhenNoJdkIsNewEnough() throws Exception {
    Path old = jdk("jdks/old", "17.0.15");
    Result result = run(Map.of());
    assertThat(result.status).isEqualTo(ExitStatus.USAGE);
    assertThat(result.out).isEmpty();
    assertThat(result.err.lines().findFirst()).hasValue("xenolith: no JDK 25 or later was found (only 17 in " + old + ")");
  }

  @Test
  void buildsOnceThenRunsWithoutBuilding() throws Exception {
    Path jdk = jdk("jdks/a", "25");
    assertThat(run(Map.of()).err).contains("building");
    assertThat(run(Map.of()).err).isEmpty();
    assertThat(Files.readAllLines(temp.resolve("calls"))).singleElement().asString().contains("package").endsWith("with " + jdk);
  }

  @Test
  void buildsAgainWhenASourceChangesOrGoesAway() throws Exception {
    jdk("jdks/a", "25");
    run(Map.of());
    Path source = tree.resolve("app/src/main/java/A.java");
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(1)));
    run(Map.of());
    assertThat(Files.readAllLines(temp.resolve("calls"))).hasSize(2);
    Files.setLastModifiedTime(tree.resolve("app/target/built"), FileTime.from(Instant.now().plusSeconds(2)));
    run(Map.of());
    assertThat(Files.readAllLines(temp.resolve("calls"))).hasSize(2);
    Files.delete(source);
    Files.setLastModifiedTime(source.getParent(), FileTime.from(Instant.now().plusSeconds(3)));
    run(Map.of());
    assertThat(Files.readAllLines(temp.resolve("calls"))).hasSize(3);
  }

  @Test
  void buildsOnlyOnceWhenStartedTwiceAtATime() throws Exception {
    jdk("jdks/a", "25");
    Process first = start(Map.of());
    Process second = start(Map.of());
    assertThat(result(first).status).isZero();
    assertThat(result(second).status).isZero();
    assertThat(Files.readAllLines(temp.resolve("calls"))).hasSize(1);
  }

  @Test
  void showsTheCompilersErrorsWhenTheBuildFailsAndBuildsAgainNextTime() throws Exception {
    jdk("jdks/a", "25");
    Files.createFile(temp.resolve("fails"));
    Result failed = run(Map.of());
    assertThat(failed.status).isEqualTo(ExitStatus.USAGE);
    assertThat(failed.err).contains("A.java: it is wrong").contains("the build failed; its whole log is");
    assertThat(failed.out).isEmpty();
    Files.delete(temp.resolve("fails"));
    assertThat(run(Map.of()).status).isZero();
  }

  @Test
  void worksThroughASymbolicLink() throws Exception {
    Path jdk = jdk("jdks/a", "25");
    Path link = Files.createSymbolicLink(temp.resolve("link"), Path.of("tree/xenolith"));
    ProcessBuilder builder = new ProcessBuilder(link.toString());
    builder.environment().clear();
    builder.environment().putAll(Map.of("PATH", bin.toString(), "XENOLITH_JVM_DIR", jdks.toString()));
    assertThat(result(builder.start()).out).contains("java of " + jdk);
  }

  private Path jdk(String name, String version) throws IOException {
    Path home = temp.resolve(name);
    Files.createDirectories(home.resolve("bin"));
    script(home.resolve("bin/java"), """
        echo "java of %s"
        for argument in "$@"; do echo "[$argument]"; done | { while read -r line; do printf '%%s ' "$line"; done; }
        """.formatted(home));
    script(home.resolve("bin/javac"), "exit 0\n");
    write(home.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
    return home;
  }

  private Result run(Map<String, String> environment, String... arguments) throws Exception {
    return result(start(environment, arguments));
  }

  private Process start(Map<String, String> environment, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(tree.resolve("xenolith").toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().clear();
    builder.environment().putAll(Map.of("PATH", bin.toString(), "XENOLITH_JVM_DIR", jdks.toString(), "HOME", temp.toString()));
    builder.environment().putAll(environment);
    return builder.start();
  }

  private static Result result(Process process) throws Exception {
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Result(process.waitFor(), out, err);
  }

  private static void script(Path file, String body) throws IOException {
    write(file, "#!/bin/sh\n" + body);
    assertThat(file.toFile().setExecutable(true)).isTrue();
  }

  private static void write(Path file, String text) throws IOException {
    Files.writeString(file, text);
  }

  private static Path which(String tool) {
    for (String folder : List.of("/usr/bin", "/bin")) {
      if (Files.isExecutable(Path.of(folder, tool))) {
        return Path.of(folder, tool);
      }
    }
    throw new AssertionError("no " + tool + " on this system");
  }

  private static Path repository() {
    return Path.of("..").toAbsolutePath().normalize();
  }
}
