package org.xenolith.translator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Form;
import org.xenolith.isa.Operand;

/**
 * Programs of instructions at random, with loops: what a guest sees of itself afterwards is the same on both engines, undefined flags and
 * all.
 */
class RandomProgramsTest {
  private static final int PROGRAMS = Integer.getInteger("random.programs", 150);

  /** What addresses memory, and how far inside a page. */
  private static final int[] BASES = {Cpu.RBX, Cpu.RBP, 15}, OFFSETS = {0x100, 0x800, 0x400};

  @Test
  void bothEnginesLeaveTheSameState() {
    List<Form> forms = forms();
    assertThat(forms.size()).isGreaterThan(300);
    for (int seed = Integer.getInteger("random.first", 0); seed < PROGRAMS; seed++) {
      byte[] program = program(forms, new SplittableRandom(seed), privileged(seed));
      Guest compared = started(new Guest(earned(seed)), program, seed);
      compared.cpu.engine = compared.translator.lockstep();
      compared.run(3000);
      Guest interpreted = started(new Guest(0), program, seed);
      Guest translated = started(new Guest(earned(seed)), program, seed);
      for (int slice = 0; slice < 8; slice++) {
        Exit expected = interpreted.run(700 + 13 * slice);
        Exit found = translated.run(700 + 13 * slice);
        assertThat(String.valueOf(found)).as("exit of program " + seed).isEqualTo(String.valueOf(expected));
        assertThat(translated.state()).as("state of program " + seed).isEqualTo(interpreted.state());
        if (expected != null) {
          break;
        }
      }
    }
  }

  /** So often a block is asked for before it is translated: mostly soon, but for some only when it is known to be a loop of many rounds. */
  private static int earned(int seed) {
    return seed % 5 < 3 ? 1 + seed % 5 : 16;
  }

  private static boolean privileged(int seed) {
    return seed % 4 == 3;
  }

  private static Guest started(Guest guest, byte[] program, int seed) {
    guest.code(program);
    if (privileged(seed)) {
      guest.privileged();
    }
    SplittableRandom random = new SplittableRandom(~seed);
    for (int n = 0; n < 16; n++) {
      guest.cpu.r[n] = random.nextInt(4) == 0 ? random.nextInt(-2, 3) : random.nextLong();
    }
    for (int n = 0; n < 32; n++) {
      guest.cpu.xmm[n] = random.nextLong();
    }
    guest.cpu.r[Cpu.RSP] = Guest.STACK;
    for (int n = 0; n < BASES.length; n++) {
      guest.cpu.r[BASES[n]] = Guest.DATA + OFFSETS[n];
    }
    return guest;
  }

  /** Everything that the translator re-encodes, with registers and memory. */
  private static List<Form> forms() {
    List<Form> forms = new ArrayList<>();
    for (Encoding row : Encoding.all()) {
      for (Form form : Form.of(row, CpuMode.LONG64)) {
        Operand address = Operand.mem(Cpu.RBX, 8);
        byte[] bytes;
        try {
          bytes = form.encoder().encode(form.operands(new SplittableRandom(1), address, 0));
        } catch (IllegalArgumentException e) {
          continue;
        }
        Action action = Rule.of(new org.xenolith.isa.Decoder().decode(bytes, 0, bytes.length, 0, CpuMode.LONG64)).action;
        switch (action) {
          case REENCODE, VECTOR, LEA, PUSH, PUSHF, POP, MULTIPLY, DIVIDE, CONVERT, SCAN, DOUBLE_SHIFT, COMPARE_EXCHANGE ->
              forms.add(form);
          default -> {}
        }
      }
    }
    return forms;
  }

  /** A string instruction with pointers and a count of its own. */
  private static void string(ByteArrayOutputStream out, SplittableRandom random) {
    // lea rdi, [rbx + d]; lea rsi, [r15 + d]; mov ecx, n
    out.writeBytes(new byte[] {0x48, (byte) 0x8d, 0x7b, (byte) random.nextInt(-128, 128)});
    out.writeBytes(new byte[] {0x49, (byte) 0x8d, 0x77, (byte) random.nextInt(-128, 128)});
    int count = random.nextInt(8) == 0 ? random.nextInt(0, 1500) : random.nextInt(0, 20);
    out.writeBytes(new byte[] {(byte) 0xb9, (byte) count, (byte) (count >> 8), 0, 0});
    if (random.nextInt(4) != 0) {
      out.write(0xf3);
    }
    int width = random.nextInt(4);
    if (width == 1) {
      out.write(0x66);
    } else if (width == 3) {
      out.write(0x48);
    }
    out.write((random.nextBoolean() ? 0xa4 : 0xaa) | (width == 0 ? 0 : 1));
    if (random.nextInt(20) == 0) {
      out.write(random.nextBoolean() ? 0xfd : 0xfc); // std, cld
    }
  }

