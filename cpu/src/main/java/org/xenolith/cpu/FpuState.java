package org.xenolith.cpu;

import java.util.Arrays;
import org.xenolith.cpu.sse.Mxcsr;
import org.xenolith.cpu.x87.X87Images;
import org.xenolith.cpu.x87.X87State;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** Instructions that set, load and store the state of the x87 unit and of SSE. Intel SDM volume 1, sections 8.1 and 10.5. */
final class FpuState {
  private static final int FXSAVE_SIZE = 512;

  private FpuState() {}

  static Op of(Instruction i) {
    return switch (i.mnemonic) {
      case FNINIT -> (c, n) -> {
        X87Ops.checkAvailable(c);
        c.x87.state.initialize();
      };
      case FNCLEX -> (c, n) -> {
        X87Ops.checkAvailable(c);
        c.x87.state.clearExceptions();
      };
      // Instructions of the 8087 and 80287 that have nothing to do any more.
      case FNENI, FNDISI, FNSETPM -> (c, n) -> X87Ops.checkAvailable(c);
      case FNSTCW -> (c, n) -> {
        X87Ops.checkAvailable(c);
        c.mmu.write16(c.ea(n), c.x87.state.control);
      };
      case FNSTSW -> (c, n) -> {
        X87Ops.checkAvailable(c);
        Operands.write(c, n, n.kind0, n.reg0, 2, c.x87.state.statusWord());
      };
      case FLDCW -> (c, n) -> {
        checkWaiting(c);
        c.x87.state.setControlWord(c.mmu.read16(c.ea(n)));
      };
      case FNSTENV -> FpuState::fnstenv;
      case FLDENV -> FpuState::fldenv;
      case FNSAVE -> FpuState::fnsave;
      case FRSTOR -> FpuState::frstor;
      case FXSAVE -> FpuState::fxsave;
      case FXRSTOR -> FpuState::fxrstor;
      case LDMXCSR -> FpuState::ldmxcsr;
      case STMXCSR -> (c, n) -> {
        SseOps.checkAvailable(c);
        c.mmu.write32(c.ea(n), c.vector.floats.mxcsr);
      };
      default -> throw new IllegalArgumentException(i.toString());
    };
  }

  private static void checkWaiting(Cpu c) {
    X87Ops.checkAvailable(c);
    X87Ops.checkPending(c);
  }

  // Images. All bytes are checked before the first is written. Where an image crosses into a page that faults, processors
  // report its last byte. Environments are accessed by their fields; of the larger ones alignment is not checked, so they go by bytes.

  private static void checkWritable(Cpu c, long va, int size, int step) {
    c.mmu.checkWritable(va, step);
    c.mmu.checkWritable(va + size - 1, 1);
  }

  private static void checkReadable(Cpu c, long va, int size, int step) {
    c.mmu.checkReadable(va, step);
    c.mmu.checkReadable(va + size - 1, 1);
  }

  private static void write(Cpu c, long va, int size, int step) {
    for (int at = 0; at < size; at += step) {
      c.mmu.write(va + at, step, c.fpuImage[at >> 3] >>> (at & 7) * 8);
    }
  }

  private static void read(Cpu c, long va, int size, int step) {
    long[] image = c.fpuImage;
    for (int at = 0; at < size; at += step) {
      long value = c.mmu.read(va + at, step);
      int shift = (at & 7) * 8;
      image[at >> 3] = shift == 0 ? value : image[at >> 3] | value << shift;
    }
  }

  private static void fnstenv(Cpu c, Instruction i) {
    X87Ops.checkAvailable(c);
    boolean wide = i.width != 2;
    int size = wide ? X87Images.ENVIRONMENT_32 : X87Images.ENVIRONMENT_16;
    long va = c.ea(i);
    checkWritable(c, va, size, wide ? 4 : 2);
    X87Images.storeEnvironment(c.x87.state, c.fpuImage, wide, !c.protectedMode());
    write(c, va, size, wide ? 4 : 2);
    c.x87.state.maskExceptions();
  }

  private static void fldenv(Cpu c, Instruction i) {
    checkWaiting(c);
    boolean wide = i.width != 2;
    int size = wide ? X87Images.ENVIRONMENT_32 : X87Images.ENVIRONMENT_16;
    long va = c.ea(i);
    checkReadable(c, va, size, wide ? 4 : 2);
    read(c, va, size, wide ? 4 : 2);
    X87Images.loadEnvironment(c.x87.state, c.fpuImage, wide, !c.protectedMode());
  }

