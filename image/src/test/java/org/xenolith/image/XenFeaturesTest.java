package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class XenFeaturesTest {
  @Test
  void exclamationMarkMakesAFeatureRequiredAndSupported() {
    XenFeatures features = new XenFeatures();
    features.add("!writable_page_tables|pae_pgdir_above_4gb");
    assertThat(features.supported()).isEqualTo(0x11);
    assertThat(features.required()).isEqualTo(0x1);
  }

  @Test
  void unknownFeatureMattersOnlyIfRequired() {
    XenFeatures features = new XenFeatures();
    features.add("of_tomorrow|!of_yesterday");
    assertThat(features.supported()).isZero();
    assertThat(features.unknownRequired()).containsExactly("of_yesterday");
  }

  @Test
  void featuresOfLaterXenAreNotNamedInStrings() {
    XenFeatures features = new XenFeatures();
    features.add("!grant_map_identity");
    assertThat(features.unknownRequired()).containsExactly("grant_map_identity");
    features.addSupported(1 << XenFeatures.LINUX_RSDP_UNRESTRICTED);
    assertThat(XenFeatures.names(features.supported())).containsExactly("linux_rsdp_unrestricted");
  }
}
