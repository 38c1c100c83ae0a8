package org.xenolith.image;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A kernel's ORC tables as DWARF call frame information, the section {@code .debug_frame}, so that debuggers unwind the stacks of a stock
 * kernel. Source: DWARF 4, section 6.4; register numbers: x86-64 psABI, figure 3.36; what ORC means: {@link Orc}.
 */
final class CallFrames {
  /** DW_CFA_*. */
  private static final int DEF_CFA = 0x0c, DEF_CFA_SF = 0x12, DEF_CFA_EXPRESSION = 0x0f, OFFSET = 0x80, OFFSET_SF = 0x11, SAME_VALUE = 0x08,
      EXPRESSION = 0x10, UNDEFINED = 0x07, ADVANCE_4 = 0x04, ADVANCE = 0x40;

  /** DW_OP_*. */
  private static final int BREG0 = 0x70, DEREF = 0x06, CONSTS = 0x11, PLUS = 0x22;

  private static final int RDX = 1, RDI = 5, RBP = 6, RSP = 7, R10 = 10, R13 = 13, RA = 16;

  /** The registers of struct pt_regs in its order, 8 bytes each, by their DWARF numbers; -1: none of them (orig_ax, cs, flags). */
  private static final int[] PT_REGS = {15, 14, 13, 12, RBP, 3, 11, R10, 9, 8, 0, 2, RDX, 4, RDI, -1, RA, -1, -1, RSP};

  /** The first register that the processor itself saves. */
  private static final int PT_IP = 16;

  /** Saved registers lie at multiples of this from the frame's address. */
  private static final int DATA_ALIGNMENT = -8;

  /** Ranges in one entry at most: debuggers go through an entry from its start. */
  private static final int MOST_RANGES = 64;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final int[] common = new int[Orc.Kind.values().length];
  private final ByteArrayOutputStream program = new ByteArrayOutputStream();

  private CallFrames() {}

  /** The section's bytes. */
  static byte[] of(Orc orc) {
    CallFrames frames = new CallFrames();
    for (Orc.Kind kind : Orc.Kind.values()) {
      frames.common(kind);
    }
    frames.entries(orc);
    return frames.out.toByteArray();
  }

  // ---- What frames of a kind have in common (CIE) ----

  private void common(Orc.Kind kind) {
    if (kind == Orc.Kind.NONE) {
      return;
    }
    program.reset();
    // Callers of a frame of the second sort were interrupted: their address is no return address.
    boolean interrupted = kind == Orc.Kind.REGISTERS || kind == Orc.Kind.PARTIAL_REGISTERS;
    program.write(1);
    program.writeBytes(interrupted ? new byte[] {'S', 0} : new byte[] {0});
    unsigned(1);
    signed(DATA_ALIGNMENT);
    program.write(RA);
    op(DEF_CFA, RSP, 8);
    switch (kind) {
      case CALL -> {
        program.write(OFFSET | RA);
        unsigned(1);
      }
      case REGISTERS -> saved(0, 0);
      case PARTIAL_REGISTERS -> saved(PT_IP, PT_IP);
      default -> {
        program.write(UNDEFINED);
        unsigned(RA);
      }
    }
    common[kind.ordinal()] = out.size();
    put(-1);
  }

  /** The registers of a struct pt_regs whose n-th word lies at the frame's address, from the n-th on. */
  private void saved(int first, int atFrame) {
    for (int n = first; n < PT_REGS.length; n++) {
      if (PT_REGS[n] >= 0) {
        program.write(OFFSET_SF);
        unsigned(PT_REGS[n]);
        signed(8 * (n - atFrame) / DATA_ALIGNMENT);
      }
    }
  }

  // ---- Ranges of code (FDE) ----

  private void entries(Orc orc) {
    int start = 0;
    while (start < orc.size()) {
      Orc.Kind kind = orc.hint(start).kind();
      int end = start + 1;
      while (end < orc.size() && end - start < MOST_RANGES && orc.hint(end).kind() == kind) {
        end++;
      }
      // The last range of all has no end.
      if (kind != Orc.Kind.NONE && end < orc.size()) {
        entry(orc, start, end, kind);
      }
      start = end;
    }
  }

