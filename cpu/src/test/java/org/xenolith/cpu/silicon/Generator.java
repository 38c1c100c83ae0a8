package org.xenolith.cpu.silicon;

import java.util.Set;
import java.util.random.RandomGenerator;
import org.xenolith.cpu.Cpu;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Encoder;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Form;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.Operand;
import org.xenolith.isa.OperandKind;
import org.xenolith.isa.OperandSpec;

/**
 * Makes a case for a form of a row: the instruction's bytes, and a state in which it has something to do, or now and then a reason to
 * fault.
 */
final class Generator {
  private static final long[] BOUNDARIES = {
    0, 1, 2, -1, -2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffffL, 0x8000_0000L, 0xffff_ffffL, 0x1_0000_0000L,
    Long.MAX_VALUE, Long.MIN_VALUE
  };

  private static final int[] FLOATS = {
    0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7fa0_0000, 0xffa0_1234, 1, 0x8000_0001, 0x007f_ffff,
    0x0080_0000, 0x7f7f_ffff, 0x4b00_0001, 0x4f00_0000, 0x3f00_0000, 0x5f00_0000
  };

  private static final long[] DOUBLES = {
    0, Long.MIN_VALUE, 0x3ff0_0000_0000_0000L, 0xbff0_0000_0000_0000L, 0x7ff0_0000_0000_0000L, 0xfff0_0000_0000_0000L,
    0x7ff8_0000_0000_0000L, 0x7ff4_0000_0000_0000L, 1, 0x000f_ffff_ffff_ffffL, 0x0010_0000_0000_0000L, 0x7fef_ffff_ffff_ffffL,
    0x41df_ffff_ffc0_0000L, 0x43e0_0000_0000_0000L, 0x3fe0_0000_0000_0000L, 0x36a0_0000_0000_0000L, 0x47ef_ffff_e000_0000L
  };

  private static final int[] EXTENDED_EXPONENTS = {0, 0, 1, 0x3fff, 0x3ffe, 0x4000, 0x403e, 0x401e, 0x400e, 0x7ffe, 0x7fff, 0x7fff, 0x3c01,
      0x3f81, 0x43fe};
  private static final long[] EXTENDED_SIGNIFICANDS = {
    0, 1L << 63, -1L, 3L << 62, (1L << 63) + 1, 1, 0x7fff_ffff_ffff_ffffL, 0xa000_0000_0000_0000L, 0xffff_ffff_ffff_f800L,
    0xffff_ff00_0000_0000L
  };

  /** The interrupts that Linux lets programs raise: INT3's, INTO's, and the one for system calls of 32 bits. */
  private static final Set<Integer> OPEN_TO_PROGRAMS = Set.of(3, 4, 0x80);

  private final RandomGenerator random;
  private final long[] registers = new long[16];
  private final byte[] data = new byte[2 * Case.WINDOW];
  private final byte[] fx = new byte[Case.FX_SIZE];

  Generator(RandomGenerator random) {
    this.random = random;
  }

  /** Fills a case. */
  void fill(Case c, Form form) {
    Encoding row = form.row();
    for (int n = 0; n < 16; n++) {
      registers[n] = value();
    }
    int flags = random.nextInt() & (Cpu.ARITHMETIC | Cpu.ID);
    if (one(4)) {
      flags |= Cpu.DF;
    }
    if (one(32)) {
      flags |= Cpu.AC;
    }
    fillData();
    fillFx();
    implicit(row);
    byte[] code = encode(form);
    Instruction decoded = Oracle.decode(code);
    steer(row, decoded);
    for (int n = 0; n < 16; n++) {
      c.register(n, registers[n]);
    }
    c.rflags(flags | 2 | Cpu.IF);
    c.code(code);
    c.data(data);
    c.fx(fx);
  }

  private boolean one(int in) {
    return random.nextInt(in) == 0;
  }

