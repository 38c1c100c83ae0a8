package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/**
 * IN, OUT, INS, OUTS (AMD64 APM volume 3). Below the I/O privilege level the permission bitmap in the task state segment decides (volume 2,
 * 12.2.5). Each is a block of its own, since devices look at the clock.
 */
final class PortOps {
  /** Where the 16-bit offset of the bitmap is, in task state segments of 32 and of 64 bits. */
  private static final int BITMAP_OFFSET = 0x66;

  /** Bits 0 to 3 of the rights of TR: 32- and 64-bit task state segments, available and busy; others have no bitmap. */
  private static final int TSS = 9, TSS_BUSY = 11;

  private PortOps() {}

  /** #GP(0) unless the ports may be accessed. */
  private static void check(Cpu c, int port, int size) {
    boolean level = (c.cr0 & Cpu.CR0_PE) == 0 || c.cpl <= (c.eflags & Cpu.IOPL) >>> 12 && (c.eflags & Cpu.VM) == 0;
    if (!level && !permitted(c, port, size)) {
      throw c.fault(Fault.GP, 0);
    }
  }

  private static boolean permitted(Cpu c, int port, int size) {
    int type = c.taskAccess & 0xf;
    long limit = c.taskLimit & 0xffff_ffffL;
    if ((c.taskAccess & Segments.PRESENT) == 0 || type != TSS && type != TSS_BUSY || limit < BITMAP_OFFSET + 1) {
      return false;
    }
    int offset = (int) SystemAccess.read(c, c.taskBase + BITMAP_OFFSET, 2) + (port >>> 3);
    // Two bytes are read always: a last byte of ones must follow the bitmap.
    return offset + 1 <= limit && (SystemAccess.read(c, c.taskBase + offset, 2) >>> (port & 7) & (1 << size) - 1) == 0;
  }

  /** Opcodes E4 to E7 have the port in the instruction, EC to EF take it from dx. */
  private static int port(Cpu c, Instruction i) {
    return (int) ((i.encoding.opcode & 8) == 0 ? i.imm & 0xff : c.r[Cpu.RDX] & 0xffff);
  }

  static void in(Cpu c, Instruction i) {
    int size = Math.min(i.width, 4);
    int port = port(c, i);
    check(c, port, size);
    Operands.setRegister(c, Cpu.RAX, size, c.platform.in(port, size));
    c.debugging.accessedPort(port, size);
  }

  static void out(Cpu c, Instruction i) {
    int size = Math.min(i.width, 4);
    int port = port(c, i);
    check(c, port, size);
    c.platform.out(port, size, c.r[Cpu.RAX] & -1L >>> Operands.shift(size));
    c.debugging.accessedPort(port, size);
  }

  // ---- Strings ----

  /** The store is checked first: what a device has given must not get lost. */
  static void ins(Cpu c, Instruction i) {
    int size = Math.min(i.width, 4);
    int port = (int) c.r[Cpu.RDX] & 0xffff;
    check(c, port, size);
    for (int left = Strings.limit(c, i); left > 0; left--) {
      long va = Strings.destination(c, i, size, true);
      c.mmu.checkWritable(va, size);
      c.mmu.write(va, size, c.platform.in(port, size));
      c.debugging.accessedPort(port, size);
      Strings.advance(c, i, Cpu.RDI, size);
      Strings.count(c, i, 1);
      if (c.interrupted()) {
        break;
      }
    }
    Strings.finish(c, i);
  }

  static void outs(Cpu c, Instruction i) {
    int size = Math.min(i.width, 4);
    int port = (int) c.r[Cpu.RDX] & 0xffff;
    check(c, port, size);
    for (int left = Strings.limit(c, i); left > 0; left--) {
      c.platform.out(port, size, c.mmu.read(Strings.source(c, i, size), size));
      c.debugging.accessedPort(port, size);
      Strings.advance(c, i, Cpu.RSI, size);
      Strings.count(c, i, 1);
      if (c.interrupted()) {
        break;
      }
    }
    Strings.finish(c, i);
  }

  static Op of(Instruction i) {
    return switch (i.mnemonic) {
      case IN -> PortOps::in;
      case OUT -> PortOps::out;
      case INS -> PortOps::ins;
      default -> PortOps::outs;
    };
  }
}
