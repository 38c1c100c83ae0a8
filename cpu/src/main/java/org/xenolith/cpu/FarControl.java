package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/** Far transfers that keep the privilege level: JMP, CALL, RET, IRET through code segments (AMD64 APM volume 2, section 4.7 and 8.9). */
final class FarControl {
  private FarControl() {}

  /**
   * Bytes of a far pointer's offset: AMD's processors have no pointers of 64 bits and ignore REX.W (AMD64 APM volume 3, CALL and JMP far).
   */
  private static int offsetWidth(Instruction i) {
    return Math.min(i.width, 4);
  }

  private static int selector(Cpu c, Instruction i) {
    return i.kind0 == OperandKind.FAR ? (int) i.imm2 : c.mmu.read16(c.ea(i) + offsetWidth(i));
  }

  private static long offset(Cpu c, Instruction i) {
    return i.kind0 == OperandKind.FAR ? i.imm : c.mmu.read(c.ea(i), offsetWidth(i));
  }

  /** The target if the new code segment admits it. */
  private static long target(Cpu c, long offset, long descriptor) {
    boolean to64 = (c.efer & Cpu.EFER_LMA) != 0 && (Segments.access(descriptor) & Cpu.ACCESS_L) != 0;
    boolean allowed = to64 ? Mmu.canonical(offset) : offset >>> 32 == 0 && offset <= (Segments.limit(descriptor) & 0xffff_ffffL);
    if (!allowed) {
      throw c.fault(Fault.GP, 0);
    }
    return offset;
  }

  private static void enter(Cpu c, int selector, long descriptor, long target) {
    Segments.set(c, Instruction.CS, selector, descriptor);
    c.rip = target;
    c.refresh();
  }

  static void jmp(Cpu c, Instruction i) {
    int selector = selector(c, i);
    long offset = offset(c, i);
    long descriptor = Segments.codeDescriptor(c, selector, false);
    enter(c, selector & ~3 | c.cpl, descriptor, target(c, offset, descriptor));
  }

  static void call(Cpu c, Instruction i) {
    int selector = selector(c, i);
    long offset = offset(c, i);
    long descriptor = Segments.codeDescriptor(c, selector, false);
    long target = target(c, offset, descriptor);
    int width = offsetWidth(i);
    long pointer = Stack.pointer(c, -2L * width);
    c.mmu.checkWritable(Stack.address(c, pointer, 2 * width, true), 2 * width);
    Stack.push(c, width, c.selector[Instruction.CS]);
    Stack.push(c, width, c.rip);
    enter(c, selector & ~3 | c.cpl, descriptor, target);
  }

  static void ret(Cpu c, Instruction i) {
    int width = i.width;
    long offset = Stack.peek(c, 0, width);
    int selector = (int) Stack.peek(c, width, width) & 0xffff;
    returnTo(c, selector, "RETF");
    long descriptor = Segments.codeDescriptor(c, selector, true);
    long target = target(c, offset, descriptor);
    Stack.adjust(c, 2L * width + (i.kind0 == OperandKind.IMM ? i.imm & 0xffff : 0));
    enter(c, selector, descriptor, target);
  }

  private static void returnTo(Cpu c, int selector, String what) {
    if ((selector & 3) < c.cpl) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    if (!Segments.isNull(selector) && (selector & 3) > c.cpl) {
      throw c.unimplemented(what + " to privilege level " + (selector & 3) + " from " + c.cpl);
    }
  }

  /** In 64-bit mode RSP and SS always come from the frame; outside of it only when the privilege changes. */
  static void iret(Cpu c, Instruction i) {
    if ((c.eflags & Cpu.NT) != 0) {
      // A task return, which long mode does not have.
      throw c.fault(Fault.GP, 0);
    }
    int width = i.width;
    long offset = Stack.peek(c, 0, width);
    int selector = (int) Stack.peek(c, width, width) & 0xffff;
    long flags = Stack.peek(c, 2 * width, width);
    boolean from64 = c.mode == CpuMode.LONG64;
    long stack = from64 ? Stack.peek(c, 3 * width, width) : 0;
    int stackSelector = from64 ? (int) Stack.peek(c, 4 * width, width) & 0xffff : 0;
    returnTo(c, selector, "IRET");
    long descriptor = Segments.codeDescriptor(c, selector, true);
    boolean to64 = (Segments.access(descriptor) & Cpu.ACCESS_L) != 0;
    long target = target(c, offset, descriptor);
    if (from64) {
      if (Segments.isNull(stackSelector)) {
        if (!to64 || c.cpl == 3 || (stackSelector & 3) != c.cpl) {
          throw c.fault(Fault.GP, 0);
        }
        Segments.setNull(c, Instruction.SS, stackSelector);
      } else {
        long stackDescriptor = Segments.stackDescriptor(c, stackSelector, selector & 3, Fault.GP);
        Segments.set(c, Instruction.SS, stackSelector, stackDescriptor);
      }
      Operands.setRegister(c, Cpu.RSP, to64 ? 8 : width, stack);
    } else {
      Stack.adjust(c, 3L * width);
    }
    enter(c, selector, descriptor, target);
    Stack.setFlags(c, flags, width);
    if (width > 2 && (flags & Cpu.RF) != 0) {
      c.setRflags(c.rflags() | Cpu.RF);
    }
  }
}