  private long value() {
    return switch (random.nextInt(6)) {
      case 0 -> BOUNDARIES[random.nextInt(BOUNDARIES.length)];
      case 1 -> random.nextInt(64);
      case 2 -> random.nextInt();
      case 3 -> 1L << random.nextInt(64);
      case 4 -> random.nextLong() >>> random.nextInt(64);
      default -> random.nextLong();
    };
  }

  /** An address inside the windows, mostly with room for what an instruction may want there. */
  private long address() {
    long window = random.nextBoolean() ? Case.CROSSING_VA : Case.EDGE_VA;
    long offset =
        switch (random.nextInt(8)) {
          case 0 -> Case.WINDOW / 2 - random.nextInt(20);
          case 1 -> Case.WINDOW - random.nextInt(40);
          default -> random.nextInt(Case.WINDOW - 40);
        };
    if (random.nextBoolean()) {
      offset &= ~15;
    }
    long va = window + offset;
    return one(64) ? va ^ 1L << 47 + random.nextInt(16) : va;
  }

  // ---- The instruction ----

  private byte[] encode(Form form) {
    Encoding row = form.row();
    long target = address();
    Operand address = null;
    int base = random.nextInt(16);
    int index = Instruction.NO_REGISTER;
    int shift = 0;
    int displacement = random.nextInt(4) == 0 ? random.nextInt() >> random.nextInt(32) : 0;
    boolean rip = one(16);
    if (form.memory() && !rip) {
      if (one(3)) {
        do {
          index = random.nextInt(16);
        } while (index == Instruction.SS + 2 || index == base);
        shift = random.nextInt(4);
        if (random.nextBoolean()) {
          registers[index] = random.nextInt(256) - 128;
        }
      }
      registers[base] = target - displacement - (index == Instruction.NO_REGISTER ? 0 : registers[index] << shift);
      address = Operand.mem(base, index, shift, displacement);
      if (one(32)) {
        address = address.in(random.nextBoolean() ? Instruction.FS : Instruction.GS);
      }
    } else if (form.memory()) {
      address = Operand.ripRelative(0);
    }
    Operand[] operands = form.operands(random, address, 0);
    highBytes(form, operands);
    for (int n = 0; n < operands.length; n++) {
      OperandSpec spec = row.operands.get(n);
      if (spec.slot == OperandSpec.Slot.MOFFS) {
        operands[n] = Operand.moffs(target);
      } else if (spec.slot == OperandSpec.Slot.RELATIVE && operands[n].value < 0 && operands[n].value > -16) {
        // Not onto itself: that would never end.
        operands[n] = Operand.relative(operands[n].value - 16);
      } else if (row.mnemonic == Mnemonic.INT && OPEN_TO_PROGRAMS.contains((int) operands[n].value & 0xff)) {
        operands[n] = Operand.imm(5);
      } else if (row.mnemonic == Mnemonic.ENTER && n == 1) {
        operands[n] = Operand.imm(random.nextInt(4));
      }
    }
    Encoder encoder = form.encoder();
    if (row.condition) {
      encoder.condition(random.nextInt(16));
    }
    boolean locked = row.has(Encoding.LOCKABLE) && form.memory() && one(6);
    if (locked) {
      encoder.lock();
    }
    if (row.has(Encoding.REPEATABLE) || row.has(Encoding.REPEATABLE_WHILE)) {
      encoder.prefixes(new int[] {0, Instruction.REP, Instruction.REPNE}[random.nextInt(3)]);
    }
    byte[] code = encoder.encode(operands);
    if (form.memory() && rip) {
      long displacementRip = target - (Case.CODE_VA + code.length);
      for (int n = 0; n < operands.length; n++) {
        if (operands[n] == address) {
          operands[n] = Operand.ripRelative((int) displacementRip);
        }
      }
      code = encoder.encode(operands);
    }
    return code;
  }