  private static void fnsave(Cpu c, Instruction i) {
    X87Ops.checkAvailable(c);
    boolean wide = i.width != 2;
    int size = wide ? X87Images.SAVE_32 : X87Images.SAVE_16;
    long va = c.ea(i);
    checkWritable(c, va, size, wide ? 4 : 2);
    X87Images.save(c.x87.state, c.fpuImage, wide, !c.protectedMode());
    write(c, va, size, 1);
    c.x87.state.initialize();
  }

  private static void frstor(Cpu c, Instruction i) {
    checkWaiting(c);
    boolean wide = i.width != 2;
    int size = wide ? X87Images.SAVE_32 : X87Images.SAVE_16;
    long va = c.ea(i);
    checkReadable(c, va, size, wide ? 4 : 2);
    read(c, va, size, 1);
    X87Images.restore(c.x87.state, c.fpuImage, wide, !c.protectedMode());
  }

  /** #UD by CR0.EM, #NM by CR0.TS, #GP unless aligned; the operand's address. The end of the area faults before its beginning. */
  private static long fxArea(Cpu c, Instruction i) {
    if ((c.cr0 & Cpu.CR0_EM) != 0) {
      throw c.fault(Fault.UD);
    }
    if ((c.cr0 & Cpu.CR0_TS) != 0) {
      throw c.fault(Fault.NM);
    }
    long va = c.ea(i);
    if ((va & 15) != 0 && Mmu.canonical(va)) {
      // AMD's processors look at the alignment of its doublewords first.
      throw c.mmu.checksAlignment() && (va & 3) != 0 ? c.fault(Fault.AC, 0) : c.fault(Fault.GP, 0);
    }
    return va;
  }

  /** Outside 64-bit mode xmm8 to xmm15 are left alone, and so is their place in the image. */
  private static int xmmEnd(Instruction i) {
    return X87Images.FXSAVE_XMM + (i.mode == CpuMode.LONG64 ? 256 : 128);
  }

  private static void fxsave(Cpu c, Instruction i) {
    long va = fxArea(c, i);
    c.mmu.checkWritable(va + FXSAVE_SIZE - 1, 1);
    c.mmu.checkWritable(va, 8);
    long[] image = c.fpuImage;
    Arrays.fill(image, 0);
    X87Images.fxsave(c.x87.state, image, i.width == 8);
    image[X87Images.FXSAVE_MXCSR / 8] = c.vector.floats.mxcsr | (long) Mxcsr.WRITABLE << 32;
    int end = xmmEnd(i);
    System.arraycopy(c.xmm, 0, image, X87Images.FXSAVE_XMM / 8, (end - X87Images.FXSAVE_XMM) / 8);
    write(c, va, end, 8);
  }

  /** #GP if MXCSR in the image has a reserved bit set; then nothing is restored. */
  private static void fxrstor(Cpu c, Instruction i) {
    long va = fxArea(c, i);
    c.mmu.checkReadable(va + FXSAVE_SIZE - 1, 1);
    c.mmu.checkReadable(va, 8);
    int end = xmmEnd(i);
    read(c, va, end, 8);
    long[] image = c.fpuImage;
    int mxcsr = (int) image[X87Images.FXSAVE_MXCSR / 8];
    if ((mxcsr & ~Mxcsr.WRITABLE) != 0) {
      throw c.fault(Fault.GP, 0);
    }
    X87State state = c.x87.state;
    X87Images.fxrstor(state, image, i.width == 8);
    c.vector.floats.mxcsr = mxcsr;
    System.arraycopy(image, X87Images.FXSAVE_XMM / 8, c.xmm, 0, (end - X87Images.FXSAVE_XMM) / 8);
  }

  private static void ldmxcsr(Cpu c, Instruction i) {
    SseOps.checkAvailable(c);
    int mxcsr = c.mmu.read32(c.ea(i));
    if ((mxcsr & ~Mxcsr.WRITABLE) != 0) {
      throw c.fault(Fault.GP, 0);
    }
    c.vector.floats.mxcsr = mxcsr;
  }
}
