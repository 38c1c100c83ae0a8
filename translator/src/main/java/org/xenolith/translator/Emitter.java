package org.xenolith.translator;

import java.util.Arrays;

/**
 * Writes x86-64 instructions for the host. A register is its number; memory is a base register and a displacement. Code is
 * position-dependent: it will run at {@link #base}.
 */
final class Emitter {
  /** Opcode maps, as in {@link org.xenolith.isa.Encoding}. */
  static final int MAP_ONE = 0, MAP_0F = 1, MAP_0F38 = 2, MAP_0F3A = 3;

  /** Arithmetic by its number in opcodes. */
  static final int ADD = 0, OR = 1, AND = 4, SUB = 5, XOR = 6, CMP = 7;

  private byte[] bytes = new byte[4096];
  private int position;
  private long base;

  /** Starts anew, for code that will run at {@code address}. */
  void begin(long address) {
    position = 0;
    base = address;
  }

  int position() {
    return position;
  }

  /** Where a position will be. */
  long address(int at) {
    return base + at;
  }

  byte[] bytes() {
    return bytes;
  }

  // ---- Bytes ----

  void u8(int value) {
    if (position == bytes.length) {
      bytes = Arrays.copyOf(bytes, 2 * position);
    }
    bytes[position++] = (byte) value;
  }

  void u16(int value) {
    u8(value);
    u8(value >> 8);
  }

  void u32(int value) {
    u16(value);
    u16(value >> 16);
  }

  void u64(long value) {
    u32((int) value);
    u32((int) (value >> 32));
  }

  void align(int to) {
    while ((base + position & to - 1) != 0) {
      u8(0xcc);
    }
  }

  /** Goes on at a multiple of a power of two, by instructions that do nothing. */
  void alignByNops(int to) {
    int bytes = (int) -(base + position) & to - 1;
    while (bytes > 0) {
      int length = Math.min(bytes, 8);
      // nop [rax + rax + d32], or nop behind prefixes.
      if (length == 8) {
        u8(0x0f);
        u8(0x1f);
        u8(0x84);
        u8(0);
        u32(0);
      } else {
        for (int n = 1; n < length; n++) {
          u8(0x66);
        }
        u8(0x90);
      }
      bytes -= length;
    }
  }

  // ---- The general form ----

  /**
   * An instruction with a register in r/m.
   *
   * @param prefix 66, F3 or F2, or 0
   * @param rex W as 8; 0x40 to have the prefix in any case
   * @param reg register or opcode extension of the reg field
   */
  void withRegister(int prefix, int rex, int map, int opcode, int reg, int rm) {
    start(prefix, rex | reg >> 3 << 2 | rm >> 3, map, opcode);
    u8(0xc0 | (reg & 7) << 3 | rm & 7);
  }

  /** An instruction with memory in r/m. */
  void withMemory(int prefix, int rex, int map, int opcode, int reg, int base, int displacement) {
    start(prefix, rex | reg >> 3 << 2 | base >> 3, map, opcode);
    memory(reg, base, displacement);
  }

  /**
   * An instruction without ModRM; a register in the opcode's low bits is in {@code opcode} with its low three bits, in {@code rex} with 1.
   */
  void plain(int prefix, int rex, int map, int opcode) {
    start(prefix, rex, map, opcode);
  }

  private void start(int prefix, int rex, int map, int opcode) {
    if (prefix != 0) {
      u8(prefix);
    }
    if (rex != 0) {
      u8(0x40 | rex);
    }
    if (map != MAP_ONE) {
      u8(0x0f);
      if (map != MAP_0F) {
        u8(map == MAP_0F38 ? 0x38 : 0x3a);
      }
    }
    u8(opcode);
  }

  private void memory(int reg, int base, int displacement) {
    int low = base & 7;
    int mod = displacement == 0 && low != 5 ? 0 : displacement == (byte) displacement ? 1 : 2;
    u8(mod << 6 | (reg & 7) << 3 | low);
    if (low == 4) {
      u8(0x24);
    }
    displacement(mod, displacement);
  }

  /** An instruction with memory at base + (index << shift) + displacement in r/m. */
  void withIndexed(int prefix, int rex, int map, int opcode, int reg, int base, int index, int shift, int displacement) {
    start(prefix, rex | reg >> 3 << 2 | index >> 3 << 1 | base >> 3, map, opcode);
    int mod = displacement == 0 && (base & 7) != 5 ? 0 : displacement == (byte) displacement ? 1 : 2;
    u8(mod << 6 | (reg & 7) << 3 | 4);
    u8(shift << 6 | (index & 7) << 3 | base & 7);
    displacement(mod, displacement);
  }

  private void displacement(int mod, int displacement) {
    if (mod == 1) {
      u8(displacement);
    } else if (mod == 2) {
      u32(displacement);
    }
  }

  // ---- What translations are made of ----

  /** lea reg, [base + index << shift + displacement]; base or index may be absent (-1). */
  void lea(int reg, int base, int index, int shift, int displacement) {
    lea(8, reg, base, index, shift, displacement);
  }

