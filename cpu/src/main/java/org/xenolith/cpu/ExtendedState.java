package org.xenolith.cpu;

import java.util.Arrays;
import org.xenolith.cpu.sse.Mxcsr;
import org.xenolith.cpu.x87.X87Images;
import org.xenolith.cpu.x87.X87State;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;

/**
 * XSAVE and its like, for the two components of state that there are: the x87 unit and SSE (Intel SDM volume 1, chapter 13; AMD64 APM
 * volume 2, section 11.5). A component is in use if it differs from its initial configuration; which components were modified
 * since the last XRSTOR is not tracked.
 */
final class ExtendedState {
  /** Components in XCR0 and in the area's header. */
  static final int X87 = 1, SSE = 2, ALL = X87 | SSE;

  /** Bytes of the area: as FXSAVE's, and a header. */
  static final int SIZE = 576;

  private static final int STATE_BV = 512, COMPACTION_BV = 520, HEADER_END = 576;
  private static final long COMPACTED = 1L << 63;

  private ExtendedState() {}

  // ---- XCR0 ----

  private static void checkEnabled(Cpu c) {
    if ((c.cr4 & Cpu.CR4_OSXSAVE) == 0) {
      throw c.fault(Fault.UD);
    }
  }

  /** XGETBV: XCR0, or which of its components are in use. */
  static void xgetbv(Cpu c, Instruction i) {
    checkEnabled(c);
    long index = c.r[Cpu.RCX] & 0xffff_ffffL;
    if (index > 1) {
      throw c.fault(Fault.GP, 0);
    }
    c.r[Cpu.RAX] = index == 0 ? c.xcr0 : c.xcr0 & inUse(c);
    c.r[Cpu.RDX] = 0;
  }

  static void xsetbv(Cpu c, Instruction i) {
    checkEnabled(c);
    c.checkPrivileged();
    long value = c.r[Cpu.RAX] & 0xffff_ffffL | c.r[Cpu.RDX] << 32;
    if (!c.setExtendedControl((int) c.r[Cpu.RCX], value)) {
      throw c.fault(Fault.GP, 0);
    }
  }

  // ---- What is in use ----

  private static int inUse(Cpu c) {
    return (x87InUse(c.x87.state) ? X87 : 0) | (sseInUse(c) ? SSE : 0);
  }

  private static boolean x87InUse(X87State s) {
    if (s.control != 0x37f || s.statusWord() != 0 || s.occupied != 0 || s.opcode != 0 || s.instructionPointer != 0 || s.dataPointer != 0
        || s.codeSelector != 0 || s.dataSelector != 0) {
      return true;
    }
    for (int n = 0; n < 8; n++) {
      if (s.significands[n] != 0 || s.signExponents[n] != 0) {
        return true;
      }
    }
    return false;
  }

  /** The registers that the mode has; MXCSR does not count. */
  private static boolean sseInUse(Cpu c) {
    for (int n = 0; n < registers(c) * 2; n++) {
      if (c.xmm[n] != 0) {
        return true;
      }
    }
    return false;
  }

  private static int registers(Cpu c) {
    return c.mode == CpuMode.LONG64 ? 16 : 8;
  }

  // ---- The area ----

  /** #UD, #NM, #GP unless aligned to 64 bytes; the operand's address. */
  private static long area(Cpu c, Instruction i) {
    checkEnabled(c);
    if ((c.cr0 & Cpu.CR0_TS) != 0) {
      throw c.fault(Fault.NM);
    }
    long va = c.ea(i);
    if ((va & 63) != 0 && Mmu.canonical(va)) {
      throw c.mmu.checksAlignment() && (va & 3) != 0 ? c.fault(Fault.AC, 0) : c.fault(Fault.GP, 0);
    }
    return va;
  }

  /** The components that an instruction is about: edx:eax as far as XCR0 enables them. */
  private static int requested(Cpu c) {
    return (int) c.r[Cpu.RAX] & c.xcr0;
  }

  private static void write(Cpu c, long va, int from, int to) {
    for (int at = from; at < to; at += 8) {
      c.mmu.write64(va + at, c.fpuImage[at >> 3]);
    }
  }

