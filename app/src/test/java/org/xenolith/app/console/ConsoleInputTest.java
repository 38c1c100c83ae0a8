package org.xenolith.app.console;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class ConsoleInputTest {
  private static final long LONG_NS = Duration.ofSeconds(15).toNanos();

  @Test
  void givesWhatWasTypedThenCtrlDAtItsEnd() {
    ConsoleInput input = started("uname\n", false);
    assertThat(everything(input, 7)).isEqualTo("uname\n\u0004");
    assertThat(input.hasLeft()).isFalse();
  }

  @Test
  void ctrlBracketLeavesWhenTypedByAPerson() {
    ConsoleInput input = started("ab\u001dcd", true);
    while (!input.hasLeft()) {
      input.await(LONG_NS);
    }
    assertThat(everything(input, 2)).isEqualTo("ab");
  }

  @Test
  void ctrlBracketIsAByteLikeAnyOtherInAFile() {
    ConsoleInput input = started("a\u001db", false);
    assertThat(everything(input, 4)).isEqualTo("a\u001db\u0004");
    assertThat(input.hasLeft()).isFalse();
  }

  @Test
  void losesNothingWhenMoreIsTypedThanTheGuestTakes() {
    String typed = "0123456789".repeat(20_000);
    assertThat(everything(started(typed, false), typed.length() + 1)).isEqualTo(typed + "\u0004");
  }

  @Test
  void waitingEndsWithTheTimeGiven() {
    ConsoleInput input = new ConsoleInput(InputStream.nullInputStream(), false);
    long before = System.nanoTime();
    input.await(30_000_000);
    assertThat(System.nanoTime() - before).isBetween(30_000_000L, LONG_NS);
  }

  private static ConsoleInput started(String typed, boolean leaveKey) {
    ConsoleInput input = new ConsoleInput(new ByteArrayInputStream(typed.getBytes(StandardCharsets.US_ASCII)), leaveKey);
    input.start();
    return input;
  }

  private static String everything(ConsoleInput input, int size) {
    StringBuilder text = new StringBuilder();
    byte[] buffer = new byte[1000];
    while (text.length() < size) {
      input.await(LONG_NS);
      text.append(new String(Arrays.copyOf(buffer, input.take(buffer)), StandardCharsets.US_ASCII));
    }
    return text.toString();
  }
}