  private void entry(Orc orc, int start, int end, Orc.Kind kind) {
    program.reset();
    long first = orc.address(start);
    long length = orc.address(end) - first;
    if (length <= 0 || length > Integer.MAX_VALUE) {
      return;
    }
    words(first, length);
    long at = first;
    for (int n = start; n < end; n++) {
      long next = orc.address(n);
      if (next > at) {
        advance((int) (next - at));
        at = next;
      }
      if (kind != Orc.Kind.END) {
        rules(orc.hint(n));
      }
    }
    put(common[kind.ordinal()]);
  }

  private void advance(int bytes) {
    if (bytes < 0x40) {
      program.write(ADVANCE | bytes);
    } else {
      program.write(ADVANCE_4);
      program.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(bytes).array());
    }
  }

  private void rules(Orc.Hint hint) {
    switch (hint.spRegister()) {
      case Orc.SP -> frame(RSP, hint.spOffset());
      case Orc.BP -> frame(RBP, hint.spOffset());
      case Orc.R10 -> frame(R10, 0);
      case Orc.R13 -> frame(R13, 0);
      case Orc.DI -> frame(RDI, 0);
      case Orc.DX -> frame(RDX, 0);
      case Orc.SP_INDIRECT -> indirect(RSP, 0, hint.spOffset());
      case Orc.BP_INDIRECT -> indirect(RBP, hint.spOffset(), 0);
      default -> {}
    }
    if (hint.kind() != Orc.Kind.CALL) {
      return;
    }
    switch (hint.bpRegister()) {
      case Orc.PREVIOUS_SP -> {
        program.write(OFFSET_SF);
        unsigned(RBP);
        signed(hint.bpOffset() / DATA_ALIGNMENT);
      }
      case Orc.BP -> {
        program.write(EXPRESSION);
        unsigned(RBP);
        block(BREG0 + RBP, hint.bpOffset());
      }
      default -> {
        program.write(SAME_VALUE);
        unsigned(RBP);
      }
    }
  }

  private void frame(int register, int offset) {
    if (offset >= 0) {
      op(DEF_CFA, register, offset);
    } else {
      program.write(DEF_CFA_SF);
      unsigned(register);
      signed(offset / DATA_ALIGNMENT);
    }
  }

  /** The frame's address is {@code after} behind what lies {@code before} behind a register. */
  private void indirect(int register, int before, int after) {
    program.write(DEF_CFA_EXPRESSION);
    block(BREG0 + register, before, DEREF, CONSTS, after, PLUS);
  }

  /** An expression: operations, those with an operand followed by it. */
  private void block(int... operations) {
    ByteArrayOutputStream expression = new ByteArrayOutputStream();
    for (int n = 0; n < operations.length; n++) {
      expression.write(operations[n]);
      if (operations[n] >= BREG0 || operations[n] == CONSTS) {
        signed(expression, operations[++n]);
      }
    }
    unsigned(expression.size());
    program.writeBytes(expression.toByteArray());
  }

  // ---- Writing ----

  private void op(int code, int first, int second) {
    program.write(code);
    unsigned(first);
    unsigned(second);
  }

  private void words(long first, long second) {
    program.writeBytes(ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(first).putLong(second).array());
  }

  private void unsigned(int value) {
    int left = value;
    for (; left > 0x7f; left >>>= 7) {
      program.write(left & 0x7f | 0x80);
    }
    program.write(left);
  }

  private void signed(int value) {
    signed(program, value);
  }

  private static void signed(ByteArrayOutputStream into, int value) {
    int left = value;
    for (; left < -0x40 || left > 0x3f; left >>= 7) {
      into.write(left & 0x7f | 0x80);
    }
    into.write(left & 0x7f);
  }

  /** Puts the program into the section, padded with DW_CFA_nop, behind its length and {@code id}: -1, or where the common part is. */
  private void put(int id) {
    while ((program.size() & 7) != 0) {
      program.write(0);
    }
    ByteBuffer head = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putInt(4 + program.size()).putInt(id);
    out.writeBytes(head.array());
    out.writeBytes(program.toByteArray());
  }
}
