package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.x87.X87State;

class X87VectorsTest {
  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;
  private final X87State x87 = cpu.x87.state;

  @Test
  void everyInstructionWithAnExactResultDoesWhatTheProcessorDid() throws IOException {
    List<String> wrong = new ArrayList<>();
    List<RecordedVectors> vectors = RecordedVectors.load("x87-vectors.txt.gz");
    for (RecordedVectors v : vectors) {
      Arrays.fill(x87.significands, 0);
      Arrays.fill(x87.signExponents, 0);
      v.before().forEach(this::set);
      cpu.r[Cpu.RSI] = Machine.DATA;
      machine.code(v.code());
      cpu.rip = Machine.CODE;
      Exit exit = machine.run(1);
      if (!(exit instanceof Exit.Budget)) {
        wrong.add(exit + ": " + v.line());
      }
      v.after().forEach((name, value) -> check(v, name, value, wrong));
    }
    assertThat(wrong).isEmpty();
    assertThat(vectors).hasSizeGreaterThan(4000);
  }

  private void set(String name, long[] value) {
    switch (name.charAt(0)) {
      case 'c' -> x87.setControlWord((int) value[0]);
      case 's' -> x87.setStatusWord((int) value[0]);
      case 't' -> x87.occupied = (int) value[0];
      case 'p' -> {
        x87.significands[name.charAt(1) - '0'] = value[0];
        x87.signExponents[name.charAt(1) - '0'] = (int) value[1];
      }
      case 'd' -> {
        machine.memory.writeLong(Machine.DATA, value[0]);
        machine.memory.writeLong(Machine.DATA + 8, value[1]);
      }
      case 'f' -> cpu.setArithmeticFlags((int) value[0]);
      default -> throw new AssertionError(name);
    }
  }

  private void check(RecordedVectors v, String name, long[] value, List<String> wrong) {
    long low;
    long high = 0;
    switch (name.charAt(0)) {
      case 'c' -> low = x87.control;
      case 's' -> low = x87.statusWord();
      case 't' -> low = x87.occupied;
      case 'p' -> {
        low = x87.significands[name.charAt(1) - '0'];
        high = x87.signExponents[name.charAt(1) - '0'];
      }
      case 'd' -> {
        low = machine.memory.readLong(Machine.DATA);
        high = machine.memory.readLong(Machine.DATA + 8);
      }
      case 'f' -> low = cpu.arithmeticFlags();
      case 'a' -> low = cpu.r[Cpu.RAX] & 0xffff;
      default -> throw new AssertionError(name);
    }
    if (low != value[0] || high != value[1]) {
      wrong.add(String.format("%s is %x:%x: %s", name, high, low, v.line()));
    }
  }
}
