package org.xenolith.cpu;

import org.xenolith.cpu.sse.FloatOperations;
import org.xenolith.cpu.sse.IntegerOperations;
import org.xenolith.cpu.sse.LaneShuffles;
import org.xenolith.cpu.sse.SseFloats;
import org.xenolith.cpu.sse.StringCompare;
import org.xenolith.cpu.sse.VectorOperation;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/**
 * Instructions with SSE registers that compute: operands, alignment and faults; what they compute is package {@code sse}'s. Intel SDM
 * volume 2. Memory operands of 16 bytes must be aligned unless the row says otherwise.
 */
final class SseOps {
  private SseOps() {}

  /** #UD by CR0.EM or without CR4.OSFXSR, #NM by CR0.TS. */
  static void checkAvailable(Cpu c) {
    if (c.sseFault != 0) {
      throw c.fault(c.sseFault);
    }
  }

  /** What {@link #checkAvailable} throws: a vector, or 0. */
  static int availability(long cr0, long cr4) {
    if ((cr0 & Cpu.CR0_EM) != 0 || (cr4 & Cpu.CR4_OSFXSR) == 0) {
      return Fault.UD;
    }
    return (cr0 & Cpu.CR0_TS) != 0 ? Fault.NM : 0;
  }

  /** #XM, or #UD where the system has not said that it handles that. */
  static Fault numericFault(Cpu c) {
    return c.fault((c.cr4 & Cpu.CR4_OSXMMEXCPT) != 0 ? Fault.XM : Fault.UD);
  }

  /** The address of the memory operand; #GP unless it is aligned to 16 bytes. */
  static long aligned(Cpu c, Instruction i) {
    long va = c.ea(i);
    if ((va & 15) != 0) {
      throw c.fault(Fault.GP, 0);
    }
    return va;
  }

  /** Operand 1: its low 64 bits (a narrower one zero-extended, an integer to convert sign-extended); the high ones in {@link Mmu#high}. */
  static long sourceLow(Cpu c, Instruction i) {
    switch (i.kind1) {
      case XMM -> {
        c.mmu.high = c.xmm[2 * i.reg1 + 1];
        return c.xmm[2 * i.reg1];
      }
      case MMX -> {
        return c.x87.state.significands[i.reg1];
      }
      case GPR -> {
        return i.sourceWidth == 4 ? (int) c.r[i.reg1] : c.r[i.reg1];
      }
      case IMM -> {
        return i.imm & 0xff;
      }
      default -> {
        if (i.memoryWidth == 16) {
          return c.mmu.read128(i.encoding.has(Encoding.ALIGNED) ? aligned(c, i) : c.ea(i));
        }
        c.mmu.high = 0;
        long value = c.mmu.read(c.ea(i), i.memoryWidth);
        boolean signed = i.mnemonic == Mnemonic.CVTSI2SS || i.mnemonic == Mnemonic.CVTSI2SD;
        return signed && i.memoryWidth == 4 ? (int) value : value;
      }
    }
  }

