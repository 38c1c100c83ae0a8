package org.xenolith.machine.pc;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.machine.RunOutcome;

@Timeout(20)
class DevicesTest {
  private final TestBench pc = new TestBench();

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  // ---- 16550 ----

  @Test
  void whatIsWrittenIsPrintedAndTheTransmitterIsAlwaysEmpty() {
    for (byte b : ascii("hello")) {
      assertThat(pc.in(0x3fd)).isEqualTo(0x60);
      pc.out(0x3f8, b);
    }
    assertThat(pc.printed()).isEqualTo("hello");
  }

  @Test
  void theDivisorIsNotTheData() {
    pc.out(0x3fb, 0x83);
    pc.out(0x3f8, 0x0c);
    pc.out(0x3f9, 0);
    assertThat(pc.in(0x3f8)).isEqualTo(0x0c);
    pc.out(0x3fb, 3);
    assertThat(pc.in(0x3f9)).isZero();
    assertThat(pc.printed()).isEmpty();
  }

  @Test
  void anEmptyTransmitterInterruptsAgainAfterEachByte() {
    pc.programPin(4, 0x34);
    pc.out(0x3fc, 0xb);
    pc.out(0x3f9, 2);
    assertThat(pc.taken()).containsExactly(0x34);
    assertThat(pc.in(0x3fa)).isEqualTo(2);
    assertThat(pc.in(0x3fa)).isEqualTo(1);
    pc.out(0x3f8, 'x');
    assertThat(pc.taken()).containsExactly(0x34);
    pc.out(0x3f8, 'y');
    assertThat(pc.taken()).containsExactly(0x34);
    pc.out(0x3f9, 0);
    assertThat(pc.in(0x3fa)).isEqualTo(1);
  }

  @Test
  void theModemControlGatesTheInterrupt() {
    pc.programPin(4, 0x34);
    pc.out(0x3f9, 2);
    assertThat(pc.taken()).isEmpty();
    pc.out(0x3fc, 8);
    assertThat(pc.taken()).containsExactly(0x34);
  }

  @Test
  void whatIsTypedArrivesInOrderHoweverLong() {
    pc.programPin(4, 0x34);
    pc.out(0x3f9, 1);
    String text = "The quick brown fox jumps over the lazy dog";
    pc.uart.type(ascii(text));
    pc.out(0x3fa, 0xc7);
    assertThat(pc.in(0x3fd) & 1).isZero();
    pc.out(0x3fc, 0xb);
    assertThat(pc.taken()).containsExactly(0x34);
    assertThat(pc.in(0x3fa)).isEqualTo(0xc4);
    StringBuilder read = new StringBuilder();
    while ((pc.in(0x3fd) & 1) != 0) {
      read.append((char) pc.in(0x3f8));
    }
    assertThat(read).hasToString(text);
    assertThat(pc.in(0x3fa)).isEqualTo(0xc1);
    pc.uart.type(ascii("x"));
    assertThat(pc.in(0x3fa)).isEqualTo(0xcc);
  }

  @Test
  void theLoopReturnsBytesAndModemLines() {
    pc.out(0x3fc, 0x1a);
    assertThat(pc.in(0x3fe) & 0xf0).isEqualTo(0x90);
    pc.out(0x3f8, 0x55);
    assertThat(pc.in(0x3f8)).isEqualTo(0x55);
    assertThat(pc.printed()).isEmpty();
    pc.out(0x3f8, 1);
    pc.out(0x3f8, 2);
    assertThat(pc.in(0x3fd)).isEqualTo(0x63);
    pc.out(0x3fc, 0);
    assertThat(pc.in(0x3fe) & 0xf0).isEqualTo(0xb0);
    assertThat(pc.in(0x3fe) & 0x0f).isZero();
  }

  @Test
  void itIsA16550AByItsFifo() {
    pc.out(0x3fa, 1);
    assertThat(pc.in(0x3fa) >> 6).isEqualTo(3);
    pc.out(0x3fa, 0);
    assertThat(pc.in(0x3fa) >> 6).isZero();
    pc.out(0x3ff, 0xa5);
    assertThat(pc.in(0x3ff)).isEqualTo(0xa5);
    pc.out(0x3f9, 0xff);
    assertThat(pc.in(0x3f9)).isEqualTo(0xf);
  }