  /**
   * @param wide 8 for 64 bits, 0 for 32
   */
  void lea(int wide, int reg, int base, int index, int shift, int displacement) {
    if (index < 0 && base >= 0) {
      withMemory(0, wide, MAP_ONE, 0x8d, reg, base, displacement);
      return;
    }
    u8(0x40 | wide | reg >> 3 << 2 | (index < 0 ? 0 : index >> 3 << 1) | (base < 0 ? 0 : base >> 3));
    u8(0x8d);
    int low = base < 0 ? 5 : base & 7;
    int mod = base < 0 ? 0 : displacement == 0 && low != 5 ? 0 : displacement == (byte) displacement ? 1 : 2;
    u8(mod << 6 | (reg & 7) << 3 | 4);
    u8(shift << 6 | (index < 0 ? 4 : index & 7) << 3 | low);
    if (base < 0) {
      u32(displacement);
    } else {
      displacement(mod, displacement);
    }
  }

  void move(int to, int from) {
    if (to != from) {
      withRegister(0, 8, MAP_ONE, 0x8b, to, from);
    }
  }

  void move32(int to, int from) {
    withRegister(0, 0, MAP_ONE, 0x8b, to, from);
  }

  void load(int to, int base, int displacement) {
    withMemory(0, 8, MAP_ONE, 0x8b, to, base, displacement);
  }

  void store(int base, int displacement, int from) {
    withMemory(0, 8, MAP_ONE, 0x89, from, base, displacement);
  }

  void store32(int base, int displacement, int value) {
    withMemory(0, 0, MAP_ONE, 0xc7, 0, base, displacement);
    u32(value);
  }

  /** Sets a register to a number, in the shortest form that leaves the flags alone. */
  void constant(int to, long value) {
    if (value == (value & 0xffff_ffffL)) {
      plain(0, to >> 3, MAP_ONE, 0xb8 | to & 7);
      u32((int) value);
    } else if (value == (int) value) {
      withRegister(0, 8, MAP_ONE, 0xc7, 0, to);
      u32((int) value);
    } else {
      plain(0, 8 | to >> 3, MAP_ONE, 0xb8 | to & 7);
      u64(value);
    }
  }

  /** Arithmetic of 64 bits on registers. */
  void arithmetic(int operation, int to, int from) {
    withRegister(0, 8, MAP_ONE, operation << 3 | 3, to, from);
  }

  /** Arithmetic with a number on a register: {@code rex} is 8 for 64 bits, 0 for 32. */
  void arithmeticImmediate(int operation, int rex, int to, int value) {
    boolean small = value == (byte) value;
    withRegister(0, rex, MAP_ONE, small ? 0x83 : 0x81, operation, to);
    if (small) {
      u8(value);
    } else {
      u32(value);
    }
  }

  /** Arithmetic of 64 bits on a register and memory. */
  void arithmeticMemory(int operation, int to, int base, int displacement) {
    withMemory(0, 8, MAP_ONE, operation << 3 | 3, to, base, displacement);
  }

  /** Arithmetic of 64 bits on a register and memory at base + index + displacement. */
  void arithmeticIndexed(int operation, int to, int base, int index, int displacement) {
    withIndexed(0, 8, MAP_ONE, operation << 3 | 3, to, base, index, 0, displacement);
  }

  void loadIndexed(int to, int base, int index, int displacement) {
    withIndexed(0, 8, MAP_ONE, 0x8b, to, base, index, 0, displacement);
  }

  /** Rotates 32 bits of a register to the right into another; the flags stay (BMI2). */
  void rotate32(int to, int from, int count) {
    u8(0xc4);
    u8((to < 8 ? 0x80 : 0) | 0x40 | (from < 8 ? 0x20 : 0) | 3);
    u8(0x7b);
    u8(0xf0);
    u8(0xc0 | (to & 7) << 3 | from & 7);
    u8(count);
  }

  /** Arithmetic of 32 bits on memory and a number. */
  void memoryImmediate32(int operation, int base, int displacement, int value) {
    boolean small = value == (byte) value;
    withMemory(0, 0, MAP_ONE, small ? 0x83 : 0x81, operation, base, displacement);
    if (small) {
      u8(value);
    } else {
      u32(value);
    }
  }

  /** Compares 64 bits of memory with a number. */
  void compareMemory(int base, int displacement, int value) {
    withMemory(0, 8, MAP_ONE, 0x81, CMP, base, displacement);
    u32(value);
  }

  /** Shifts 32 bits of a register: {@code operation} 4 for SHL, 5 for SHR. */
  void shift32(int operation, int register, int count) {
    withRegister(0, 0, MAP_ONE, 0xc1, operation, register);
    u8(count);
  }

  // ---- Jumps: each returns the position of its displacement ----

  int jump() {
    u8(0xe9);
    u32(0);
    return position - 4;
  }

  int jump(int condition) {
    u8(0x0f);
    u8(0x80 | condition);
    u32(0);
    return position - 4;
  }

  void callTo(long address) {
    u8(0xe8);
    u32(Math.toIntExact(address - (base + position + 4)));
  }

  void jumpTo(long address) {
    int at = jump();
    bind(at, address);
  }

  /** Lets the jump whose displacement is at {@code at} lead here. */
  void bindHere(int at) {
    bind(at, base + position);
  }

  void bind(int at, long target) {
    int distance = Math.toIntExact(target - (base + at + 4));
    bytes[at] = (byte) distance;
    bytes[at + 1] = (byte) (distance >> 8);
    bytes[at + 2] = (byte) (distance >> 16);
    bytes[at + 3] = (byte) (distance >> 24);
  }
}