  /** Uses ah, ch, dh or bh in place of a byte register now and then, where the encoding can hold it. */
  private void highBytes(Form form, Operand[] operands) {
    if (!one(4)) {
      return;
    }
    for (int n = 0; n < operands.length; n++) {
      if (operands[n] != null && (operands[n].kind == OperandKind.GPR || operands[n].kind == OperandKind.MEM)) {
        boolean extended = operands[n].kind == OperandKind.GPR
            ? form.row().operands.get(n).width != org.xenolith.isa.Width.B || form.operandSize() == 8
            : operands[n].base >= 8 && operands[n].base < 16 || operands[n].index >= 8 && operands[n].index < 16;
        if (extended) {
          return;
        }
      }
    }
    for (int n = 0; n < operands.length; n++) {
      if (operands[n] != null && operands[n].kind == OperandKind.GPR) {
        operands[n] = Operand.register(OperandKind.GPR_HIGH_BYTE, random.nextInt(4));
      }
    }
  }

  // ---- The state ----

  /** Gives registers that instructions use without naming them something useful. */
  private void implicit(Encoding row) {
    registers[Cpu.RSP] = address() & (one(8) ? -1 : -8);
    if (one(2)) {
      registers[Cpu.RBP] = address();
    }
    boolean string = row.has(Encoding.REPEATABLE) || row.has(Encoding.REPEATABLE_WHILE);
    if (string) {
      registers[Cpu.RSI] = address();
      registers[Cpu.RDI] = address();
      registers[Cpu.RCX] = random.nextInt(24);
    }
    if (row.mnemonic.name().startsWith("MASKMOV")) {
      registers[Cpu.RDI] = address();
    }
    if (row.mnemonic == Mnemonic.ENTER) {
      // What it copies from below rbp must lie in a window, too.
      registers[Cpu.RBP] = address() & ~127 | 64;
    }
    if (row.mnemonic == Mnemonic.XLAT) {
      registers[Cpu.RBX] = address();
      registers[Cpu.RAX] = random.nextInt(32);
    }
  }

  /** Makes rare outcomes likely: equal comparands, quotients that fit, bit offsets near the operand. */
  private void steer(Encoding row, Instruction i) {
    switch (row.mnemonic) {
      case DIV, IDIV -> {
        if (one(2) && i.base != Cpu.RDX && i.index != Cpu.RDX) {
          registers[Cpu.RDX] = one(2) ? 0 : registers[Cpu.RAX] >> 63;
        }
      }
      case BT, BTS, BTR, BTC -> {
        if (i.kind0 == OperandKind.MEM && i.kind1 == OperandKind.GPR && i.reg1 != i.base && i.reg1 != i.index) {
          registers[i.reg1] = random.nextInt(1024) - 512;
        }
      }
      case CMPXCHG -> {
        if (one(2) && i.kind0 == OperandKind.GPR) {
          registers[i.reg0] = registers[Cpu.RAX];
        } else if (one(2) && i.base != Cpu.RAX && i.index != Cpu.RAX) {
          registers[Cpu.RAX] = 0x0101_0101_0101_0101L * 5;
          java.util.Arrays.fill(data, (byte) 5);
        }
      }
      case LDMXCSR -> clearHostsOwnMxcsrBit(i, 0);
      case FXRSTOR -> clearHostsOwnMxcsrBit(i, FxState.MXCSR);
      case CMPXCHG8B, CMPXCHG16B -> {
        if (one(2) && i.base != Cpu.RAX && i.index != Cpu.RAX && i.base != Cpu.RDX && i.index != Cpu.RDX) {
          registers[Cpu.RAX] = registers[Cpu.RDX] = 0x0101_0101_0101_0101L * 5;
          java.util.Arrays.fill(data, (byte) 5);
        }
      }
      default -> {}
    }
  }

