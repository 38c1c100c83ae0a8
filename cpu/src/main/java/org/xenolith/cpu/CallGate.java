package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** Far JMP and CALL through system descriptors (AMD64 APM volume 2, section 4.11.2; in long mode 4.8.3). */
final class CallGate {
  private static final int GATE16 = 4, TASK_GATE = 5, GATE = 12;

  private CallGate() {}

  /**
   * Goes through what a selector names.
   *
   * @param descriptor of the gate
   * @param call whether it is a CALL; RIP is behind the instruction
   */
  static void enter(Cpu c, int selector, long descriptor, boolean call) {
    int access = Segments.access(descriptor);
    int type = access & 0xf;
    boolean task = !c.longMode() && (type == TASK_GATE || type == SystemTables.TSS16 || type == SystemTables.TSS32);
    boolean gate = type == GATE || type == GATE16 && !c.longMode();
    if (!gate && !task || Segments.dpl(access) < c.cpl || Segments.dpl(access) < (selector & 3)) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    if ((access & Segments.PRESENT) == 0) {
      throw c.fault(Fault.NP, selector & 0xfffc);
    }
    if (task) {
      throw c.unimplemented("task switch by selector 0x" + Integer.toHexString(selector));
    }
    long offset = descriptor & 0xffff | (type == GATE16 ? 0 : descriptor >>> 32 & 0xffff_0000L);
    if (c.longMode()) {
      offset |= Segments.upper(c, selector) << 32;
    }
    int target = (int) (descriptor >>> 16) & 0xffff;
    long code = Segments.targetDescriptor(c, target);
    int level = check(c, target, Segments.access(code), call);
    boolean reachable = c.longMode() ? Mmu.canonical(offset) : offset <= (Segments.limit(code) & 0xffff_ffffL);
    if (!reachable) {
      throw c.fault(Fault.GP, 0);
    }
    Segments.touch(c, target, code);
    if (call) {
      push(c, level, type == GATE16 ? 2 : 4, (int) (descriptor >>> 32) & 31);
    }
    Segments.put(c, Instruction.CS, target & ~3 | level, code);
    c.rip = offset;
    c.refresh();
  }

  /** Checks the code segment; the privilege level after the transfer. Only a call gets to an inner one. */
  private static int check(Cpu c, int selector, int access, boolean call) {
    boolean conforming = (access & Segments.CONFORMING) != 0;
    int dpl = Segments.dpl(access);
    boolean long64 = (access & (Cpu.ACCESS_L | Cpu.ACCESS_D)) == Cpu.ACCESS_L;
    if (!Segments.isCode(access) || (call || conforming ? dpl > c.cpl : dpl != c.cpl) || c.longMode() && !long64) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    if ((access & Segments.PRESENT) == 0) {
      throw c.fault(Fault.NP, selector & 0xfffc);
    }
    return conforming ? c.cpl : dpl;
  }

  private static void push(Cpu c, int level, int width, int parameters) {
    FrameStack stack = c.delivery.stack;
    stack.begin();
    try {
      boolean inner = level < c.cpl;
      if (c.longMode()) {
        pushLong(c, stack, level, inner);
      } else {
        pushLegacy(c, stack, level, inner, width, parameters);
      }
    } catch (Fault f) {
      stack.restore();
      throw f;
    }
  }

  private static void pushLong(Cpu c, FrameStack stack, int level, boolean inner) {
    long pointer = c.r[Cpu.RSP];
    if (inner) {
      pointer = stack.pointerOfLevel(level);
      stack.enter(level);
      stack.add(stack.oldSelector());
      stack.add(stack.oldPointer());
    } else if (c.mode != CpuMode.LONG64) {
      pointer &= 0xffff_ffffL;
    }
    addReturn(c, stack);
    stack.write64(pointer);
  }

  private static void pushLegacy(Cpu c, FrameStack stack, int level, boolean inner, int width, int parameters) {
    if (inner) {
      stack.add(stack.oldSelector());
      stack.add(stack.oldPointer());
      for (int k = parameters - 1; k >= 0; k--) {
        stack.add(Stack.peek(c, k * width, width));
      }
      stack.enterLegacy(level);
    }
    addReturn(c, stack);
    stack.write(width);
  }

  private static void addReturn(Cpu c, FrameStack stack) {
    stack.add(c.selector[Instruction.CS]);
    stack.add(c.rip);
  }
}