  static Op of(Instruction i) {
    Op move = SseMoves.of(i);
    if (move != null) {
      return move;
    }
    if (i.kind0 == OperandKind.XMM) {
      VectorOperation operation = IntegerOperations.sse(i.mnemonic);
      if (operation == null) {
        operation = FloatOperations.sse(i.mnemonic);
      }
      if (operation != null) {
        return vector(i, operation);
      }
    }
    return switch (i.mnemonic) {
      case COMISS -> (c, n) -> compareSingle(c, n, true);
      case UCOMISS -> (c, n) -> compareSingle(c, n, false);
      case COMISD -> (c, n) -> compareDouble(c, n, true);
      case UCOMISD -> (c, n) -> compareDouble(c, n, false);
      case CVTSS2SI -> (c, n) -> singleToInteger(c, n, c.vector.floats.roundingMode());
      case CVTTSS2SI -> (c, n) -> singleToInteger(c, n, SseFloats.TOWARD_ZERO);
      case CVTSD2SI -> (c, n) -> doubleToInteger(c, n, c.vector.floats.roundingMode());
      case CVTTSD2SI -> (c, n) -> doubleToInteger(c, n, SseFloats.TOWARD_ZERO);
      case MOVMSKPS -> (c, n) -> {
        checkAvailable(c);
        c.r[n.reg0] = LaneShuffles.movmskps(c.xmm[2 * n.reg1]) | LaneShuffles.movmskps(c.xmm[2 * n.reg1 + 1]) << 2;
      };
      case MOVMSKPD -> (c, n) -> {
        checkAvailable(c);
        c.r[n.reg0] = c.xmm[2 * n.reg1] >>> 63 | c.xmm[2 * n.reg1 + 1] >>> 63 << 1;
      };
      case PMOVMSKB -> (c, n) -> {
        checkAvailable(c);
        c.r[n.reg0] = byteMask(c.xmm[2 * n.reg1], c.xmm[2 * n.reg1 + 1]);
      };
      case PEXTRB -> (c, n) -> extract(c, n, 1);
      case PEXTRW -> (c, n) -> extract(c, n, 2);
      case PEXTRD, EXTRACTPS -> (c, n) -> extract(c, n, 4);
      case PEXTRQ -> (c, n) -> extract(c, n, 8);
      case PTEST -> SseOps::ptest;
      case PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM -> SseOps::compareStrings;
      default -> throw new IllegalArgumentException(i.toString());
    };
  }

  static int byteMask(long low, long high) {
    return LaneShuffles.pmovmskb(low) | LaneShuffles.pmovmskb(high) << 8;
  }

  /** An instruction that computes its destination register: the common operand forms have methods of their own. */
  private static Op vector(Instruction i, VectorOperation operation) {
    if (i.kind1 == OperandKind.MMX) {
      return fromMmx(operation);
    }
    if (i.kind1 == OperandKind.XMM) {
      return (c, n) -> {
        checkAvailable(c);
        int source = 2 * n.reg1;
        if (!operation.apply(c.vector, 2 * n.reg0, c.xmm[source], c.xmm[source + 1], (int) n.imm & 0xff)) {
          throw numericFault(c);
        }
      };
    }
    if (i.kind1 == OperandKind.MEM && i.memoryWidth == 16 && i.encoding.has(Encoding.ALIGNED)) {
      return (c, n) -> {
        checkAvailable(c);
        long low = c.mmu.read128(aligned(c, n));
        if (!operation.apply(c.vector, 2 * n.reg0, low, c.mmu.high, (int) n.imm & 0xff)) {
          throw numericFault(c);
        }
      };
    }
    // INSERTPS from memory takes what is there, whatever the immediate says of a source lane.
    int immediateMask = i.mnemonic == Mnemonic.INSERTPS ? 0x3f : 0xff;
    return (c, n) -> {
      checkAvailable(c);
      long low = sourceLow(c, n);
      if (!operation.apply(c.vector, 2 * n.reg0, low, c.mmu.high, (int) n.imm & immediateMask)) {
        throw numericFault(c);
      }
    };
  }

  /** CVTPI2PS and CVTPI2PD from an MMX register. */
  private static Op fromMmx(VectorOperation operation) {
    return (c, n) -> {
      checkAvailable(c);
      MmxOps.checkAvailable(c);
      boolean done = operation.apply(c.vector, 2 * n.reg0, c.x87.state.significands[n.reg1], 0, 0);
      c.x87.state.enterMmx();
      if (!done) {
        throw numericFault(c);
      }
    };
  }

  // Results outside SSE registers.

  private static void compareSingle(Cpu c, Instruction i, boolean signalling) {
    checkAvailable(c);
    int b = (int) sourceLow(c, i);
    c.vector.floats.begin();
    setOrder(c, c.vector.floats.order((int) c.xmm[2 * i.reg0], b, signalling));
  }