  // ---- PCI ----

  private long config(int address, int size) {
    pc.out(0xcf8, 4, 0x8000_0000L | address & ~3);
    return pc.in(0xcfc + (address & 3), size);
  }

  @Test
  void theBusHasABridgeAndNothingElse() {
    pc.out(0xcf8, 4, 0x8000_0000L);
    assertThat(pc.in(0xcf8, 4)).isEqualTo(0x8000_0000L);
    assertThat(config(0, 4)).isEqualTo(0x0008_1b36);
    assertThat(config(2, 2)).isEqualTo(8);
    assertThat(config(0xb, 1)).isEqualTo(6);
    assertThat(config(0x3c, 4)).isZero();
    for (int device = 1; device < 32; device++) {
      assertThat(config(device << 11, 4)).isEqualTo(0xffff_ffffL);
    }
    assertThat(config(1 << 8, 2)).isEqualTo(0xffff);
    assertThat(config(1 << 16, 2)).isEqualTo(0xffff);
    pc.out(0xcf8, 4, 0);
    assertThat(pc.in(0xcfc, 4)).isEqualTo(0xffff_ffffL);
  }

  @Test
  void theBusIsInMemoryToo() {
    assertThat(PciBus.read(PciBus.CONFIGURATION, 4)).isEqualTo(0x0008_1b36);
    assertThat(PciBus.read(PciBus.CONFIGURATION, 8)).isEqualTo(0x0008_1b36);
    assertThat(PciBus.read(PciBus.CONFIGURATION + 4, 8)).isEqualTo(0x0600_0000L << 32);
    assertThat(PciBus.read(PciBus.CONFIGURATION + 2, 2)).isEqualTo(8);
    assertThat(PciBus.read(PciBus.CONFIGURATION + 0x100, 4)).isZero();
    assertThat(PciBus.read(PciBus.CONFIGURATION + 0x1000, 2)).isEqualTo(0xffff);
  }

  // ---- Ends ----

  private void assertEnds(RunOutcome.Kind kind, String reason) {
    assertThat(pc.ending.outcome()).isNotNull();
    assertThat(pc.ending.outcome().kind()).isEqualTo(kind);
    assertThat(pc.ending.outcome().reason()).contains(reason);
  }

  @Test
  void sleepTypeFiveIsOff() {
    pc.out(0x604, 2, 5 << 10);
    assertThat(pc.ending.over()).isFalse();
    pc.out(0x604, 2, 5 << 10 | 1 << 13);
    assertEnds(RunOutcome.Kind.POWEROFF, "powered off");
  }

  @Test
  void otherSleepTypesAreUnknown() {
    pc.out(0x605, 1, 1 << 2 | 1 << 5);
    assertEnds(RunOutcome.Kind.UNIMPLEMENTED, "sleep type 1");
  }

  @Test
  void theControlRegisterIsAlwaysInAcpiMode() {
    pc.out(0x604, 2, 2);
    assertThat(pc.in(0x604, 2)).isEqualTo(3);
    pc.out(0x604, 2, 4);
    assertThat(pc.in(0x600, 2)).isEqualTo(0x20);
  }

  @Test
  void theResetRegisterResetsOnARisingBit() {
    pc.out(0xcf9, 2);
    assertThat(pc.reset).isEqualTo("none");
    pc.out(0xcf9, 6);
    assertThat(pc.reset).isEqualTo("hard by the reset control register");
    pc.out(0xcf9, 4);
    assertThat(pc.reset).isEqualTo("hard by the reset control register");
    pc.out(0xcf9, 0);
    pc.out(0xcf9, 4);
    assertThat(pc.reset).isEqualTo("soft by the reset control register");
  }