  // ---- XSAVE, XSAVEOPT, XSAVEC ----

  static void save(Cpu c, Instruction i) {
    long va = area(c, i);
    c.mmu.checkWritable(va + SIZE - 1, 1);
    c.mmu.checkWritable(va, 8);
    int requested = requested(c);
    int inUse = inUse(c);
    boolean compact = i.mnemonic == Mnemonic.XSAVEC;
    int stored = requested;
    if (i.mnemonic == Mnemonic.XSAVEOPT) {
      stored &= inUse;
    } else if (compact) {
      // The compacted form has MXCSR in SSE's component.
      stored &= inUse | (c.vector.floats.mxcsr != Mxcsr.RESET ? SSE : 0);
    }
    long[] image = c.fpuImage;
    Arrays.fill(image, 0);
    if ((stored & X87) != 0) {
      X87Images.fxsave(c.x87.state, image, i.width == 8);
      write(c, va, 0, X87Images.FXSAVE_MXCSR);
      write(c, va, X87Images.FXSAVE_MXCSR + 8, X87Images.FXSAVE_XMM);
    }
    if (((compact ? stored : requested) & SSE) != 0) {
      c.mmu.write64(va + X87Images.FXSAVE_MXCSR, c.vector.floats.mxcsr | (long) Mxcsr.WRITABLE << 32);
    }
    if ((stored & SSE) != 0) {
      for (int n = 0; n < 2 * registers(c); n++) {
        c.mmu.write64(va + X87Images.FXSAVE_XMM + 8 * n, c.xmm[n]);
      }
    }
    if (compact) {
      c.mmu.write64(va + STATE_BV, stored);
      c.mmu.write64(va + COMPACTION_BV, requested | COMPACTED);
    } else {
      long before = c.mmu.read64(va + STATE_BV);
      c.mmu.write64(va + STATE_BV, before & ~requested | requested & inUse);
    }
  }

  // ---- XRSTOR ----

  static void restore(Cpu c, Instruction i) {
    long va = area(c, i);
    c.mmu.checkReadable(va + SIZE - 1, 1);
    c.mmu.checkReadable(va, 8);
    int requested = requested(c);
    long state = c.mmu.read64(va + STATE_BV);
    long compaction = c.mmu.read64(va + COMPACTION_BV);
    boolean compact = compaction < 0;
    boolean bad;
    if (compact) {
      bad = (compaction & ~COMPACTED & ~c.xcr0) != 0 || (state & ~compaction) != 0 || reserved(c, va, COMPACTION_BV + 8, HEADER_END);
    } else {
      bad = (state & ~c.xcr0) != 0 || reserved(c, va, COMPACTION_BV, COMPACTION_BV + 16);
    }
    int loaded = requested & (int) state;
    int mxcsr = c.vector.floats.mxcsr;
    if ((requested & SSE) != 0) {
      mxcsr = compact && (loaded & SSE) == 0 ? Mxcsr.RESET : c.mmu.read32(va + X87Images.FXSAVE_MXCSR);
      bad |= (mxcsr & ~Mxcsr.WRITABLE) != 0;
    }
    if (bad) {
      throw c.fault(Fault.GP, 0);
    }
    if ((requested & X87) != 0) {
      if ((loaded & X87) != 0) {
        for (int at = 0; at < X87Images.FXSAVE_XMM; at += 8) {
          c.fpuImage[at >> 3] = c.mmu.read64(va + at);
        }
        X87Images.fxrstor(c.x87.state, c.fpuImage, i.width == 8);
      } else {
        c.x87.state.reset();
        c.x87.state.initialize();
      }
    }
    c.vector.floats.mxcsr = mxcsr;
    if ((requested & SSE) != 0) {
      for (int n = 0; n < 2 * registers(c); n++) {
        c.xmm[n] = (loaded & SSE) != 0 ? c.mmu.read64(va + X87Images.FXSAVE_XMM + 8 * n) : 0;
      }
    }
  }

  private static boolean reserved(Cpu c, long va, int from, int to) {
    long any = 0;
    for (int at = from; at < to; at += 8) {
      any |= c.mmu.read64(va + at);
    }
    return any != 0;
  }
}
