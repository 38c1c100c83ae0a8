package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.RAX;
import static org.xenolith.translator.Host.STATE;

import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/**
 * Emits what moves the arithmetic flags between the host's and {@link State#FLAGS}, with the interpreter's values for what manuals leave
 * undefined. LAHF and SETO take a third of the time of PUSHF. All use {@link Host#B}.
 */
final class FlagSaver {
  private static final int AF_IN_AH = 0xef, ZF_IN_AH = 0x40;

  private final Emitter e;
  private final Homes homes;

  FlagSaver(Emitter e, Homes homes) {
    this.e = e;
    this.homes = homes;
  }

  // ---- To the state ----

  /** Saves what an addition or subtraction ({@link FlagEffect#ARITHMETIC}, {@link FlagEffect#STEP}) left; the host's flags stay. */
  void saveArithmetic() {
    lahf();
    seto();
    storeAx();
  }

  /** Saves what a logic operation left; the host's flags are lost. */
  void saveLogic() {
    lahf();
    seto();
    clearAdjust();
    storeAx();
  }

  /** Saves the flags of a result that is known to be 0, without carry; the host's flags stay. */
  void saveZeroResult() {
    e.store32(STATE, State.FLAGS, State.FLAGS_OF_ZERO);
  }

  /** Has the host set the flags of such a result. */
  void makeZeroResult() {
    e.withRegister(0, 0, Emitter.MAP_ONE, 0x3b, A, A); // cmp
  }

  /** Saves what a shift left, whose result is in {@code result} (not {@link Host#B}). */
  void saveShift(Instruction i, int result) {
    lahf();
    boolean byOne = i.kind1 == OperandKind.IMM && (i.imm & (i.width == 8 ? 63 : 31)) == 1;
    if (byOne) {
      seto();
    } else {
      switch (i.mnemonic) {
        case SHL -> {
          // OF is SF ^ CF: mov al, ah; shr al, 7; xor al, ah; and al, 1
          twoBytes(0x88, 0xe0);
          e.withRegister(0, 0, Emitter.MAP_ONE, 0xc0, 5, RAX);
          e.u8(7);
          twoBytes(0x30, 0xe0);
          twoBytes(0x24, 1);
        }
        case SHR -> {
          // What the last step shifted out of the top is below the top now.
          bitTest(i.width, result, 8 * i.width - 2);
          setc();
        }
        default -> twoBytes(0xb0, 0);
      }
    }
    clearAdjust();
    if (i.kind1 == OperandKind.IMM) {
      storeAx();
    } else {
      // test cl, mask: a count of 0 leaves all flags as they were.
      e.withRegister(0, 0, Emitter.MAP_ONE, 0xf6, 0, Host.RCX);
      e.u8(i.width == 8 ? 63 : 31);
      int skip = e.jump(4);
      storeAx();
      e.bindHere(skip);
    }
  }

  /** Saves what a shift of two registers left, whose result is in {@link Host#A} and its first operand kept. */
  void saveDoubleShift(Instruction i) {
    int rex = i.width == 8 ? 8 : 0;
    lahf();
    // OF tells that the sign has changed.
    e.withMemory(0, rex, Emitter.MAP_ONE, 0x33, A, STATE, State.KEPT);
    e.withRegister(0, rex, Emitter.MAP_ONE, 0xc1, 5, A);
    e.u8(8 * i.width - 1);
    e.withRegister(0, 0x40, Emitter.MAP_ONE, 0x8a, RAX, A);
    clearAdjust();
    storeAx();
  }

