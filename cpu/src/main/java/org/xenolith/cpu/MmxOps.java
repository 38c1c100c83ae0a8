package org.xenolith.cpu;

import org.xenolith.cpu.sse.IntegerOperations;
import org.xenolith.cpu.sse.LaneShuffles;
import org.xenolith.cpu.sse.MmxOperation;
import org.xenolith.cpu.sse.SseFloats;
import org.xenolith.cpu.x87.X87State;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * Instructions with MMX registers, which are the significands of the x87 registers: each but EMMS sets the top of the stack to 0 and marks
 * all registers occupied. Intel SDM volume 1, chapter 9.
 */
final class MmxOps {
  private MmxOps() {}

  /** #UD by CR0.EM, #NM by CR0.TS, #MF for a pending x87 exception. */
  static void checkAvailable(Cpu c) {
    if ((c.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS)) != 0) {
      throw c.fault((c.cr0 & Cpu.CR0_EM) != 0 ? Fault.UD : Fault.NM);
    }
    X87Ops.checkPending(c);
  }

  private static void set(Cpu c, int register, long value) {
    X87State state = c.x87.state;
    state.enterMmx();
    state.setMmx(register, value);
  }

  /** An MMX register or memory of the row's width. */
  private static long source(Cpu c, Instruction i) {
    return switch (i.kind1) {
      case MMX -> c.x87.state.significands[i.reg1];
      case IMM -> i.imm & 0xff;
      case GPR -> c.r[i.reg1];
      default -> c.mmu.read(c.ea(i), i.memoryWidth);
    };
  }

  static Op of(Instruction i) {
    MmxOperation operation = i.kind0 == OperandKind.MMX ? IntegerOperations.mmx(i.mnemonic) : null;
    if (operation != null) {
      return (c, n) -> {
        checkAvailable(c);
        long value = source(c, n);
        set(c, n.reg0, operation.apply(c.x87.state.significands[n.reg0], value, (int) n.imm & 0xff));
      };
    }
    return switch (i.mnemonic) {
      case EMMS -> (c, n) -> {
        checkAvailable(c);
        c.x87.state.leaveMmx();
      };
      case MOVD, MOVQ -> i.kind0 == OperandKind.MMX ? MmxOps::load : MmxOps::store;
      case MOVNTQ -> MmxOps::store;
      case MASKMOVQ -> MmxOps::maskmovq;
      case PMOVMSKB -> (c, n) -> {
        checkAvailable(c);
        c.x87.state.enterMmx();
        c.r[n.reg0] = LaneShuffles.pmovmskb(c.x87.state.significands[n.reg1]);
      };
      case PEXTRW -> (c, n) -> {
        checkAvailable(c);
        c.x87.state.enterMmx();
        c.r[n.reg0] = c.x87.state.significands[n.reg1] >>> ((int) n.imm & 3) * 16 & 0xffff;
      };
      case MOVQ2DQ -> (c, n) -> {
        SseOps.checkAvailable(c);
        checkAvailable(c);
        c.x87.state.enterMmx();
        c.xmm[2 * n.reg0] = c.x87.state.significands[n.reg1];
        c.xmm[2 * n.reg0 + 1] = 0;
      };
      case MOVDQ2Q -> (c, n) -> {
        SseOps.checkAvailable(c);
        checkAvailable(c);
        set(c, n.reg0, c.xmm[2 * n.reg1]);
      };
      case CVTPS2PI, CVTTPS2PI, CVTPD2PI, CVTTPD2PI -> MmxOps::convert;
      default -> throw new IllegalArgumentException(i.toString());
    };
  }

  private static void load(Cpu c, Instruction i) {
    checkAvailable(c);
    long value = source(c, i);
    set(c, i.reg0, i.sourceWidth == 4 ? value & 0xffff_ffffL : value);
  }

  private static void store(Cpu c, Instruction i) {
    checkAvailable(c);
    long value = c.x87.state.significands[i.reg1];
    if (i.kind0 == OperandKind.MMX) {
      set(c, i.reg0, value);
      return;
    }
    Operands.write(c, i, i.kind0, i.reg0, i.width, value);
    c.x87.state.enterMmx();
  }

  /** The bytes of operand 0 whose mask byte in operand 1 has its top bit set, to memory at rdi. */
  private static void maskmovq(Cpu c, Instruction i) {
    checkAvailable(c);
    long[] mmx = c.x87.state.significands;
    // Processors enter MMX state here even if the store then faults.
    c.x87.state.enterMmx();
    SseMoves.storeMasked(c, i, 8, LaneShuffles.pmovmskb(mmx[i.reg1]), mmx[i.reg0], 0);
  }

  /** CVTPS2PI, CVTPD2PI and their truncating forms. */
  private static void convert(Cpu c, Instruction i) {
    SseOps.checkAvailable(c);
    checkAvailable(c);
    boolean doubles;
    boolean truncating;
    switch (i.mnemonic) {
      case CVTPS2PI -> {
        doubles = false;
        truncating = false;
      }
      case CVTTPS2PI -> {
        doubles = false;
        truncating = true;
      }
      case CVTPD2PI -> {
        doubles = true;
        truncating = false;
      }
      default -> {
        doubles = true;
        truncating = true;
      }
    }
    long low = SseOps.sourceLow(c, i);
    long high = c.mmu.high;
    SseFloats floats = c.vector.floats;
    int mode = truncating ? SseFloats.TOWARD_ZERO : floats.roundingMode();
    floats.begin();
    int first = doubles ? floats.doubleToInt(low, mode) : floats.singleToInt((int) low, mode);
    int second = doubles ? floats.doubleToInt(high, mode) : floats.singleToInt((int) (low >>> 32), mode);
    // Processors enter MMX state even if the conversion then faults.
    c.x87.state.enterMmx();
    if (!floats.finish()) {
      throw SseOps.numericFault(c);
    }
    set(c, i.reg0, first & 0xffff_ffffL | (long) second << 32);
  }
}
