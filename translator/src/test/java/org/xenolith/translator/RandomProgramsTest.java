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
import org.xenolith.isa.Decoder;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Form;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Operand;

/**
 * Programs of instructions at random, with loops and calls: what a guest sees of itself afterwards is the same on both engines, undefined
 * flags and all.
 */
class RandomProgramsTest {
  private static final int PROGRAMS = Integer.getInteger("random.programs", 150);

  /** What addresses memory, and how far inside a page. */
  private static final int[] BASES = {Cpu.RBX, Cpu.RBP, 15}, OFFSETS = {0x100, 0x800, 0x400};

  /** What is added to that in loops. */
  private static final int INDEX = 14;

  @Test
  void bothEnginesLeaveTheSameState() {
    List<Form> forms = forms();
    assertThat(forms.size()).isGreaterThan(300);
    for (int seed = Integer.getInteger("random.first", 0); seed < PROGRAMS; seed++) {
      byte[] program = program(forms, seed, 1);
      byte[] other = program(forms, seed, 2);
      Guest compared = started(new Guest(earned(seed)), program, seed);
      compared.cpu.engine = compared.translator.lockstep();
      compared.run(2000);
      compared.remap(other);
      compared.run(1000);
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
        if (slice % 3 == 1) {
          interpreted.remap(slice == 1 ? other : program);
          translated.remap(slice == 1 ? other : program);
        }
      }
    }
  }

  /** So often a block is asked for before it is translated: mostly soon, but for some only when it is known to be a loop of many rounds. */
  private static int earned(int seed) {
    return seed % 5 < 3 ? 1 + seed % 5 : 16;
  }

  private static byte[] program(List<Form> forms, int seed, int variant) {
    SplittableRandom random = new SplittableRandom(seed);
    return seed % 5 == 4 ? loop(forms, random) : program(forms, random, privileged(seed), variant);
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
    guest.cpu.selector[Instruction.ES] = 0x6b;
    guest.cpu.selector[Instruction.DS] = 0x7b;
    guest.cpu.selector[Instruction.FS] = 0xff83;
    guest.cpu.selector[Instruction.GS] = 0x8b;
    guest.cpu.r[Cpu.RSP] = Guest.STACK;
    for (int n = 0; n < BASES.length; n++) {
      guest.cpu.r[BASES[n]] = Guest.DATA + OFFSETS[n];
    }
    guest.cpu.r[INDEX] = random.nextInt(0x400);
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
        Action action = Rule.of(new Decoder().decode(bytes, 0, bytes.length, 0, CpuMode.LONG64)).action;
        switch (action) {
          case REENCODE, VECTOR, LEA, PUSH, PUSHF, POP, MULTIPLY, DIVIDE, CONVERT, SCAN, DOUBLE_SHIFT, COMPARE_EXCHANGE, READ_SELECTOR ->
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

  /**
   * Adds instructions, with conditional jumps, and calls of functions.
   *
   * @param main whether they may move the stack pointer, being in no function
   */
  private static void body(
      ByteArrayOutputStream out, List<Form> forms, SplittableRandom random, int kept, int length, boolean privileged,
      List<Integer> functions, boolean main) {
    for (int n = 0; n < length; n++) {
      Form form = forms.get(random.nextInt(forms.size()));
      byte[] bytes = instruction(form, random, address(random, main), random.nextInt(200) == 0 ? 0 : kept);
      if (bytes == null) {
        continue;
      }
      if (main || !movesStack(bytes)) {
        out.writeBytes(bytes);
      }
      if (random.nextInt(12) == 0) {
        string(out, random);
      }
      if (random.nextInt(20) == 0) {
        comparePart(out, random);
      }
      if (random.nextInt(20) == 0) {
        // rdtsc, rdtscp; sti, cli, swapgs
        String[] system = {"0f31", "0f01f9", "fb", "fa", "0f01f8"};
        out.writeBytes(HexFormat.of().parseHex(system[random.nextInt(privileged ? 5 : 2)]));
      }
      if (main && random.nextInt(5) == 0) {
        stack(out, random);
      }
      if (random.nextInt(10) == 0) {
        // add rbx, 16; sub rbp, 16; xchg rbx, rbp; lea r15, [r15-16]; mov rbp, rbx; lea rbx, [r15+32]; inc rbp; dec rbx; and, outside
        // functions: sub rsp, 8; add rsp, 16; mov rbp, rsp, and leave
        String[] moves = {"4883c310", "4883ed10", "4887dd", "4d8d7ff0", "4889dd", "498d5f20", "48ffc5", "48ffcb", "4883ec08", "4883c410",
            "4889e5c9"};
        out.writeBytes(HexFormat.of().parseHex(moves[random.nextInt(main ? 11 : 8)]));
      }
      if (random.nextInt(16) == 0) {
        // The forms have no high bytes: inc ah; dec ah; inc ch; dec dh; mov al, ah; mov ah, al; mov ch, ah; mov ah, ch; movzx eax, ch;
        // movzx edx, ah; movzx eax, ah; xor ah, ch; add al, dh; test ah, 0x5a; mov ah, 0x77; cmp ah, 5; cmp cl, ah; xchg al, ah;
        // xchg ch, ah; setb ah; or ah, al; neg ah; xadd ah, al
        String[] steps = {"fec4", "fecc", "fec5", "fece", "88e0", "88c4", "88e5", "88ec", "0fb6c5", "0fb6d4", "0fb6c4", "30ec", "00f0",
            "f6c45a", "b477", "80fc05", "38e1", "86e0", "86e5", "0f92c4", "08c4", "f6dc", "0fc0c4"};
        out.writeBytes(HexFormat.of().parseHex(steps[random.nextInt(steps.length)]));
      }
      if (random.nextInt(6) == 0) {
        // A conditional jump over a NOP of two bytes.
        out.writeBytes(new byte[] {(byte) (0x70 | random.nextInt(16)), 2, 0x66, (byte) 0x90});
      }
      if (!functions.isEmpty() && random.nextInt(main ? 6 : 4) == 0) {
        if (main && random.nextInt(4) == 0) {
          // sub rsp, 16; its flags are wanted behind the call, perhaps
          out.writeBytes(new byte[] {0x48, (byte) 0x83, (byte) 0xec, 16});
        }
        jump(out, 0xe8, functions.get(random.nextInt(functions.size())));
        // Some functions return behind this NOP of two bytes.
        out.writeBytes(new byte[] {0x66, (byte) 0x90});
      }
    }
  }

  /** An address of data, or on the stack, where functions leave alone what they return by. */
  private static Operand address(SplittableRandom random, boolean main) {
    int which = random.nextInt(4);
    if (which == 3) {
      return Operand.mem(Cpu.RSP, 8 * (main ? random.nextInt(-16, 24) : random.nextInt(-32, -2)));
    }
    // Now and then across the end of a page.
    return Operand.mem(BASES[which], random.nextInt(50) == 0 ? 0xffd - OFFSETS[which] : random.nextInt(16) * 16);
  }

  /** An instruction, or null where its operands at random cannot be encoded. */
  private static byte[] instruction(Form form, SplittableRandom random, Operand address, int kept) {
    try {
      Operand[] operands = form.operands(random, address, kept);
      return form.encoder().condition(random.nextInt(16)).encode(operands);
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private static boolean movesStack(byte[] bytes) {
    return switch (Rule.of(new Decoder().decode(bytes, 0, bytes.length, 0, CpuMode.LONG64)).action) {
      case PUSH, PUSHF, POP -> true;
      default -> false;
    };
  }

  private static void jump(ByteArrayOutputStream out, int opcode, int target) {
    int distance = target - (out.size() + 5);
    out.writeBytes(new byte[] {(byte) opcode, (byte) distance, (byte) (distance >> 8), (byte) (distance >> 16), (byte) (distance >> 24)});
  }

  /** Adds functions, which call those before them, and returns where they begin. */
  private static List<Integer> functions(
      ByteArrayOutputStream out, List<Form> forms, SplittableRandom random, int kept, boolean privileged, int variant) {
    List<Integer> starts = new ArrayList<>();
    int count = random.nextInt(1, 5);
    for (int n = 0; n < count; n++) {
      int start = out.size();
      // mov r11, variant
      out.writeBytes(new byte[] {0x49, (byte) 0xc7, (byte) 0xc3, (byte) variant, 0, 0, 0});
      body(out, forms, random, kept, random.nextInt(6), privileged, random.nextBoolean() ? starts : List.of(), false);
      switch (random.nextInt(8)) {
        // add qword [rsp], 2; ret
        case 0 -> out.writeBytes(HexFormat.of().parseHex("4883042402c3"));
        // mov rax, [rsp]; push rax; mov [rsp], rax; mov qword [rsp+8], 0; ret 8
        case 1 -> out.writeBytes(HexFormat.of().parseHex("488b0424504889042448c744240800000000c20800"));
        // cmp rax, rdx; jne to the nop; add qword [rsp], 2; nop; ret
        case 2 -> out.writeBytes(HexFormat.of().parseHex("4839d07505488304240290c3"));
        default -> out.write(0xc3);
      }
      starts.add(start);
      if (random.nextInt(4) == 0) {
        out.writeBytes(new byte[0x1000 - (out.size() & 0xfff)]);
      }
    }
    return starts;
  }

  /** A short loop of nothing but what goes well in its second round, with memory operands mostly. */
  private static byte[] loop(List<Form> forms, SplittableRandom random) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int kept = 1 << Cpu.RSP | 1 << Cpu.RBX | 1 << Cpu.RBP | 1 << 15 | 1 << INDEX | random.nextInt(1 << 16) & ~(1 << Cpu.RAX | 1 << Cpu.RDX);
    int length = random.nextInt(3, 16);
    if (random.nextInt(4) == 0) {
      // lea rax, [rax + 1] and so on: all registers are in use.
      for (int register = 0; register < INDEX; register++) {
        if ((kept >> register & 1) == 0 || register > Cpu.RBP) {
          out.writeBytes(new byte[] {(byte) (0x48 | register >> 3 | register >> 3 << 2), (byte) 0x8d, (byte) (0x40 | (register & 7) * 9)});
          out.writeBytes((register & 7) == 4 ? new byte[] {0x24, 1} : new byte[] {1});
        }
      }
    }
    while (length > 0) {
      if (random.nextInt(12) == 0) {
        comparePart(out, random);
      }
      Form form = forms.get(random.nextInt(forms.size()));
      int which = random.nextInt(3);
      int displacement = random.nextInt(20) == 0 ? 0xff0 - OFFSETS[which] + random.nextInt(32) : random.nextInt(64) * 4;
      Operand address = switch (random.nextInt(4)) {
        case 0 -> Operand.mem(BASES[which], INDEX, random.nextInt(4), displacement);
        case 1 -> Operand.mem(INDEX, BASES[which], 0, displacement);
        default -> Operand.mem(BASES[which], displacement);
      };
      byte[] bytes = instruction(form, random, address, kept);
      if (bytes == null) {
        continue;
      }
      Instruction i = new Decoder().decode(bytes, 0, bytes.length, 0, CpuMode.LONG64);
      Action action = Rule.of(i).action;
      if (action == Action.REENCODE && (i.hasMemory() || random.nextInt(3) == 0) || action == Action.LEA) {
        out.writeBytes(bytes);
        length--;
      }
    }
    move(out, random);
    jump(out, 0xe9, 0);
    return out.toByteArray();
  }

  /** Loads a part of a register, compares it, perhaps with another instruction in between, and looks at a condition. */
  private static void comparePart(ByteArrayOutputStream out, SplittableRandom random) {
    int prefix = random.nextBoolean() ? 0x66 : 0;
    int[] registers = {0, 1, 2, 6, 7, 8, 9, 10, 13};
    int part = registers[random.nextInt(registers.length)];
    int other = registers[random.nextInt(registers.length)];
    // mov part, [rbx + r14 + d], or now and then across the end of a page: [rbx + d]
    writePrefix(out, prefix);
    boolean crosses = random.nextInt(6) == 0;
    int reg = (part & 7) << 3;
    out.writeBytes(new byte[] {(byte) (0x42 | part >> 3 << 2), (byte) (prefix == 0 ? 0x8a : 0x8b)});
    out.writeBytes(crosses ? new byte[] {(byte) (0x83 | reg), (byte) (0xfd + random.nextInt(3)), 0x0e, 0, 0}
        : new byte[] {(byte) (0x44 | reg), 0x33, (byte) random.nextInt(-128, 128)});
    byte[] number = {(byte) random.nextInt(), (byte) random.nextInt(), (byte) random.nextInt(), (byte) random.nextInt()};
    if (random.nextBoolean()) {
      // mov other, number, in one of two ways
      boolean shorter = random.nextBoolean();
      out.write(0x40 | other >> 3);
      out.writeBytes(shorter ? new byte[] {(byte) (0xb8 | other & 7)} : new byte[] {(byte) 0xc7, (byte) (0xc0 | other & 7)});
      out.writeBytes(number);
    }
    // cmp or test; the part is either of the two operands, or none
    int first = random.nextInt(5) == 0 ? other : part;
    int second = random.nextInt(5) == 0 ? part : other;
    if (random.nextBoolean()) {
      int exchanged = first;
      first = second;
      second = exchanged;
    }
    // Now and then of another width.
    int width = random.nextInt(6) == 0 ? prefix ^ 0x66 : prefix;
    int[] operations = {0x38, 0x3a, 0x84};
    writePrefix(out, width);
    out.writeBytes(new byte[] {(byte) (0x40 | first >> 3 << 2 | second >> 3),
        (byte) (operations[random.nextInt(3)] | (width == 0 ? 0 : 1)), (byte) (0xc0 | (first & 7) << 3 | second & 7)});
    // cmovcc eax, edx
    out.writeBytes(new byte[] {0x0f, (byte) (0x40 | random.nextInt(16)), (byte) 0xc2});
  }

  private static void writePrefix(ByteArrayOutputStream out, int prefix) {
    if (prefix != 0) {
      out.write(prefix);
    }
  }

  /** The next time round operands are elsewhere. */
  private static void move(ByteArrayOutputStream out, SplittableRandom random) {
    for (int base : new int[] {BASES[0], BASES[1], BASES[2], INDEX}) {
      if (random.nextInt(3) == 0) {
        // lea base, [base + d]
        int distance = random.nextInt(-8, 9) * (random.nextInt(3) == 0 ? 256 : 16);
        out.writeBytes(new byte[] {(byte) (base < 8 ? 0x48 : 0x4d), (byte) 0x8d, (byte) (0x80 | (base & 7) * 9)});
        out.writeBytes(new byte[] {(byte) distance, (byte) (distance >> 8), (byte) (distance >> 16), (byte) (distance >> 24)});
      }
    }
  }

  /**
   * @param variant a number that its functions, if it has any, leave in a register
   */
  private static byte[] program(List<Form> forms, SplittableRandom random, boolean privileged, int variant) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    // What addresses memory, the stack, and counts the loop is left alone, mostly.
    int kept = 1 << Cpu.RSP | 1 << Cpu.RBX | 1 << Cpu.RBP | 1 << 15 | 1 << 14;
    switch (random.nextInt(4)) {
      // As most loops it has registers to spare; or mostly uses those that have no home in the host.
      case 0, 1 -> kept |= random.nextInt(1 << 16) & ~(1 << Cpu.RAX | 1 << Cpu.RDX);
      case 2 -> kept |= ~(1 << Cpu.RAX | 7 << 10);
      default -> {}
    }
    List<Integer> functions = List.of();
    int start = 0;
    if (random.nextBoolean()) {
      ByteArrayOutputStream behind = new ByteArrayOutputStream();
      behind.writeBytes(new byte[5]);
      functions = functions(behind, forms, random, kept, privileged, variant);
      start = behind.size();
      jump(out, 0xe9, start);
      out.write(behind.toByteArray(), 5, start - 5);
    }
    body(out, forms, random, kept, random.nextInt(4, 40), privileged, functions, true);
    move(out, random);
    // dec r14, perhaps; jmp to the start: until the budget is spent.
    if (random.nextBoolean()) {
      out.writeBytes(new byte[] {0x49, (byte) 0xff, (byte) 0xce});
    }
    jump(out, 0xe9, start);
    return out.toByteArray();
  }
}