  /** Changes the saved CF and OF to what a rotation left, whose result is in {@code result} (not {@link Host#B}). */
  void saveRotate(Instruction i, int result) {
    int top = 8 * i.width - 1;
    boolean left = i.mnemonic == Mnemonic.ROL;
    loadByteToAl(State.FLAGS + 1);
    twoBytes(0x24, 0xfe);
    bitTest(i.width, result, left ? 0 : top);
    e.plain(0, 0, Emitter.MAP_0F, 0x92);
    e.u8(0xc4); // setc ah
    twoBytes(0x08, 0xe0); // or al, ah
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x88, RAX, STATE, State.FLAGS + 1);
    bitTest(i.width, result, left ? top : top - 1);
    setc();
    twoBytes(0x30, 0xe0); // xor al, ah
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x88, RAX, STATE, State.FLAGS);
  }

  /** Saves what a multiplication left, the low half of whose product is in {@code result} (not {@link Host#B}). */
  void saveProduct(int width, int result) {
    seto();
    e.withRegister(width == 2 ? 0x66 : 0, width == 8 ? 8 : 0, Emitter.MAP_ONE, 0x85, result, result);
    lahf();
    clearAdjust();
    twoBytes(0x08, 0xc4); // or ah, al
    storeAx();
  }

  /** Changes the saved CF to the host's; afterwards the host has CF, but no other flag. */
  void saveCarry() {
    e.withMemory(0, 0, Emitter.MAP_0F, 0x92, 0, STATE, State.SCRATCH);
    loadByteToAl(State.FLAGS + 1);
    twoBytes(0x24, 0xfe);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x0a, RAX, STATE, State.SCRATCH);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x88, RAX, STATE, State.FLAGS + 1);
    e.withMemory(0, 0, Emitter.MAP_0F, 0xba, 4, STATE, State.SCRATCH);
    e.u8(0);
  }

  /** Puts the host's CF where the saved one is; the other saved flags are lost, the host's stay. */
  void carryToState() {
    e.withMemory(0, 0, Emitter.MAP_0F, 0x92, 0, STATE, State.FLAGS + 1);
  }

  /** Changes the saved ZF to the host's; the host's flags are lost. */
  void saveZero() {
    e.withMemory(0, 0, Emitter.MAP_0F, 0x94, 0, STATE, State.SCRATCH);
    loadByteToAl(State.SCRATCH);
    e.withRegister(0, 0, Emitter.MAP_ONE, 0xc0, 4, RAX);
    e.u8(6); // shl al, 6
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x80, Emitter.AND, STATE, State.FLAGS + 1);
    e.u8(~ZF_IN_AH);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x08, RAX, STATE, State.FLAGS + 1);
  }

  // ---- From the state ----

  /** Loads the saved flags into the host's. */
  void load() {
    e.withMemory(0, 0, Emitter.MAP_0F, 0xb7, RAX, STATE, State.FLAGS);
    // OF comes of 1 + 127; SAHF sets the others.
    twoBytes(0x04, 127);
    e.plain(0, 0, Emitter.MAP_ONE, 0x9e);
  }

  /** Runs the setter of flags once more for its flags alone; uses {@link Host#A}. */
  void repeat(Step setter) {
    Instruction i = setter.instruction;
    switch (i.mnemonic) {
      case AND, OR, XOR -> testWithItself(i);
      case ADD -> {
        loadTo(A, i.reg0);
        operate(Emitter.SUB, i);
        operate(Emitter.ADD, i);
      }
      case SUB -> {
        loadTo(A, i.reg0);
        operate(Emitter.ADD, i);
        operate(Emitter.SUB, i);
      }
      default -> throw new IllegalStateException("flags of " + i);
    }
  }

  /** Runs an INC or DEC once more for its flags alone, with the CF that is in the state, or 0; uses {@link Host#A}. */
  void repeatStep(Step setter, boolean noCarry) {
    Instruction i = setter.instruction;
    if (setter.keep) {
      e.load(A, STATE, State.KEPT);
    } else {
      loadTo(A, i.reg0);
    }
    if (i.kind0 == OperandKind.GPR_HIGH_BYTE) {
      e.shift32(5, A, 8);
    }
    boolean up = i.mnemonic == Mnemonic.INC;
    e.lea(A, A, -1, 0, up ? -1 : 1);
    if (noCarry) {
      e.plain(0, 0, Emitter.MAP_ONE, 0xf8); // clc
    } else {
      e.withMemory(0, 0, Emitter.MAP_0F, 0xb6, B, STATE, State.FLAGS + 1);
      e.shift32(5, B, 1);
    }
    e.withRegister(i.width == 2 ? 0x66 : 0, i.width == 8 ? 8 : 0, Emitter.MAP_ONE, i.width == 1 ? 0xfe : 0xff, up ? 0 : 1, A);
  }

  /** Runs the setter of flags, what it needs being kept, once more for its flags alone; its result is in {@link Host#A}. */
  void repeatKept(Step setter) {
    Instruction i = setter.instruction;
    int prefix = i.width == 2 ? 0x66 : 0;
    int rex = i.width == 8 ? 8 : 0;
    e.load(A, STATE, State.KEPT);
    switch (i.mnemonic) {
      case ADD -> operateKept(Emitter.ADD, prefix, rex, i);
      case SUB, CMP -> operateKept(Emitter.SUB, prefix, rex, i);
      case TEST -> operateKept(Emitter.AND, prefix, rex, i);
      case AND, OR, XOR -> test(i, A);
      case SHLD, SHRD -> {
        e.load(B, STATE, State.KEPT2);
        e.withRegister(0, rex, Emitter.MAP_0F, i.encoding.opcode, B, A);
        e.u8((int) i.imm);
      }
      default -> {
        e.withRegister(prefix, rex, Emitter.MAP_ONE, i.encoding.opcode, i.encoding.extension, A);
        if (setter.rule.immediate >= 0) {
          e.u8((int) i.imm);
        }
      }
    }
  }

  private void operateKept(int operation, int prefix, int rex, Instruction i) {
    int wide = i.width == 1 ? 0 : 1;
    if (i.kind1 != OperandKind.IMM) {
      e.withMemory(prefix, rex, Emitter.MAP_ONE, operation << 3 | 2 | wide, A, STATE, State.KEPT2);
      return;
    }
    immediate(operation, i);
  }

  /** Arithmetic with a number on {@link Host#A}. */
  private void immediate(int operation, Instruction i) {
    int prefix = i.width == 2 ? 0x66 : 0;
    e.withRegister(prefix, i.width == 8 ? 8 : 0, Emitter.MAP_ONE, i.width == 1 ? 0x80 : 0x81, operation, A);
    switch (i.width) {
      case 1 -> e.u8((int) i.imm);
      case 2 -> e.u16((int) i.imm);
      default -> e.u32((int) i.imm);
    }
  }

  private void testWithItself(Instruction i) {
    int register = homes.of(i.reg0);
    if (register < 0) {
      register = A;
      loadTo(A, i.reg0);
    }
    test(i, register);
  }

  private void test(Instruction i, int register) {
    int rex = i.width == 8 ? 8 : i.width == 1 ? 0x40 : 0;
    e.withRegister(i.width == 2 ? 0x66 : 0, rex, Emitter.MAP_ONE, i.width == 1 ? 0x84 : 0x85, register, register);
  }

  private void operate(int operation, Instruction i) {
    int prefix = i.width == 2 ? 0x66 : 0;
    int rex = i.width == 8 ? 8 : i.width == 1 ? 0x40 : 0;
    int wide = i.width == 1 ? 0 : 1;
    if (i.kind1 == OperandKind.IMM) {
      immediate(operation, i);
    } else if (homes.of(i.reg1) >= 0) {
      e.withRegister(prefix, rex, Emitter.MAP_ONE, operation << 3 | 2 | wide, A, homes.of(i.reg1));
    } else {
      e.withMemory(prefix, rex, Emitter.MAP_ONE, operation << 3 | 2 | wide, A, STATE, State.REGISTERS + 8 * i.reg1);
    }
  }

  private void loadTo(int host, int guest) {
    if (homes.of(guest) >= 0) {
      e.move(host, homes.of(guest));
    } else {
      e.load(host, STATE, State.REGISTERS + 8 * guest);
    }
  }

  // ---- Pieces ----

  private void lahf() {
    e.plain(0, 0, Emitter.MAP_ONE, 0x9f);
  }

  private void seto() {
    e.withRegister(0, 0, Emitter.MAP_0F, 0x90, 0, RAX);
  }

  private void setc() {
    e.withRegister(0, 0, Emitter.MAP_0F, 0x92, 0, RAX);
  }

  private void clearAdjust() {
    e.u8(0x80);
    twoBytes(0xe4, AF_IN_AH);
  }

  private void storeAx() {
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x89, RAX, STATE, State.FLAGS);
  }

  private void loadByteToAl(int place) {
    e.withMemory(0, 0, Emitter.MAP_0F, 0xb6, RAX, STATE, place);
  }

  private void bitTest(int width, int register, int bit) {
    e.withRegister(0, width == 8 ? 8 : 0, Emitter.MAP_0F, 0xba, 4, register);
    e.u8(bit);
  }

  private void twoBytes(int first, int second) {
    e.u8(first);
    e.u8(second);
  }
}
