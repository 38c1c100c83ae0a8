package org.xenolith.cpu;

import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Moves between SSE registers, memory and general registers. Intel SDM volume 2. */
final class SseMoves {
  private SseMoves() {}

  static Op of(Instruction i) {
    return switch (i.mnemonic) {
      case MOVUPS, MOVUPD, MOVDQU, LDDQU -> whole(i, false);
      case MOVAPS, MOVAPD, MOVDQA, MOVNTPS, MOVNTPD, MOVNTDQ, MOVNTDQA -> whole(i, true);
      case MOVSS -> scalar(i, 4);
      case MOVSD -> scalar(i, 8);
      case MOVD, MOVQ -> i.kind0 == OperandKind.XMM ? SseMoves::loadQuadword : SseMoves::storeQuadword;
      case MOVLPS, MOVLPD -> i.kind0 == OperandKind.XMM ? loadHalf(0) : storeHalf(0);
      case MOVHPS, MOVHPD -> i.kind0 == OperandKind.XMM ? loadHalf(1) : storeHalf(1);
      case MOVHLPS -> (c, n) -> {
        SseOps.checkAvailable(c);
        c.xmm[2 * n.reg0] = c.xmm[2 * n.reg1 + 1];
      };
      case MOVLHPS -> (c, n) -> {
        SseOps.checkAvailable(c);
        c.xmm[2 * n.reg0 + 1] = c.xmm[2 * n.reg1];
      };
      case MASKMOVDQU -> SseMoves::maskmovdqu;
      default -> null;
    };
  }

  private static Op whole(Instruction i, boolean aligned) {
    if (i.kind0 == OperandKind.MEM) {
      return aligned
          ? (c, n) -> {
            SseOps.checkAvailable(c);
            c.mmu.write128(SseOps.aligned(c, n), c.xmm[2 * n.reg1], c.xmm[2 * n.reg1 + 1]);
          }
          : (c, n) -> {
            SseOps.checkAvailable(c);
            c.mmu.write128(c.ea(n), c.xmm[2 * n.reg1], c.xmm[2 * n.reg1 + 1]);
          };
    }
    if (i.kind1 == OperandKind.MEM) {
      return aligned
          ? (c, n) -> {
            SseOps.checkAvailable(c);
            c.xmm[2 * n.reg0] = c.mmu.read128(SseOps.aligned(c, n));
            c.xmm[2 * n.reg0 + 1] = c.mmu.high;
          }
          : (c, n) -> {
            SseOps.checkAvailable(c);
            c.xmm[2 * n.reg0] = c.mmu.read128(c.ea(n));
            c.xmm[2 * n.reg0 + 1] = c.mmu.high;
          };
    }
    return (c, n) -> {
      SseOps.checkAvailable(c);
      c.xmm[2 * n.reg0] = c.xmm[2 * n.reg1];
      c.xmm[2 * n.reg0 + 1] = c.xmm[2 * n.reg1 + 1];
    };
  }

  /** MOVSS and MOVSD: between registers the rest of the destination stays, from memory it becomes 0. */
  private static Op scalar(Instruction i, int size) {
    long mask = -1L >>> 64 - 8 * size;
    if (i.kind0 == OperandKind.MEM) {
      return (c, n) -> {
        SseOps.checkAvailable(c);
        c.mmu.write(c.ea(n), size, c.xmm[2 * n.reg1]);
      };
    }
    if (i.kind1 == OperandKind.MEM) {
      return SseMoves::loadQuadword;
    }
    return (c, n) -> {
      SseOps.checkAvailable(c);
      c.xmm[2 * n.reg0] = c.xmm[2 * n.reg0] & ~mask | c.xmm[2 * n.reg1] & mask;
    };
  }

  /** The low bytes of the destination from a register or memory, zero-extended. */
  private static void loadQuadword(Cpu c, Instruction i) {
    SseOps.checkAvailable(c);
    long value =
        switch (i.kind1) {
          case XMM -> c.xmm[2 * i.reg1];
          case GPR -> i.sourceWidth == 4 ? c.r[i.reg1] & 0xffff_ffffL : c.r[i.reg1];
          default -> c.mmu.read(c.ea(i), i.memoryWidth);
        };
    c.xmm[2 * i.reg0] = value;
    c.xmm[2 * i.reg0 + 1] = 0;
  }

  /** MOVD and MOVQ from an SSE register to a general register or memory. */
  private static void storeQuadword(Cpu c, Instruction i) {
    SseOps.checkAvailable(c);
    Operands.write(c, i, i.kind0, i.reg0, i.width, c.xmm[2 * i.reg1]);
  }

  private static Op loadHalf(int half) {
    return (c, n) -> {
      SseOps.checkAvailable(c);
      c.xmm[2 * n.reg0 + half] = c.mmu.read64(c.ea(n));
    };
  }

  private static Op storeHalf(int half) {
    return (c, n) -> {
      SseOps.checkAvailable(c);
      c.mmu.write64(c.ea(n), c.xmm[2 * n.reg1 + half]);
    };
  }

  private static void maskmovdqu(Cpu c, Instruction i) {
    SseOps.checkAvailable(c);
    int mask = SseOps.byteMask(c.xmm[2 * i.reg1], c.xmm[2 * i.reg1 + 1]);
    storeMasked(c, i, 16, mask, c.xmm[2 * i.reg0], c.xmm[2 * i.reg0 + 1]);
  }

  /**
   * Stores the bytes whose bit is set at rdi (edi, by the address size) in DS or the segment of a prefix. All {@code size} bytes must be
   * writable, even with no bit set.
   */
  static void storeMasked(Cpu c, Instruction i, int size, int mask, long low, long high) {
    long start = c.r[Cpu.RDI];
    long addresses = -1L >>> 64 - 8 * i.addressWidth;
    long va = c.linear(i.segment, start & addresses);
    c.mmu.checkWritable(va, 8); // where alignment is checked, it is that of 8 bytes
    c.mmu.checkWritable(va, size);
    for (int rest = mask; rest != 0; rest &= rest - 1) {
      int n = Integer.numberOfTrailingZeros(rest);
      long half = n < 8 ? low : high;
      c.mmu.write8(c.linear(i.segment, start + n & addresses), (int) (half >>> (n & 7) * 8));
    }
  }
}
