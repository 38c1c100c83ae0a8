package org.xenolith.machine.pc;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.isa.Assembler;
import org.xenolith.machine.RunOutcome;

/** Whatever a kernel does, the worst that follows is its own end. */
@Timeout(60)
class RandomKernelTest {
  private static final int RUNS = 60;

  private static final int[] PORTS = {0x20, 0x21, 0xa0, 0xa1, 0x40, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x3f8, 0x3f9, 0x3fa, 0x3fc,
      0x602,
      0xcf8, 0xcfc};

  /** Registers of the local APIC, and of the I/O APIC. */
  private static final int[] PLACES = {0xfee0_0080, 0xfee0_00b0, 0xfee0_00d0, 0xfee0_00e0, 0xfee0_00f0, 0xfee0_0280, 0xfee0_0300,
      0xfee0_0310,
      0xfee0_0320, 0xfee0_0350, 0xfee0_0360, 0xfee0_0370, 0xfee0_0380, 0xfee0_03e0, 0xfec0_0000, 0xfec0_0010, 0xfec0_0040};

  @Test
  void randomInstructionsEndTheGuestAndNothingElse() {
    for (int seed = 0; seed < RUNS; seed++) {
      Random random = new Random(seed);
      try (PcGuest guest = new PcGuest().processors(1 + random.nextInt(3))) {
        byte[] code = new byte[4096];
        random.nextBytes(code);
        for (byte b : code) {
          guest.raw(b & 0xff);
        }
        assertEnds(guest, seed);
      }
    }
  }

  @Test
  void randomUseOfDevicesEndsTheGuestAndNothingElse() {
    for (int seed = 0; seed < RUNS; seed++) {
      Random random = new Random(seed);
      try (PcGuest guest = new PcGuest().processors(1 + random.nextInt(3))) {
        for (int n = 0; n < 500; n++) {
          step(guest, random);
        }
        guest.raw(0xeb, 0xfe);
        assertEnds(guest, seed);
      }
    }
  }

  private static void step(PcGuest guest, Random random) {
    int value = random.nextBoolean() ? random.nextInt() : random.nextInt(256);
    switch (random.nextInt(8)) {
      case 0, 1 -> guest.out(PORTS[random.nextInt(PORTS.length)], 1 << random.nextInt(3), value & 0xffff_ffffL);
      case 2 -> guest.in(PORTS[random.nextInt(PORTS.length)]);
      case 3 -> {
        guest.a.mov(Assembler.RBX, PLACES[random.nextInt(PLACES.length)] & 0xffff_ffffL).mov(Assembler.RAX, value & 0xffff_ffffL);
        guest.raw(0x89, 0x03);
      }
      case 4 -> guest.apic(0x310, random.nextInt(4) << 24).apic(0x300, random.nextInt(1 << 20));
      case 5 -> {
        guest.a.mov(Assembler.RCX, 0x800 + random.nextInt(64)).mov(Assembler.RAX, value & 0xffff_ffffL).mov(Assembler.RDX, 0);
        guest.raw(random.nextInt(10) == 0 ? new int[] {0x0f, 0x30} : new int[] {0x90});
      }
      case 6 -> guest.raw(random.nextInt(50) == 0 ? 0xfb : 0x90);
      default -> guest.raw(random.nextInt(50) == 0 ? 0xf4 : 0x90);
    }
  }

  private static void assertEnds(PcGuest guest, int seed) {
    RunOutcome outcome = guest.run();
    assertThat(outcome).as("seed " + seed).isNotNull();
    assertThat(guest.machine().digest()).hasSize(32);
  }
}
