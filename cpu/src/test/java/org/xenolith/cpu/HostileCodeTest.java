package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;

/** Random bytes as code, with random registers: whatever they do, it ends in an exit that a real processor has. */
class HostileCodeTest {
  /** Runs {@code cases} pieces of random code; what was met that is not implemented, with counts. */
  static Map<String, Integer> run(CpuMode mode, long seed, int cases) {
    Random random = new Random(seed);
    Machine machine = new Machine();
    Cpu cpu = machine.cpu;
    cpu.descriptors = new Tables().data(5, 3).code64(6, 3).code32(4, 3).data(3, 3);
    Map<String, Integer> missing = new TreeMap<>();
    byte[] code = new byte[64];
    for (int n = 0; n < cases; n++) {
      start(machine, mode, random);
      random.nextBytes(code);
      if (random.nextBoolean()) {
        // A known opcode, so that rare maps come up.
        Encoding row = Encoding.all().get(random.nextInt(Encoding.all().size()));
        int at = 0;
        if (row.prefix == Encoding.PREFIX_66 || row.prefix == Encoding.PREFIX_F3 || row.prefix == Encoding.PREFIX_F2) {
          code[at++] = (byte) new int[] {0, 0x66, 0xf3, 0xf2}[row.prefix];
        }
        if (row.map > Encoding.MAP_ONE_BYTE && row.map <= Encoding.MAP_0F3A) {
          code[at++] = 0x0f;
          if (row.map > Encoding.MAP_0F) {
            code[at++] = (byte) (row.map == Encoding.MAP_0F38 ? 0x38 : 0x3a);
          }
        }
        code[at++] = (byte) row.opcode;
        if (row.extension >= 0) {
          code[at] = (byte) (code[at] & 0xc7 | row.extension << 3);
        }
      }
      machine.memory.write(Machine.CODE, code, 0, code.length);
      Exit exit = machine.run(20);
      if (exit instanceof Exit.Unimplemented gap) {
        missing.merge(gap.what(), 1, Integer::sum);
      } else if (exit instanceof Exit.Exception fault) {
        assertThat(fault.vector()).isBetween(0, 19);
        assertThat(fault.vector()).isNotIn(Fault.NMI, Fault.DF, 9, Fault.TS, Fault.MC);
      }
    }
    return missing;
  }

  private static void start(Machine machine, CpuMode mode, Random random) {
    Cpu cpu = machine.cpu;
    machine.privilege(3);
    if (mode != CpuMode.LONG64) {
      machine.compatibility();
    }
    if (mode == CpuMode.CODE16) {
      cpu.segmentAccess[Instruction.CS] &= ~Cpu.ACCESS_D;
      cpu.segmentBase[Instruction.CS] = 0;
    }
    for (int k = 0; k < 16; k++) {
      cpu.r[k] = switch (random.nextInt(4)) {
        case 0 -> random.nextLong();
        case 1 -> random.nextInt(100);
        default -> Machine.DATA + random.nextInt(0x10000);
      };
    }
    if (mode != CpuMode.LONG64) {
      for (int k = 0; k < 16; k++) {
        cpu.r[k] &= 0xffff_ffffL;
      }
    }
    cpu.setRflags(random.nextInt() & (Cpu.ARITHMETIC | Cpu.DF | (random.nextInt(8) == 0 ? Cpu.TF | Cpu.AC : 0)) | Cpu.IF);
    cpu.rip = Machine.CODE;
    cpu.refresh();
  }

  @ParameterizedTest
  @EnumSource(CpuMode.class)
  void randomCodeEndsInAnExitThatARealProcessorHas(CpuMode mode) {
    assertThat(run(mode, 5, 20_000)).isEmpty();
  }

  /** A longer run: mode, seed, number of cases. */
  public static void main(String[] arguments) {
    var missing = run(CpuMode.valueOf(arguments[0]), Long.parseLong(arguments[1]), Integer.parseInt(arguments[2]));
    System.out.println(Arrays.toString(arguments) + missing);
  }
}
