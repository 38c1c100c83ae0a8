package org.xenolith.insight.breach;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.TableWalk;
import org.xenolith.image.Orc;

/**
 * Unwinds the stack of a guest's kernel as the kernel's own unwinder does (Linux: unwind_next_frame, arch/x86/kernel/unwind_orc.c), by
 * frame pointers where the kernel has no ORC tables, and at last by what on the stack looks like return addresses. Reads the guest without
 * changing it.
 */
public final class Unwinder {
  private static final int MOST_FRAMES = 40;

  /** Words looked at when nothing better is left. */
  private static final int SCANNED = 512, MOST_SCANNED = 12;

  /** Registers in the order of struct pt_regs, by 8 bytes: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss. */
  private static final int PT_R13 = 16, PT_BP = 32, PT_R10 = 56, PT_DX = 96, PT_DI = 112, PT_IP = 128, PT_CS = 136, PT_SP = 152;

  private final CodeNames names;

  public Unwinder(CodeNames names) {
    this.names = names;
  }

  /** The stack of a processor at this moment, innermost first; the first frame is RIP's. */
  public List<StackFrame> unwind(Cpu cpu) {
    return new Walk(cpu).frames();
  }

  /** Where a stack is being unwound. */
  private final class Walk {
    private final Cpu cpu;
    private final List<StackFrame> frames = new ArrayList<>();
    private long ip;
    private long sp;
    private long bp;

    /** Whether ip is the very instruction, not the one behind a call. */
    private boolean exact = true;

    /** Where a struct pt_regs with the frame's registers lies; 0: nowhere. Those of the first frame are the processor's. */
    private long registers;

    private boolean first = true;

    private boolean failed;

    Walk(Cpu cpu) {
      this.cpu = cpu;
      this.ip = cpu.rip;
      this.sp = cpu.r[Cpu.RSP];
      this.bp = cpu.r[Cpu.RBP];
    }

    List<StackFrame> frames() {
      add(ip, exact, true);
      while (frames.size() < MOST_FRAMES) {
        Optional<Orc> orc = names.orc();
        long lookup = exact ? ip : ip - 1;
        Orc.Hint hint = orc.flatMap(o -> o.at(lookup)).orElse(null);
        boolean known = hint != null && names.isCode(lookup) && hint.kind() != Orc.Kind.NONE;
        if (known && hint.kind() == Orc.Kind.END) {
          return frames;
        }
        long before = sp;
        boolean moved = known ? byHint(hint) : byFramePointer();
        if (!moved || registers == 0 && Long.compareUnsigned(sp, before) <= 0) {
          scan(before);
          return frames;
        }
        first = false;
        if (registers != 0 && (read(registers + PT_CS) & 3) == 3) {
          return frames;
        }
        add(ip, exact, true);
      }
      return frames;
    }

    private void add(long address, boolean isExact, boolean certain) {
      long inFunction = isExact ? address : address - 1;
      String function = names.function(inFunction);
      frames.add(new StackFrame(address, function, isExact ? names.place(address) : names.placeOfReturn(address), certain));
    }

    private boolean byHint(Orc.Hint hint) {
      failed = false;
      long end =
          switch (hint.spRegister()) {
            case Orc.SP -> sp + hint.spOffset();
            case Orc.BP -> bp + hint.spOffset();
            case Orc.SP_INDIRECT -> read(sp) + hint.spOffset();
            case Orc.BP_INDIRECT -> read(bp + hint.spOffset());
            case Orc.R10 -> register(PT_R10, Cpu.R10);
            case Orc.R13 -> register(PT_R13, Cpu.R13);
            case Orc.DI -> register(PT_DI, Cpu.RDI);
            case Orc.DX -> register(PT_DX, Cpu.RDX);
            default -> fail();
          };
      if (failed) {
        return false;
      }
      long savedBp = bp;
      long bpBase = hint.bpRegister() == Orc.PREVIOUS_SP ? end : bp;
      long oldRegisters = registers;
      switch (hint.kind()) {
        case CALL -> {
          ip = read(end - 8);
          sp = end;
          registers = 0;
          exact = false;
        }
        case REGISTERS -> {
          ip = read(end + PT_IP);
          sp = read(end + PT_SP);
          registers = end;
          exact = true;
        }
        case PARTIAL_REGISTERS -> {
          // The end is where the processor's part begins, at rip.
          ip = read(end);
          sp = read(end + PT_SP - PT_IP);
          registers = end - PT_IP;
          exact = true;
        }
        default -> fail();
      }
      if (hint.bpRegister() == Orc.UNDEFINED) {
        bp = hint.kind() == Orc.Kind.CALL && oldRegisters != 0 ? read(oldRegisters + PT_BP) : savedBp;
      } else {
        bp = read(bpBase + hint.bpOffset());
      }
      if (hint.kind() == Orc.Kind.REGISTERS) {
        bp = read(registers + PT_BP);
      }
      return !failed && ip != 0;
    }

    /** rbp leads to the caller's rbp and the return address. Functions that have only just begun leave it on top of the stack. */
    private boolean byFramePointer() {
      failed = false;
      if (frames.size() == 1) {
        long top = read(sp);
        if (!failed && names.isCode(top - 1)) {
          ip = top;
          sp += 8;
          exact = false;
          registers = 0;
          return true;
        }
        failed = false;
      }
      if (Long.compareUnsigned(bp, sp) < 0 || bp - sp > 1 << 16) {
        return false;
      }
      long caller = read(bp + 8);
      long callersBp = read(bp);
      if (failed || !names.isCode(caller - 1)) {
        return false;
      }
      ip = caller;
      sp = bp + 16;
      bp = callersBp;
      exact = false;
      registers = 0;
      return true;
    }

    private void scan(long from) {
      int found = 0;
      for (int n = 0; n < SCANNED && found < MOST_SCANNED && frames.size() < MOST_FRAMES; n++) {
        failed = false;
        long word = read((from & ~7L) + 8L * n);
        if (failed) {
          return;
        }
        if (names.isCode(word - 1)) {
          add(word, false, false);
          found++;
        }
      }
    }

    private long register(int offset, int number) {
      if (first) {
        return cpu.r[number];
      }
      return registers != 0 ? read(registers + offset) : fail();
    }

    private long read(long va) {
      long pa = TableWalk.machineOf(cpu, va);
      return pa < 0 || (va & 7) != 0 ? fail() : cpu.memory.readLong(pa);
    }

    private long fail() {
      failed = true;
      return 0;
    }
  }
}