  /** AMD's later processors have bit 17 in MXCSR (misaligned SSE operands), the model has not: kept out of the value that is loaded. */
  private void clearHostsOwnMxcsrBit(Instruction i, int offset) {
    long base = i.base == Instruction.NO_REGISTER ? 0 : registers[i.base];
    long index = i.index == Instruction.NO_REGISTER ? 0 : registers[i.index];
    long va = base + (index << i.shift) + i.ea + offset + 2;
    for (int window = 0; window < 2; window++) {
      long at = va - (window == 0 ? Case.CROSSING_VA : Case.EDGE_VA);
      if (at >= 0 && at < Case.WINDOW) {
        data[(int) at + window * Case.WINDOW] &= ~2;
      }
    }
  }

  private void fillData() {
    for (int at = 0; at < data.length; at += 8) {
      put(data, at, number());
    }
    if (one(8)) {
      for (int at = 0; at + 16 <= data.length; at += 16) {
        putExtended(data, at);
      }
    }
  }

  private long number() {
    return switch (random.nextInt(4)) {
      case 0 -> (long) FLOATS[random.nextInt(FLOATS.length)] << 32 | FLOATS[random.nextInt(FLOATS.length)] & 0xffff_ffffL;
      case 1 -> DOUBLES[random.nextInt(DOUBLES.length)];
      case 2 -> value();
      default -> Double.doubleToRawLongBits((random.nextDouble() - 0.5) * Math.scalb(1.0, random.nextInt(130) - 65));
    };
  }

  /** A state for FXRSTOR (AMD64 APM volume 2, section 11.4.4): exceptions mostly masked, a random stack. */
  private void fillFx() {
    java.util.Arrays.fill(fx, (byte) 0);
    int control = 0x037f;
    if (one(2)) {
      control = 0x007f | random.nextInt(4) << 10 | new int[] {0, 2, 3, 3}[random.nextInt(4)] << 8;
    }
    if (one(16)) {
      control &= ~(1 << random.nextInt(6));
    }
    // No pending exception: those would be reported before the instruction.
    int status = random.nextInt(8) << 11 | random.nextInt(16) << 8 & 0x4700;
    putShort(fx, 0, control);
    putShort(fx, 2, status);
    fx[4] = (byte) (one(4) ? random.nextInt(256) : 0xff);
    int mxcsr = 0x1f80;
    if (one(2)) {
      mxcsr |= random.nextInt(4) << 13;
    }
    if (one(4)) {
      mxcsr |= random.nextInt(2) << 6 | random.nextInt(2) << 15;
    }
    if (one(16)) {
      mxcsr &= ~(0x80 << random.nextInt(6));
    }
    if (one(4)) {
      mxcsr |= random.nextInt(64) & (mxcsr >>> 7);
    }
    putShort(fx, 24, mxcsr);
    fx[28] = (byte) 0xff;
    fx[29] = (byte) 0xff;
    for (int n = 0; n < 8; n++) {
      putExtended(fx, 32 + 16 * n);
    }
    for (int n = 0; n < 32; n++) {
      put(fx, 160 + 8 * n, number());
    }
  }

  private void putExtended(byte[] into, int at) {
    long significand = one(2) ? EXTENDED_SIGNIFICANDS[random.nextInt(EXTENDED_SIGNIFICANDS.length)]
        : random.nextLong() | (one(8) ? 0 : 1L << 63);
    int exponent = one(2) ? EXTENDED_EXPONENTS[random.nextInt(EXTENDED_EXPONENTS.length)] : 0x3fff + random.nextInt(140) - 70;
    put(into, at, significand);
    putShort(into, at + 8, exponent | (random.nextBoolean() ? 0x8000 : 0));
  }

  private static void put(byte[] into, int at, long value) {
    for (int n = 0; n < 8; n++) {
      into[at + n] = (byte) (value >>> 8 * n);
    }
  }

  private static void putShort(byte[] into, int at, int value) {
    into[at] = (byte) value;
    into[at + 1] = (byte) (value >>> 8);
  }

  /** Forms of a row that a program at privilege level 3 can have. */
  static java.util.List<Form> forms(Encoding row) {
    return Form.of(row, CpuMode.LONG64);
  }
}
