package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/**
 * The way of an event through the interrupt descriptor table: in long mode (AMD64 APM volume 2, section 8.9), legacy protected mode (8.7),
 * real mode (8.6). It either goes all the way or faults with nothing changed but what {@link FrameStack#restore} undoes.
 */
final class InterruptGate {
  /** Types of gates: those of interrupts and traps with 32 bits, which long mode has with 64, and with 16 bits. */
  private static final int TASK = 5, INTERRUPT16 = 6, TRAP16 = 7, INTERRUPT = 14, TRAP = 15;

  /** Error codes that name an entry of the interrupt descriptor table. */
  private static final int IDT = 2;

  private final Cpu c;
  private final FrameStack stack;

  InterruptGate(Cpu c, FrameStack stack) {
    this.c = c;
    this.stack = stack;
  }

  /**
   * Enters the handler of a vector.
   *
   * @param software whether the gate's privilege level must admit the current one
   * @param errorCode what to push, or {@link Fault#NO_ERROR_CODE}
   * @param rip where the handler returns to
   * @param flags RFLAGS for the frame
   */
  void enter(int vector, boolean software, int errorCode, long rip, long flags) {
    if (!c.protectedMode()) {
      enterReal(vector, rip, flags);
    } else if (c.longMode()) {
      enterLong(vector, software, errorCode, rip, flags);
    } else {
      enterLegacy(vector, software, errorCode, rip, flags);
    }
  }

  private static int access(long gate) {
    return (int) (gate >>> 40) & 0xff;
  }

  private static int target(long gate) {
    return (int) (gate >>> 16) & 0xffff;
  }

  /** The descriptor of the handler's code segment. */
  private long codeDescriptor(int selector) {
    if (Segments.isNull(selector)) {
      throw c.fault(Fault.GP, 0);
    }
    long descriptor = Segments.descriptor(c, selector, Fault.GP);
    int access = Segments.access(descriptor);
    boolean long64 = (access & (Cpu.ACCESS_L | Cpu.ACCESS_D)) == Cpu.ACCESS_L;
    if (!Segments.isCode(access) || Segments.dpl(access) > c.cpl || c.longMode() && !long64) {
      throw c.fault(Fault.GP, selector & 0xfffc);
    }
    if ((access & Segments.PRESENT) == 0) {
      throw c.fault(Fault.NP, selector & 0xfffc);
    }
    return descriptor;
  }

  /** The privilege level of the handler. */
  private int level(long descriptor) {
    int access = Segments.access(descriptor);
    return (access & Segments.CONFORMING) != 0 ? c.cpl : Segments.dpl(access);
  }

  private void check(int access, boolean software, int code) {
    if (software && Segments.dpl(access) < c.cpl) {
      throw c.fault(Fault.GP, code);
    }
    if ((access & Segments.PRESENT) == 0) {
      throw c.fault(Fault.NP, code);
    }
  }

  private void finish(int selector, long descriptor, long target, boolean maskInterrupts) {
    Segments.put(c, Instruction.CS, selector & ~3 | c.cpl, descriptor);
    c.rip = target;
    c.eflags &= ~(Cpu.TF | Cpu.NT | Cpu.RF | Cpu.VM | (maskInterrupts ? Cpu.IF : 0));
    c.refresh();
  }

  // ---- Long mode ----

  private void enterLong(int vector, boolean software, int errorCode, long rip, long flags) {
    int code = vector << 3 | IDT;
    if ((vector << 4 | 15) > c.idtLimit) {
      throw c.fault(Fault.GP, code);
    }
    long gate = SystemAccess.read(c, c.idtBase + (vector << 4), 8);
    int access = access(gate);
    int type = access & 0x1f;
    if (type != INTERRUPT && type != TRAP) {
      throw c.fault(Fault.GP, code);
    }
    check(access, software, code);
    long target = gate & 0xffff | gate >>> 32 & 0xffff_0000L | SystemAccess.read(c, c.idtBase + (vector << 4) + 8, 8) << 32;
    int selector = target(gate);
    long descriptor = codeDescriptor(selector);
    if (!Mmu.canonical(target)) {
      throw c.fault(Fault.GP, 0);
    }
    int ist = (int) (gate >>> 32) & 7;
    int level = level(descriptor);
    long pointer = ist != 0 ? stack.pointerOfIst(ist) : level < c.cpl ? stack.pointerOfLevel(level) : c.r[Cpu.RSP];
    if (level < c.cpl) {
      stack.enter(level);
    }
    Segments.touch(c, selector, descriptor);
    stack.add(stack.oldSelector());
    stack.add(stack.oldPointer());
    addReturn(errorCode, rip, flags);
    stack.write64(pointer & ~15);
    finish(selector, descriptor, target, type == INTERRUPT);
  }

  private void addReturn(int errorCode, long rip, long flags) {
    stack.add(flags);
    stack.add(c.selector[Instruction.CS]);
    stack.add(rip);
    if (errorCode != Fault.NO_ERROR_CODE) {
      stack.add(errorCode);
    }
  }

  // ---- Legacy protected mode ----

  private void enterLegacy(int vector, boolean software, int errorCode, long rip, long flags) {
    int code = vector << 3 | IDT;
    if ((vector << 3 | 7) > c.idtLimit) {
      throw c.fault(Fault.GP, code);
    }
    long gate = SystemAccess.read(c, c.idtBase + (vector << 3) & 0xffff_ffffL, 8);
    int access = access(gate);
    int type = access & 0x1f;
    boolean wide = type == INTERRUPT || type == TRAP;
    if (!wide && type != INTERRUPT16 && type != TRAP16 && type != TASK) {
      throw c.fault(Fault.GP, code);
    }
    check(access, software, code);
    if (type == TASK) {
      throw c.unimplemented("task gate of vector " + vector);
    }
    int selector = target(gate);
    long descriptor = codeDescriptor(selector);
    long target = wide ? gate & 0xffff | gate >>> 32 & 0xffff_0000L : gate & 0xffff;
    if (target > (Segments.limit(descriptor) & 0xffff_ffffL)) {
      throw c.fault(Fault.GP, 0);
    }
    int level = level(descriptor);
    if (level < c.cpl) {
      stack.enterLegacy(level);
      stack.add(stack.oldSelector());
      stack.add(stack.oldPointer());
    }
    Segments.touch(c, selector, descriptor);
    addReturn(errorCode, rip, flags);
    stack.write(wide ? 4 : 2);
    finish(selector, descriptor, target, type == INTERRUPT || type == INTERRUPT16);
  }

  // ---- Real mode: the table holds far pointers, error codes are not pushed ----

  private void enterReal(int vector, long rip, long flags) {
    if ((vector << 2 | 3) > c.idtLimit) {
      throw c.fault(Fault.GP, vector << 3 | IDT);
    }
    int pointer = (int) SystemAccess.read(c, c.idtBase + (vector << 2), 4);
    addReturn(Fault.NO_ERROR_CODE, rip, flags);
    stack.write(2);
    Segments.setReal(c, Instruction.CS, pointer >>> 16);
    c.rip = pointer & 0xffff;
    c.eflags &= ~(Cpu.TF | Cpu.IF | Cpu.RF | Cpu.AC);
    c.refresh();
  }
}