  private static void compareDouble(Cpu c, Instruction i, boolean signalling) {
    checkAvailable(c);
    long b = sourceLow(c, i);
    c.vector.floats.begin();
    setOrder(c, c.vector.floats.order(c.xmm[2 * i.reg0], b, signalling));
  }

  private static void setOrder(Cpu c, int order) {
    if (!c.vector.floats.finish()) {
      throw numericFault(c);
    }
    c.setArithmeticFlags(
        switch (order) {
          case SseFloats.LESS -> Cpu.CF;
          case SseFloats.EQUAL -> Cpu.ZF;
          case SseFloats.GREATER -> 0;
          default -> Cpu.ZF | Cpu.PF | Cpu.CF;
        });
  }

  private static void singleToInteger(Cpu c, Instruction i, int mode) {
    checkAvailable(c);
    int a = (int) sourceLow(c, i);
    c.vector.floats.begin();
    setInteger(c, i, i.width == 8 ? c.vector.floats.singleToLong(a, mode) : c.vector.floats.singleToInt(a, mode));
  }

  private static void doubleToInteger(Cpu c, Instruction i, int mode) {
    checkAvailable(c);
    long a = sourceLow(c, i);
    c.vector.floats.begin();
    setInteger(c, i, i.width == 8 ? c.vector.floats.doubleToLong(a, mode) : c.vector.floats.doubleToInt(a, mode));
  }

  private static void setInteger(Cpu c, Instruction i, long value) {
    if (!c.vector.floats.finish()) {
      throw numericFault(c);
    }
    Operands.setRegister(c, i.reg0, i.width, value);
  }

  /** PEXTRx and EXTRACTPS: to memory of that size, or zero-extended to a register. */
  private static void extract(Cpu c, Instruction i, int size) {
    checkAvailable(c);
    int at = ((int) i.imm & 16 / size - 1) * size;
    long value = c.xmm[2 * i.reg1 + (at >> 3)] >>> (at & 7) * 8 & -1L >>> 64 - 8 * size;
    if (i.kind0 == OperandKind.MEM) {
      c.mmu.write(c.ea(i), size, value);
    } else {
      c.r[i.reg0] = value;
    }
  }

  private static void ptest(Cpu c, Instruction i) {
    checkAvailable(c);
    long low = sourceLow(c, i);
    long high = c.mmu.high;
    long a = c.xmm[2 * i.reg0];
    long b = c.xmm[2 * i.reg0 + 1];
    boolean disjoint = (a & low | b & high) == 0;
    boolean contained = (~a & low | ~b & high) == 0;
    c.setArithmeticFlags((disjoint ? Cpu.ZF : 0) | (contained ? Cpu.CF : 0));
  }

  private static void compareStrings(Cpu c, Instruction i) {
    checkAvailable(c);
    long low = sourceLow(c, i);
    long high = c.mmu.high;
    long a = c.xmm[2 * i.reg0];
    long b = c.xmm[2 * i.reg0 + 1];
    int control = (int) i.imm;
    StringCompare strings = c.vector.strings;
    boolean index = false;
    switch (i.mnemonic) {
      case PCMPESTRI, PCMPESTRM -> {
        long aLength = c.r[Cpu.RAX];
        long bLength = c.r[Cpu.RDX];
        boolean wide = i.has(Instruction.REX_W);
        strings.explicit(a, b, wide ? aLength : (int) aLength, low, high, wide ? bLength : (int) bLength, control);
        index = i.mnemonic == Mnemonic.PCMPESTRI;
      }
      default -> {
        strings.implicit(a, b, low, high, control);
        index = i.mnemonic == Mnemonic.PCMPISTRI;
      }
    }
    if (index) {
      c.r[Cpu.RCX] = strings.index(control);
    } else {
      c.xmm[0] = strings.maskLow(control);
      c.xmm[1] = strings.maskHigh(control);
    }
    c.setArithmeticFlags(
        (strings.carry ? Cpu.CF : 0) | (strings.zero ? Cpu.ZF : 0) | (strings.sign ? Cpu.SF : 0) | (strings.overflow ? Cpu.OF : 0));
  }
}
