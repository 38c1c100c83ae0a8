package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Far transfers: JMP, CALL, RET, IRET (AMD64 APM volume 2, section 4.11; volume 3). */
final class FarControl {
  private FarControl() {}

  /**
   * Bytes of a far pointer's offset: AMD's processors have no pointers of 64 bits and ignore REX.W (AMD64 APM volume 3, CALL and JMP far).
   */
  private static int offsetWidth(Instruction i) {
    return Math.min(i.width, 4);
  }

  private static int selector(Cpu c, Instruction i) {
    return i.kind0 == OperandKind.FAR ? i.imm2 : c.mmu.read16(c.ea(i, offsetWidth(i)));
  }

  private static long offset(Cpu c, Instruction i) {
    return i.kind0 == OperandKind.FAR ? i.imm : c.mmu.read(c.ea(i), offsetWidth(i));
  }

  private static boolean is64(Cpu c, long descriptor) {
    return c.longMode() && (Segments.access(descriptor) & Cpu.ACCESS_L) != 0;
  }

  /** The target if the new code segment admits it. */
  private static long target(Cpu c, long offset, long descriptor) {
    boolean allowed = is64(c, descriptor)
        ? Mmu.canonical(offset)
        : offset >>> 32 == 0 && offset <= (Segments.limit(descriptor) & 0xffff_ffffL);
    if (!allowed) {
      throw c.fault(Fault.GP, 0);
    }
    return offset;
  }

  private static void enter(Cpu c, int selector, long descriptor, long target) {
    Segments.put(c, Instruction.CS, selector, descriptor);
    c.rip = target;
    c.refresh();
  }

  /** In real mode the limit of CS stays what it is. */
  private static long realTarget(Cpu c, long offset) {
    if (offset > (c.segmentLimit[Instruction.CS] & 0xffff_ffffL)) {
      throw c.fault(Fault.GP, 0);
    }
    return offset;
  }

  private static void enterReal(Cpu c, int selector, long target) {
    Segments.setReal(c, Instruction.CS, selector);
    c.rip = target;
    c.refresh();
  }

  // ---- JMP and CALL ----

  static void jmp(Cpu c, Instruction i) {
    int selector = selector(c, i);
    long offset = offset(c, i);
    if (!c.protectedMode()) {
      enterReal(c, selector, realTarget(c, offset));
      return;
    }
    long descriptor = Segments.targetDescriptor(c, selector);
    int access = Segments.access(descriptor);
    if ((access & Segments.NOT_SYSTEM) == 0) {
      CallGate.enter(c, selector, descriptor, false);
      return;
    }
    Segments.checkCode(c, selector, access);
    long target = target(c, offset, descriptor);
    Segments.touch(c, selector, descriptor);
    enter(c, selector & ~3 | c.cpl, descriptor, target);
  }

  static void call(Cpu c, Instruction i) {
    int selector = selector(c, i);
    long offset = offset(c, i);
    int width = offsetWidth(i);
    if (!c.protectedMode()) {
      long target = realTarget(c, offset);
      push(c, width);
      enterReal(c, selector, target);
      return;
    }
    long descriptor = Segments.targetDescriptor(c, selector);
    int access = Segments.access(descriptor);
    if ((access & Segments.NOT_SYSTEM) == 0) {
      CallGate.enter(c, selector, descriptor, true);
      return;
    }
    Segments.checkCode(c, selector, access);
    long target = target(c, offset, descriptor);
    Segments.touch(c, selector, descriptor);
    push(c, width);
    enter(c, selector & ~3 | c.cpl, descriptor, target);
  }

  private static void push(Cpu c, int width) {
    c.mmu.checkWritable(Stack.address(c, Stack.pointer(c, -2L * width), 2 * width, true), 2 * width);
    Stack.push(c, width, c.selector[Instruction.CS]);
    Stack.push(c, width, c.rip);
  }

  // ---- RET ----

