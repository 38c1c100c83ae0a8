package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

class SseVectorsTest {
  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  @Test
  void everyMmxAndSseInstructionDoesWhatTheProcessorDid() throws IOException {
    List<String> wrong = new ArrayList<>();
    List<RecordedVectors> vectors = RecordedVectors.load("sse-vectors.txt.gz");
    for (RecordedVectors v : vectors) {
      v.before().forEach(this::set);
      machine.code(v.code());
      cpu.rip = Machine.CODE;
      Exit exit = machine.run(1);
      if (v.after().containsKey("trap")) {
        if (!(exit instanceof Exit.Exception e && e.vector() == Fault.XM)) {
          wrong.add(exit + " instead of #XM: " + v.line());
        }
      } else if (!(exit instanceof Exit.Budget)) {
        wrong.add(exit + ": " + v.line());
      }
      v.after().forEach((name, value) -> check(v, name, value, wrong));
    }
    assertThat(wrong).isEmpty();
    assertThat(vectors).hasSizeGreaterThan(7000);
  }

  private void set(String name, long[] value) {
    int number = name.length() == 2 ? name.charAt(1) - '0' : 0;
    switch (name.charAt(0)) {
      case 'x' -> {
        cpu.xmm[2 * number] = value[0];
        cpu.xmm[2 * number + 1] = value[1];
      }
      case 'r' -> cpu.r[number] = value[0];
      default -> {
        if (name.equals("m")) {
          cpu.vector.floats.mxcsr = (int) value[0];
        } else {
          cpu.x87.state.setMmx(number, value[0]);
        }
      }
    }
  }

  private void check(RecordedVectors v, String name, long[] value, List<String> wrong) {
    int number = name.length() == 2 ? name.charAt(1) - '0' : 0;
    long low;
    long high = 0;
    switch (name.charAt(0)) {
      case 't' -> {
        return;
      }
      case 'x' -> {
        low = cpu.xmm[2 * number];
        high = cpu.xmm[2 * number + 1];
      }
      case 'r' -> low = cpu.r[number];
      case 'f' -> low = cpu.arithmeticFlags();
      default -> low = name.equals("m") ? cpu.vector.floats.mxcsr : cpu.x87.state.significands[number];
    }
    if (low != value[0] || high != value[1]) {
      wrong.add(name + " is " + HexFormat.of().toHexDigits(high) + HexFormat.of().toHexDigits(low) + ": " + v.line());
    }
  }
}