  /** Some pushes and pops of registers that address no memory, with a move between now and then. */
  private static void stack(ByteArrayOutputStream out, SplittableRandom random) {
    int[] registers = {0, 1, 2, 6, 7, 8, 9, 10, 11, 12, 13};
    for (int n = random.nextInt(2, 6); n > 0; n--) {
      int register = registers[random.nextInt(registers.length)];
      if (register >= 8) {
        out.write(0x41);
      }
      out.write((random.nextBoolean() ? 0x50 : 0x58) | register & 7);
      if (random.nextInt(4) == 0) {
        out.writeBytes(new byte[] {(byte) 0x89, (byte) 0xc1}); // mov ecx, eax
      }
    }
  }

  private static byte[] program(List<Form> forms, SplittableRandom random, boolean privileged) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    // What addresses memory, the stack, and counts the loop is left alone, mostly.
    int kept = 1 << Cpu.RSP | 1 << Cpu.RBX | 1 << Cpu.RBP | 1 << 15 | 1 << 14;
    switch (random.nextInt(4)) {
      // As most loops it has registers to spare; or mostly uses those that have no home in the host.
      case 0, 1 -> kept |= random.nextInt(1 << 16) & ~(1 << Cpu.RAX | 1 << Cpu.RDX);
      case 2 -> kept |= ~(1 << Cpu.RAX | 7 << 10);
      default -> {}
    }
    int length = random.nextInt(4, 40);
    for (int n = 0; n < length; n++) {
      Form form = forms.get(random.nextInt(forms.size()));
      int which = random.nextInt(3);
      // Now and then across the end of a page.
      int displacement = random.nextInt(50) == 0 ? 0xffd - OFFSETS[which] : random.nextInt(16) * 16;
      Operand address = Operand.mem(BASES[which], displacement);
      try {
        Operand[] operands = form.operands(random, address, random.nextInt(200) == 0 ? 0 : kept);
        out.writeBytes(form.encoder().condition(random.nextInt(16)).encode(operands));
      } catch (IllegalArgumentException e) {
        continue;
      }
      if (random.nextInt(12) == 0) {
        string(out, random);
      }
      if (random.nextInt(20) == 0) {
        // rdtsc, rdtscp; sti, cli, swapgs
        String[] system = {"0f31", "0f01f9", "fb", "fa", "0f01f8"};
        out.writeBytes(HexFormat.of().parseHex(system[random.nextInt(privileged ? 5 : 2)]));
      }
      if (random.nextInt(5) == 0) {
        stack(out, random);
      }
      if (random.nextInt(10) == 0) {
        // add rbx, 16; sub rbp, 16; xchg rbx, rbp; lea r15, [r15-16]; sub rsp, 8; add rsp, 16; mov rbp, rbx; lea rbx, [r15+32]; inc rbp;
        // dec rbx; mov rbp, rsp, and leave
        String[] moves = {"4883c310", "4883ed10", "4887dd", "4d8d7ff0", "4883ec08", "4883c410", "4889dd", "498d5f20", "48ffc5", "48ffcb",
            "4889e5c9"};
        out.writeBytes(HexFormat.of().parseHex(moves[random.nextInt(moves.length)]));
      }
      if (random.nextInt(16) == 0) {
        // inc ah, dec ah, inc ch, dec dh: the forms have no high bytes.
        String[] steps = {"fec4", "fecc", "fec5", "fece"};
        out.writeBytes(HexFormat.of().parseHex(steps[random.nextInt(4)]));
      }
      if (random.nextInt(6) == 0) {
        // A conditional jump over a NOP of two bytes.
        out.writeBytes(new byte[] {(byte) (0x70 | random.nextInt(16)), 2, 0x66, (byte) 0x90});
      }
    }
    for (int base : BASES) {
      if (random.nextInt(3) == 0) {
        // lea base, [base + d]: the next time round the operands are elsewhere.
        int distance = random.nextInt(-8, 9) * (random.nextInt(3) == 0 ? 256 : 16);
        out.writeBytes(new byte[] {(byte) (base < 8 ? 0x48 : 0x4d), (byte) 0x8d, (byte) (0x80 | (base & 7) * 9)});
        out.writeBytes(new byte[] {(byte) distance, (byte) (distance >> 8), (byte) (distance >> 16), (byte) (distance >> 24)});
      }
    }
    // dec r14, perhaps; jmp to the start: until the budget is spent.
    if (random.nextBoolean()) {
      out.writeBytes(new byte[] {0x49, (byte) 0xff, (byte) 0xce});
    }
    int back = -(out.size() + 5);
    out.writeBytes(new byte[] {(byte) 0xe9, (byte) back, (byte) (back >> 8), (byte) (back >> 16), (byte) (back >> 24)});
    return out.toByteArray();
  }
}
