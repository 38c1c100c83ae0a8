package org.xenolith.app;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** A module uses only modules below it. Its root package is {@code org.xenolith.<module>}. */
class ModuleDependencyTest {
  /** Each module with those it may use. */
  private static final Map<String, List<String>> MAY_USE =
      new TreeMap<>(
          Map.of(
              "image", List.of(),
              "isa", List.of(),
              "cpu", List.of("isa"),
              "translator", List.of("cpu", "isa"),
              "machine", List.of("translator", "cpu", "isa", "image"),
              "xen", List.of("machine", "translator", "cpu", "isa", "image"),
              "insight", List.of("xen", "machine", "cpu", "isa", "image"),
              "app", List.of("insight", "xen", "machine", "translator", "cpu", "isa", "image")));

  private static final JavaClasses CLASSES =
      new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS).importPackages("org.xenolith");

  @Test
  void modulesUseOnlyModulesBelowThem() {
    var architecture = layeredArchitecture().consideringOnlyDependenciesInAnyPackage("org.xenolith..");
    for (String module : MAY_USE.keySet()) {
      architecture = architecture.layer(module).definedBy("org.xenolith." + module + "..");
    }
    for (Map.Entry<String, List<String>> entry : MAY_USE.entrySet()) {
      var layer = architecture.whereLayer(entry.getKey());
      architecture =
          entry.getValue().isEmpty() ? layer.mayNotAccessAnyLayer() : layer.mayOnlyAccessLayers(entry.getValue().toArray(String[]::new));
    }
    architecture.ensureAllClassesAreContainedInArchitecture().check(CLASSES);
  }

  @Test
  void everyModuleIsLookedAt() {
    for (String module : MAY_USE.keySet()) {
      assertThat(CLASSES.stream().filter(type -> type.getPackageName().startsWith("org.xenolith." + module))).as(module).isNotEmpty();
    }
  }

  @Test
  void modulesHaveNoCycles() {
    SlicesRuleDefinition.slices().matching("org.xenolith.(*)..").should().beFreeOfCycles().check(CLASSES);
  }
}
