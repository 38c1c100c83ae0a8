package org.xenolith.insight.gdb;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PacketReaderTest {
  private final List<String> seen = new ArrayList<>();
  private final PacketReader reader =
      new PacketReader(
          new PacketReader.Receiver() {
            @Override
            public void packet(String data) {
              seen.add(data);
            }

            @Override
            public void damaged() {
              seen.add("damaged");
            }

            @Override
            public void repeat() {
              seen.add("repeat");
            }

            @Override
            public void interrupt() {
              seen.add("interrupt");
            }
          });

  private List<String> read(String bytes) {
    seen.clear();
    try {
      for (byte next : bytes.getBytes(StandardCharsets.ISO_8859_1)) {
        reader.take(next & 0xff);
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    return List.copyOf(seen);
  }

  @Test
  void packetsAcknowledgementsAndInterruptsAreToldApart() {
    assertThat(read("+$g#67\3-$m0,4#fd")).containsExactly("g", "interrupt", "repeat", "m0,4");
  }

  @Test
  void aWrongChecksumIsADamagedPacketAndThatOfTheNextIsItsOwn() {
    assertThat(read("$g#68$g#6x$g#67")).containsExactly("damaged", "damaged", "g");
  }

  @Test
  void aPacketThatBeginsAnewReplacesTheOneBefore() {
    assertThat(read("$M0,4:12$g#67")).containsExactly("g");
  }

  @Test
  void everyByteSurvivesEscaping() {
    StringBuilder all = new StringBuilder();
    for (char c = 0; c < 256; c++) {
      all.append(c);
    }
    assertThat(read(new String(PacketReader.packet(all.toString()), StandardCharsets.ISO_8859_1))).containsExactly(all.toString());
  }

  @Test
  void aPacketWithoutEndTakesNoMemoryWithoutEnd() {
    String data = "x".repeat(10 * PacketReader.MAX_PACKET);
    assertThat(read(new String(PacketReader.packet(data), StandardCharsets.ISO_8859_1) + "$g#67")).containsExactly("damaged", "g");
  }
}
