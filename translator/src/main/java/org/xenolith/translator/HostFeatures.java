package org.xenolith.translator;

import java.util.EnumSet;
import java.util.Set;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.Feature;

/** What the host's processor has of what translations use. */
final class HostFeatures {
  private HostFeatures() {}

  /**
   * What the guest's processor offers, too.
   *
   * @param ecx ECX of the host's CPUID leaf 1
   */
  static Set<Feature> shared(ProcessorModel model, int ecx) {
    EnumSet<Feature> features = EnumSet.noneOf(Feature.class);
    for (Feature feature : Feature.values()) {
      if (isOnHost(feature, ecx) && model.offers(feature)) {
        features.add(feature);
      }
    }
    return features;
  }

  /**
   * Whether there is RORX (BMI2).
   *
   * @param ebx EBX of the host's CPUID leaf 7
   */
  static boolean hasRotate(int ebx) {
    return (ebx >> 8 & 1) != 0;
  }

  private static boolean isOnHost(Feature feature, int ecx) {
    return switch (feature) {
      // What every processor with long mode has; prefetches and the clock, which are not asked of the host.
      case BASE, LONG_MODE, CMOV, CX8, LAHF, SSE, SSE2, PREFETCHW, TSC, RDTSCP -> true;
      case SSE3 -> (ecx & 1) != 0;
      case SSSE3 -> (ecx >> 9 & 1) != 0;
      case CX16 -> (ecx >> 13 & 1) != 0;
      case SSE4_1 -> (ecx >> 19 & 1) != 0;
      case SSE4_2 -> (ecx >> 20 & 1) != 0;
      default -> false;
    };
  }
}