  static void ret(Cpu c, Instruction i) {
    int width = i.width;
    int parameters = i.kind0 == OperandKind.IMM ? (int) i.imm & 0xffff : 0;
    long offset = Stack.peek(c, 0, width);
    int selector = (int) Stack.peek(c, width, width) & 0xffff;
    if (!c.protectedMode()) {
      long target = realTarget(c, offset);
      Stack.adjust(c, 2L * width + parameters);
      enterReal(c, selector, target);
      return;
    }
    long descriptor = Segments.targetDescriptor(c, selector);
    Segments.checkReturn(c, selector, Segments.access(descriptor));
    long target = target(c, offset, descriptor);
    if ((selector & 3) == c.cpl) {
      Segments.touch(c, selector, descriptor);
      Stack.adjust(c, 2L * width + parameters);
      enter(c, selector, descriptor, target);
      return;
    }
    long stack = Stack.peek(c, 2 * width + parameters, width);
    int stackSelector = (int) Stack.peek(c, 3 * width + parameters, width) & 0xffff;
    enter(c, selector, descriptor, target, stackSelector, stack, width);
    Stack.adjust(c, parameters);
  }

  /** Enters code with a stack of its own, at the privilege level of the selector, which may be an outer one. */
  private static void enter(Cpu c, int selector, long descriptor, long target, int stackSelector, long stack, int width) {
    boolean to64 = is64(c, descriptor);
    int level = selector & 3;
    boolean none = Segments.isNull(stackSelector);
    if (none && (!to64 || level == 3 || (stackSelector & 3) != level)) {
      throw c.fault(Fault.GP, 0);
    }
    long stackDescriptor = none ? 0 : Segments.stackDescriptor(c, stackSelector, level, Fault.GP);
    Segments.touch(c, selector, descriptor);
    if (none) {
      Segments.setNull(c, Instruction.SS, stackSelector);
    } else {
      Segments.set(c, Instruction.SS, stackSelector, stackDescriptor);
    }
    Operands.setRegister(c, Cpu.RSP, to64 ? 8 : width, stack);
    if (level != c.cpl) {
      Segments.dropInner(c, level);
      c.cpl = level;
    }
    enter(c, selector, descriptor, target);
  }

  // ---- IRET ----

  /** In 64-bit mode RSP and SS always come from the frame; outside of it only when the privilege changes. */
  static void iret(Cpu c, Instruction i) {
    int width = i.width;
    if (c.protectedMode() && (c.eflags & Cpu.NT) != 0) {
      // A task return, which long mode does not have.
      throw c.longMode() ? c.fault(Fault.GP, 0) : c.unimplemented("task return by IRET");
    }
    long offset = Stack.peek(c, 0, width);
    int selector = (int) Stack.peek(c, width, width) & 0xffff;
    long popped = Stack.peek(c, 2 * width, width);
    long flags = flags(c, popped, width);
    if (!c.protectedMode()) {
      long target = realTarget(c, offset);
      Stack.adjust(c, 3L * width);
      enterReal(c, selector, target);
    } else if (!c.longMode() && c.cpl == 0 && (popped & Cpu.VM) != 0) {
      throw c.unimplemented("virtual 8086 mode");
    } else {
      iret(c, width, offset, selector);
    }
    c.setRflags(flags);
    c.interrupts.endNmi();
  }

  private static void iret(Cpu c, int width, long offset, int selector) {
    boolean from64 = c.mode == CpuMode.LONG64;
    long stack = from64 ? Stack.peek(c, 3 * width, width) : 0;
    int stackSelector = from64 ? (int) Stack.peek(c, 4 * width, width) & 0xffff : 0;
    long descriptor = Segments.targetDescriptor(c, selector);
    Segments.checkReturn(c, selector, Segments.access(descriptor));
    long target = target(c, offset, descriptor);
    boolean outer = (selector & 3) != c.cpl;
    if (!from64 && !outer) {
      Segments.touch(c, selector, descriptor);
      Stack.adjust(c, 3L * width);
      enter(c, selector, descriptor, target);
      return;
    }
    if (!from64) {
      stack = Stack.peek(c, 3 * width, width);
      stackSelector = (int) Stack.peek(c, 4 * width, width) & 0xffff;
    }
    enter(c, selector, descriptor, target, stackSelector, stack, width);
  }

  /** RFLAGS after IRET, by the privilege level before it: as after POPF, with RF, and at level 0 VIF and VIP, from 32 or 64 bits. */
  private static long flags(Cpu c, long popped, int width) {
    long flags = Stack.flags(c, popped, width);
    if (width == 2) {
      return flags;
    }
    long more = c.cpl == 0 ? Cpu.RF | Cpu.VIF | Cpu.VIP : Cpu.RF;
    return flags & ~more | popped & more;
  }
}
