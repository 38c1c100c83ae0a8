package org.xenolith.cpu;

import org.xenolith.cpu.x87.X87Unit;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * The x87 instructions: memory operands, faults and the pointers to the last instruction; what they compute is {@link X87Unit}'s. Intel SDM
 * volume 1, chapter 8. Those that store the unit's state are in {@link FpuState}.
 */
final class X87Ops {
  private X87Ops() {}

  /** A part of an instruction that is no control instruction: it waits for pending exceptions first and is remembered as the last one. */
  @FunctionalInterface
  private interface Body {
    void execute(Cpu c, X87Unit x87, Instruction i);
  }

  /** #NM by CR0.EM or CR0.TS. */
  static void checkAvailable(Cpu c) {
    if ((c.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS)) != 0) {
      throw c.fault(Fault.NM);
    }
  }

  /** #MF for an unmasked exception of an earlier instruction. */
  static void checkPending(Cpu c) {
    if (c.x87.state.isExceptionPending()) {
      if ((c.cr0 & Cpu.CR0_NE) == 0) {
        throw c.unimplemented("x87 exceptions as interrupt 13 (CR0.NE clear)");
      }
      throw c.fault(Fault.MF);
    }
  }

  private static Op waiting(Body body) {
    return (c, n) -> {
      checkAvailable(c);
      checkPending(c);
      c.x87.begin();
      body.execute(c, c.x87, n);
      c.x87.state.instructionPointer = n.address;
      c.x87.state.codeSelector = c.selector[Instruction.CS];
      c.x87.state.opcode = (n.encoding.opcode & 7) << 8 | n.modrm;
      if (n.hasMemory()) {
        c.x87.state.dataPointer = c.offset(n);
        c.x87.state.dataSelector = c.selector[n.segment];
      }
    };
  }

  static Op of(Instruction i) {
    return switch (i.mnemonic) {
      case FADD, FADDP, FIADD -> arithmetic(i, X87Unit.ADD, false);
      case FMUL, FMULP, FIMUL -> arithmetic(i, X87Unit.MULTIPLY, false);
      case FSUB, FSUBP, FISUB -> arithmetic(i, X87Unit.SUBTRACT, false);
      case FSUBR, FSUBRP, FISUBR -> arithmetic(i, X87Unit.SUBTRACT, true);
      case FDIV, FDIVP, FIDIV -> arithmetic(i, X87Unit.DIVIDE, false);
      case FDIVR, FDIVRP, FIDIVR -> arithmetic(i, X87Unit.DIVIDE, true);
      case FCOM, FICOM -> compare(i, 0);
      case FCOMP, FICOMP -> compare(i, 1);
      case FCOMPP -> waiting((c, x, n) -> x.compare(1, true, 2));
      case FUCOM -> waiting((c, x, n) -> x.compare(n.reg1, false, 0));
      case FUCOMP -> waiting((c, x, n) -> x.compare(n.reg1, false, 1));
      case FUCOMPP -> waiting((c, x, n) -> x.compare(1, false, 2));
      case FCOMI -> waiting((c, x, n) -> c.setArithmeticFlags(x.compareToFlags(n.reg1, true, false)));
      case FCOMIP -> waiting((c, x, n) -> c.setArithmeticFlags(x.compareToFlags(n.reg1, true, true)));
      case FUCOMI -> waiting((c, x, n) -> c.setArithmeticFlags(x.compareToFlags(n.reg1, false, false)));
      case FUCOMIP -> waiting((c, x, n) -> c.setArithmeticFlags(x.compareToFlags(n.reg1, false, true)));
      case FTST -> waiting((c, x, n) -> {
        x.convert.fromInteger(0);
        x.compareWithOperand(false);
      });
      case FXAM -> waiting((c, x, n) -> x.examine());

      case FLD -> load(i);
      case FILD -> waiting((c, x, n) -> {
        convertInteger(c, x, n);
        x.loadConverted();
      });
      case FBLD -> waiting((c, x, n) -> {
        long va = c.ea(n);
        long low = c.mmu.read64(va);
        x.convert.fromDecimal(low, c.mmu.read16(va + 8));
        x.loadConverted();
      });
      case FLD1 -> constant(0);
      case FLDL2T -> constant(1);
      case FLDL2E -> constant(2);
      case FLDPI -> constant(3);
      case FLDLG2 -> constant(4);
      case FLDLN2 -> constant(5);
      case FLDZ -> constant(6);

      case FST -> store(i, false);
      case FSTP -> store(i, true);
      case FIST -> waiting((c, x, n) -> storeValue(c, x, n, writable(c, n), x.prepareInteger(n.memoryWidth * 8, false), false));
      case FISTP -> waiting((c, x, n) -> storeValue(c, x, n, writable(c, n), x.prepareInteger(n.memoryWidth * 8, false), true));
      case FISTTP -> waiting((c, x, n) -> storeValue(c, x, n, writable(c, n), x.prepareInteger(n.memoryWidth * 8, true), true));
      case FBSTP -> waiting((c, x, n) -> storeValue(c, x, n, writable(c, n), x.prepareDecimal(), true));

      case FXCH -> waiting((c, x, n) -> x.exchange(n.reg1));
      case FCMOVB -> moveIf(2);
      case FCMOVNB -> moveIf(3);
      case FCMOVE -> moveIf(4);
      case FCMOVNE -> moveIf(5);
      case FCMOVBE -> moveIf(6);
      case FCMOVNBE -> moveIf(7);
      case FCMOVU -> moveIf(10);
      case FCMOVNU -> moveIf(11);
      case FNOP -> waiting((c, x, n) -> {});
      case FINCSTP -> waiting((c, x, n) -> x.rotate(1));
      case FDECSTP -> waiting((c, x, n) -> x.rotate(-1));
      case FFREE -> waiting((c, x, n) -> x.free(n.reg0, false));
      case FFREEP -> waiting((c, x, n) -> x.free(n.reg0, true));

      case FCHS -> waiting((c, x, n) -> x.changeSign(false));
      case FABS -> waiting((c, x, n) -> x.changeSign(true));
      case FSQRT -> waiting((c, x, n) -> x.squareRoot());
      case FRNDINT -> waiting((c, x, n) -> x.roundToInteger());
      case FSCALE -> waiting((c, x, n) -> x.scale());
      case FPREM -> waiting((c, x, n) -> x.remainder(false));
      case FPREM1 -> waiting((c, x, n) -> x.remainder(true));
      case FXTRACT -> waiting((c, x, n) -> x.extract());
      case F2XM1 -> waiting((c, x, n) -> x.powerOfTwoMinusOne());
      case FYL2X -> waiting((c, x, n) -> x.logarithm(false));
      case FYL2XP1 -> waiting((c, x, n) -> x.logarithm(true));
      case FPTAN -> waiting((c, x, n) -> x.tangent());
      case FPATAN -> waiting((c, x, n) -> x.arctangent());
      case FSIN -> waiting((c, x, n) -> x.sine(false));
      case FCOS -> waiting((c, x, n) -> x.sine(true));
      case FSINCOS -> waiting((c, x, n) -> x.sineAndCosine());

      case FWAIT -> X87Ops::fwait;
      default -> FpuState.of(i);
    };
  }

  /** CR0.EM does not matter here, and CR0.TS only with CR0.MP. */
  private static void fwait(Cpu c, Instruction i) {
    long both = Cpu.CR0_MP | Cpu.CR0_TS;
    if ((c.cr0 & both) == both) {
      throw c.fault(Fault.NM);
    }
    checkPending(c);
  }

  // Operands in memory.

  /** Widens a single or double in memory. */
  private static void convertReal(Cpu c, X87Unit x87, Instruction i) {
    if (i.memoryWidth == 4) {
      x87.convert.fromSingle(c.mmu.read32(c.ea(i)));
    } else {
      x87.convert.fromDouble(c.mmu.read64(c.ea(i)));
    }
  }

  private static void convertInteger(Cpu c, X87Unit x87, Instruction i) {
    long va = c.ea(i);
    x87.convert.fromInteger(
        switch (i.memoryWidth) {
          case 2 -> (short) c.mmu.read16(va);
          case 4 -> c.mmu.read32(va);
          default -> c.mmu.read64(va);
        });
  }

  private static boolean isInteger(Instruction i) {
    return switch (i.mnemonic) {
      case FIADD, FIMUL, FISUB, FISUBR, FIDIV, FIDIVR, FICOM, FICOMP -> true;
      default -> false;
    };
  }

  private static void convertOperand(Cpu c, X87Unit x87, Instruction i) {
    if (isInteger(i)) {
      convertInteger(c, x87, i);
    } else {
      convertReal(c, x87, i);
    }
  }

  // Groups of instructions.

  private static Op arithmetic(Instruction i, int operation, boolean reversed) {
    if (i.kind0 == OperandKind.MEM) {
      return waiting((c, x, n) -> {
        convertOperand(c, x, n);
        x.arithmeticWithOperand(operation, reversed);
      });
    }
    boolean pop =
        switch (i.mnemonic) {
          case FADDP, FMULP, FSUBP, FSUBRP, FDIVP, FDIVRP -> true;
          default -> false;
        };
    return waiting((c, x, n) -> x.arithmetic(operation, n.reg0, reversed ? n.reg1 : n.reg0, reversed ? n.reg0 : n.reg1, pop));
  }

  private static Op compare(Instruction i, int pops) {
    if (i.kind0 == OperandKind.MEM) {
      return waiting((c, x, n) -> {
        convertOperand(c, x, n);
        x.compareWithOperand(pops != 0);
      });
    }
    return waiting((c, x, n) -> x.compare(n.reg1, true, pops));
  }

  private static Op constant(int which) {
    return waiting((c, x, n) -> x.loadConstant(which));
  }

  private static Op moveIf(int condition) {
    return waiting((c, x, n) -> x.moveIf(n.reg1, c.condition(condition)));
  }

  private static Op load(Instruction i) {
    if (i.kind0 == OperandKind.ST) {
      return waiting((c, x, n) -> x.loadRegister(n.reg0));
    }
    if (i.memoryWidth == 10) {
      return waiting((c, x, n) -> {
        long va = c.ea(n);
        long significand = c.mmu.read64(va);
        x.load(c.mmu.read16(va + 8), significand);
      });
    }
    return waiting((c, x, n) -> {
      convertReal(c, x, n);
      x.loadReal();
    });
  }

  private static Op store(Instruction i, boolean pop) {
    if (i.encoding.opcode == 0xd9 && i.kind0 == OperandKind.ST) {
      // The undocumented D9 D8+i.
      return waiting((c, x, n) -> x.storeRegisterUnchecked(n.reg0));
    }
    if (i.kind0 == OperandKind.ST) {
      return waiting((c, x, n) -> x.storeRegister(n.reg0, pop));
    }
    return switch (i.memoryWidth) {
      case 4 -> waiting((c, x, n) -> storeValue(c, x, n, writable(c, n), x.prepareSingle(), pop));
      case 8 -> waiting((c, x, n) -> storeValue(c, x, n, writable(c, n), x.prepareDouble(), pop));
      default -> waiting((c, x, n) -> storeValue(c, x, n, writable(c, n), x.prepareExtended(), pop));
    };
  }

  /** The address of a store, which is checked even if an unmasked exception then keeps memory as it is. */
  private static long writable(Cpu c, Instruction i) {
    long va = c.ea(i);
    c.mmu.checkWritable(va, Math.min(i.memoryWidth, 8)); // where alignment is checked, an extended number's is that of 8 bytes
    c.mmu.checkWritable(va, i.memoryWidth);
    return va;
  }

  /** The second half of a store, after the value was prepared. */
  private static void storeValue(Cpu c, X87Unit x87, Instruction i, long va, boolean prepared, boolean pop) {
    if (!prepared) {
      return;
    }
    if (i.memoryWidth == 10) {
      c.mmu.write64(va, x87.storeLow);
      c.mmu.write16(va + 8, x87.storeHigh);
    } else {
      c.mmu.write(va, i.memoryWidth, x87.storeLow);
    }
    x87.finishStore(pop);
  }
}