  @Test
  void theKeyboardControllerResets() {
    pc.out(0x64, 0xd1);
    pc.out(0x60, 3);
    assertThat(pc.reset).isEqualTo("none");
    pc.out(0x64, 0xd1);
    pc.out(0x60, 2);
    assertThat(pc.reset).isEqualTo("soft by the keyboard controller");
    pc.reset = "none";
    pc.out(0x64, 0xfe);
    assertThat(pc.reset).isEqualTo("soft by the keyboard controller");
  }

  @Test
  void portNinetyTwoResetsOnARisingBitThatStaysSet() {
    assertThat(pc.in(0x92)).isEqualTo(2);
    pc.out(0x92, 3);
    assertThat(pc.reset).isEqualTo("soft by system control port A");
    assertThat(pc.in(0x92)).isEqualTo(3);
    pc.reset = "none";
    pc.out(0x92, 1);
    assertThat(pc.reset).isEqualTo("none");
  }

  @Test
  void theKeyboardControllerAnswersItsOwnCommandsAndNobodyElseDoes() {
    assertThat(pc.in(0x64)).isEqualTo(4);
    pc.out(0x64, 0xaa);
    assertThat(pc.in(0x64) & 1).isEqualTo(1);
    assertThat(pc.in(0x60)).isEqualTo(0x55);
    assertThat(pc.in(0x64) & 1).isZero();
    pc.out(0x64, 0x60);
    pc.out(0x60, 0x47);
    pc.out(0x64, 0x20);
    assertThat(pc.in(0x60)).isEqualTo(0x47);
    pc.out(0x60, 0xf2);
    assertThat(pc.in(0x64) & 1).isZero();
  }

  @Test
  void zeroAtTheDebugExitIsSuccess() {
    pc.out(0xf4, 4, 0);
    assertEnds(RunOutcome.Kind.POWEROFF, "debug exit with 0");
  }

  @Test
  void anythingElseAtTheDebugExitIsNot() {
    pc.out(0xf4, 1, 0x21);
    assertEnds(RunOutcome.Kind.CRASH, "debug exit with 33");
  }

  // ---- All together ----

  @Test
  void emptyPortsFloat() {
    assertThat(pc.in(0x2f8)).isEqualTo(0xff);
    assertThat(pc.in(0x510, 2)).isEqualTo(0xffff);
    assertThat(pc.in(0x1000, 4)).isEqualTo(0xffff_ffffL);
    assertThat(pc.in(0xffff, 4)).isEqualTo(0xffff_ffffL);
    pc.out(0x80, 4, -1);
    pc.out(0xffff, 4, -1);
  }

  @Test
  void wideAccessesReachNarrowDevicesByteByByte() {
    pc.out(0x70, 2, 0x5a40);
    pc.out(0x70, 0x40);
    assertThat(pc.in(0x71)).isEqualTo(0x5a);
  }

  @Test
  void anythingMayBeWrittenAnywhere() {
    Random random = new Random(1);
    int[] sizes = {1, 2, 4};
    int[] places = {0x20, 0xa0, 0x4d0, 0x40, 0x60, 0x70, 0x92, 0x3f8, 0x600, 0xcf8, 0xf4};
    for (int n = 0; n < 300_000; n++) {
      int size = sizes[random.nextInt(3)];
      int port = places[random.nextInt(places.length)] + random.nextInt(12);
      int value = random.nextBoolean() ? random.nextInt() : random.nextInt(256);
      switch (random.nextInt(6)) {
        case 0 -> assertThat(pc.in(port, size)).isBetween(0L, 0xffff_ffffL >>> 32 - 8 * size);
        case 1 -> pc.ioApic.write(IoApic.BASE + random.nextInt(0x50), size, value & 0xffff_ffffL);
        case 2 -> pc.ioApic.read(IoApic.BASE + random.nextInt(0x50), size);
        case 3 -> pc.uart.type(random.nextInt(100) == 0 ? new byte[random.nextInt(50)] : new byte[0]);
        default -> pc.out(port, size, value & 0xffff_ffffL);
      }
      pc.events.runUntil(pc.clock.now);
      if (pc.line) {
        assertThat(pc.apic.acknowledge()).isBetween(0, 255);
      }
    }
  }
}
