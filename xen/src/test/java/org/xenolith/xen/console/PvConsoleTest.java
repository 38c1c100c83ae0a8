package org.xenolith.xen.console;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.GuestFrames;
import org.xenolith.xen.TestDomain;
import org.xenolith.xen.event.EventChannels;

class PvConsoleTest {
  private static final long MFN = 30, PAGE = MFN << 12;
  private static final long IN_CONS = PAGE + 3072, IN_PROD = PAGE + 3076, OUT_CONS = PAGE + 3080, OUT_PROD = PAGE + 3084;

  private final TestDomain test = new TestDomain(1);
  private final GuestMemory memory = test.memory;
  private final EventChannels channels = new EventChannels(test.domain, NO_FRAMES);
  private final StringBuilder printed = new StringBuilder();
  private final PvConsole console =
      new PvConsole(memory, MFN, channels, (bytes, length) -> printed.append(new String(bytes, 0, length, StandardCharsets.UTF_8)));

  private static final GuestFrames NO_FRAMES =
      new GuestFrames() {
        @Override
        public long hold(long gfn) {
          return -1;
        }

        @Override
        public void release(long mfn) {
          throw new AssertionError("nothing is held");
        }
      };

  private void event() {
    memory.writeInt(TestDomain.ARGUMENTS, console.port());
    assertThat(channels.call(test.vcpu(0), new long[] {4, TestDomain.ARGUMENTS, 0, 0, 0})).isZero();
  }

  private void print(String text) {
    int produced = memory.readInt(OUT_PROD);
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      memory.writeByte(PAGE + 1024 + (produced++ & 2047), b);
    }
    memory.writeInt(OUT_PROD, produced);
  }

  private String takeInput() {
    StringBuilder text = new StringBuilder();
    int consumed = memory.readInt(IN_CONS);
    while (consumed != memory.readInt(IN_PROD)) {
      text.append((char) memory.readByte(PAGE + (consumed++ & 1023)));
    }
    memory.writeInt(IN_CONS, consumed);
    return text.toString();
  }

  @Test
  void outputIsTakenOnTheGuestsEventAndTheGuestIsTold() {
    print("hello\n");
    assertThat(printed).isEmpty();
    event();
    assertThat(printed).hasToString("hello\n");
    assertThat(memory.readInt(OUT_CONS)).isEqualTo(6);
    assertThat(channels.pending(console.port())).isTrue();
  }

  @Test
  void outputRunsAcrossTheRingsEndAndTheIndexsOverflow() {
    memory.writeInt(OUT_CONS, -100);
    memory.writeInt(OUT_PROD, -100);
    String text = "0123456789".repeat(20);
    print(text);
    event();
    assertThat(printed).hasToString(text);
    assertThat(memory.readInt(OUT_CONS)).isEqualTo(100);
    printed.setLength(0);
    memory.writeInt(OUT_CONS, 2000);
    memory.writeInt(OUT_PROD, 2000);
    print(text);
    event();
    assertThat(printed).hasToString(text);
  }

  @Test
  void aFullRingIsTakenWhole() {
    print("x".repeat(2048));
    event();
    assertThat(printed).hasSize(2048);
  }

  @Test
  void indicesThatCannotBeAreIgnored() {
    memory.writeInt(OUT_PROD, 2049);
    event();
    memory.writeInt(OUT_PROD, -1);
    event();
    assertThat(printed).isEmpty();
    assertThat(memory.readInt(OUT_CONS)).isZero();
    memory.writeInt(IN_PROD, 5000);
    console.type("a".getBytes(StandardCharsets.UTF_8));
    assertThat(memory.readInt(IN_PROD)).isEqualTo(5000);
  }

  @Test
  void inputBeyondTheRingWaitsUntilTheGuestHasRead() {
    String typed = "abcdefghij".repeat(150);
    console.type(typed.getBytes(StandardCharsets.UTF_8));
    assertThat(channels.pending(console.port())).isTrue();
    String first = takeInput();
    assertThat(first).hasSize(1024);
    event();
    assertThat(first + takeInput()).isEqualTo(typed);
  }

  @Test
  void whatADyingGuestPrintedWithoutAnEventCanBeHad() {
    print("panic");
    console.drain();
    assertThat(printed).hasToString("panic");
  }
}
