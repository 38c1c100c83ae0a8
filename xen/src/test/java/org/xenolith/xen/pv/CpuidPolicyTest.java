package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.machine.HostMemory;

class CpuidPolicyTest {
  private static int[] leaf(int leaf, int subleaf) {
    try (HostMemory host = HostMemory.reserve(1 << 20)) {
      GuestMemory memory = new GuestMemory(host.segment());
      CpuidPolicy policy = new CpuidPolicy(new AmdModel(), 0x40000);
      Cpu cpu = new Cpu(policy, memory, new CodeCache(memory), Bus.EMPTY, new Clock());
      int[] result = {-1, -1, -1, -1};
      policy.cpuid(cpu, leaf, subleaf, result);
      return result;
    }
  }

  @Test
  void aGuestKnowsThatItIsOne() {
    assertThat(leaf(1, 0)[2] >>> 31).isEqualTo(1);
    assertThat(leaf(0x4000_0001, 0)).containsExactly(4 << 16 | 17, 0, 0, 0);
    assertThat(leaf(0x4000_0002, 0)).containsExactly(1, 0x4000_0000, 1, 0);
    assertThat(leaf(0x4000_0004, 0)).containsExactly(0, 0, 0, 0);
    // 1 GiB of frames: 30 bits of machine addresses.
    assertThat(leaf(0x4000_0005, 0)).containsExactly(0, 30, 0, 0);
    assertThat(leaf(0x4000_0006, 0)).containsExactly(0, 0, 0, 0);
  }

  @Test
  void theTimeLeafHasTheScaleOfTheClock() {
    assertThat(leaf(0x4000_0003, 0)[2]).isEqualTo(1_000_000);
    assertThat(leaf(0x4000_0003, 1)).containsExactly(0, 0, 0x8000_0000, 1);
    assertThat(leaf(0x4000_0003, 2)[0]).isEqualTo(1_000_000);
  }

  @Test
  void whatBelongsToRingZeroIsHidden() {
    int[] machine = new int[4];
    new AmdModel().cpuid(null, 7, 0, machine);
    assertThat(machine[1] & (1 << 7 | 1 << 20)).isEqualTo(1 << 7 | 1 << 20);
    assertThat(leaf(7, 0)[1] & (1 << 7 | 1 << 20)).isZero();
    // PSE, PGE and PSE36, but not PAE.
    assertThat(leaf(1, 0)[3] & (1 << 3 | 1 << 13 | 1 << 17 | 1 << 6)).isEqualTo(1 << 6);
    // Large pages of 1 GiB and the invariant TSC.
    assertThat(leaf(0x8000_0001, 0)[3] & 1 << 26).isZero();
    assertThat(leaf(0x8000_0007, 0)).containsExactly(0, 0, 0, 0);
    assertThat(leaf(0x8000_0001, 0)[3] & (1 << 11 | 1 << 20 | 1 << 29)).isEqualTo(1 << 11 | 1 << 20 | 1 << 29);
  }

  @Test
  void thereIsNoApicIdentifier() {
    assertThat(leaf(1, 0)[1] >>> 24).isZero();
  }
}
