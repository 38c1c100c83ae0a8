package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.OperandKind;

/**
 * Near transfers of control. A block ends with each of them, so {@link Cpu#rip} is the address of the next instruction when they start. A
 * target that is not canonical is #GP(0) at the transfer itself (AMD64 APM volume 3, CALL, JMP, Jcc, RET).
 */
final class Control {
  private Control() {}

  /** The target if it may be jumped to: canonical, or inside the code segment's limit. */
  static long checked(Cpu c, long target) {
    boolean allowed = c.mode == CpuMode.LONG64
        ? Mmu.canonical(target)
        : Long.compareUnsigned(target, c.segmentLimit[Instruction.CS] & 0xffff_ffffL) <= 0;
    if (!allowed) {
      throw c.fault(Fault.GP, 0);
    }
    return target;
  }

  private static void jump(Cpu c, Instruction i) {
    c.rip = checked(c, i.target());
  }

  /** A relative jump with an operand size of 64 bits. */
  private static void jump64(Cpu c, long displacement) {
    long target = c.rip + displacement;
    if (target << 16 >> 16 != target) {
      throw c.fault(Fault.GP, 0);
    }
    c.rip = target;
  }

  // ---- Jumps ----

  static Op jcc(Instruction i) {
    if (i.width != 8) {
      return (c, n) -> {
        if (c.condition(n.condition)) {
          jump(c, n);
        }
      };
    }
    long displacement = i.imm;
    int condition = i.condition;
    return switch (i.condition) {
      case 2 -> (c, n) -> {
        if (c.cf()) {
          jump64(c, displacement);
        }
      };
      case 3 -> (c, n) -> {
        if (!c.cf()) {
          jump64(c, displacement);
        }
      };
      case 4 -> (c, n) -> {
        if (c.zf()) {
          jump64(c, displacement);
        }
      };
      case 5 -> (c, n) -> {
        if (!c.zf()) {
          jump64(c, displacement);
        }
      };
      case 6 -> (c, n) -> {
        if (c.cf() || c.zf()) {
          jump64(c, displacement);
        }
      };
      case 7 -> (c, n) -> {
        if (!c.cf() && !c.zf()) {
          jump64(c, displacement);
        }
      };
      case 8 -> (c, n) -> {
        if (c.sf()) {
          jump64(c, displacement);
        }
      };
      case 9 -> (c, n) -> {
        if (!c.sf()) {
          jump64(c, displacement);
        }
      };
      case 12 -> (c, n) -> {
        if (c.sf() != c.of()) {
          jump64(c, displacement);
        }
      };
      case 13 -> (c, n) -> {
        if (c.sf() == c.of()) {
          jump64(c, displacement);
        }
      };
      case 14 -> (c, n) -> {
        if (c.zf() || c.sf() != c.of()) {
          jump64(c, displacement);
        }
      };
      case 15 -> (c, n) -> {
        if (!c.zf() && c.sf() == c.of()) {
          jump64(c, displacement);
        }
      };
      default -> (c, n) -> {
        if (c.condition(condition)) {
          jump64(c, displacement);
        }
      };
    };
  }

  static Op jmp(Instruction i) {
    long displacement = i.imm;
    int register = i.reg0;
    if (i.kind0 == OperandKind.REL) {
      return i.width == 8 ? (c, n) -> jump64(c, displacement) : Control::jump;
    }
    if (i.width == 8 && i.kind0 == OperandKind.GPR) {
      return (c, n) -> c.rip = checked(c, c.r[register]);
    }
    return (c, n) -> c.rip = checked(c, Operands.read0(c, n));
  }

  // ---- Calls and returns ----

  static Op call(Instruction i) {
    long displacement = i.imm;
    if (i.width == 8 && i.kind0 == OperandKind.REL) {
      return (c, n) -> {
        long next = c.rip;
        long sp = c.r[Cpu.RSP] - 8;
        long target = checked(c, next + displacement);
        c.mmu.write64(sp, next);
        c.r[Cpu.RSP] = sp;
        c.rip = target;
      };
    }
    return (c, n) -> {
      long wanted = n.kind0 == OperandKind.REL ? n.target() : Operands.read0(c, n);
      if (!Mmu.canonical(wanted)) {
        // The stack's fault comes before the target's.
        c.mmu.checkWritable(Stack.address(c, Stack.pointer(c, -n.width), n.width, true), n.width);
      }
      long target = checked(c, wanted);
      Stack.push(c, n.width, c.rip);
      c.rip = target;
    };
  }

  static Op ret(Instruction i) {
    if (i.width == 8 && i.kind0 == OperandKind.NONE) {
      return (c, n) -> {
        long sp = c.r[Cpu.RSP];
        c.rip = checked(c, c.mmu.read64(sp));
        c.r[Cpu.RSP] = sp + 8;
      };
    }
    return (c, n) -> {
      c.rip = checked(c, Stack.peek(c, 0, n.width));
      Stack.adjust(c, n.width + (n.kind0 == OperandKind.IMM ? n.imm & 0xffff : 0));
    };
  }

  // ---- Loops: the counter is rcx, ecx or cx by the address size ----

  private static long counter(Cpu c, Instruction i) {
    return c.r[Cpu.RCX] & -1L >>> Operands.shift(i.addressWidth);
  }

  private static void loop(Cpu c, Instruction i, boolean condition) {
    long count = counter(c, i) - 1 & -1L >>> Operands.shift(i.addressWidth);
    if (count != 0 && condition) {
      jump(c, i);
    }
    Operands.setRegister(c, Cpu.RCX, i.addressWidth, count);
  }

  static void loop(Cpu c, Instruction i) {
    loop(c, i, true);
  }

  static void loope(Cpu c, Instruction i) {
    loop(c, i, c.zf());
  }

  static void loopne(Cpu c, Instruction i) {
    loop(c, i, !c.zf());
  }

  static void jrcxz(Cpu c, Instruction i) {
    if (counter(c, i) == 0) {
      jump(c, i);
    }
  }
}
