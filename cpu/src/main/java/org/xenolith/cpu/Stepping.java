package org.xenolith.cpu;

import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;

/**
 * Runs blocks in which something is to be seen to between instructions: single steps and instruction breakpoints of the guest's, the code
 * segment's limit, a count of branches, a tracer, a debugger's breakpoints, an instruction that is to be a run of its own.
 */
final class Stepping {
  private final Cpu cpu;

  /** Sees each instruction, or null. */
  Cpu.Tracer tracer;

  /** A debugger's, or null. */
  Breakpoints breakpoints;

  private boolean each, countsBranches, limited;

  Stepping(Cpu cpu) {
    this.cpu = cpu;
  }

  /** Brings up to date what is to be seen to; returns whether there is anything. */
  boolean refresh() {
    countsBranches = cpu.msrs.counters().wantBranches();
    each = tracer != null || cpu.debugging.breaking || cpu.debugging.watching || countsBranches || (cpu.eflags & (Cpu.TF | Cpu.RF)) != 0;
    limited = cpu.mode != CpuMode.LONG64 && cpu.segmentLimit[Instruction.CS] != -1;
    return each || limited || breakpoints != null && breakpoints.any();
  }

  /** Whether each instruction is to be a run of its own, as of the last {@link #refresh}. */
  boolean each() {
    return each;
  }

  /** Runs the first {@code n} instructions of a block, or fewer. */
  void run(Block b, int n) {
    Instruction first = b.instructions[0];
    long limit = limited ? cpu.segmentLimit[Instruction.CS] & 0xffff_ffffL : -1L >>> 1;
    if (limited && first.address + first.length - 1 > limit) {
      throw cpu.fault(Fault.GP, 0);
    }
    if (each || cpu.interrupts.shadow != Interrupts.NO_SHADOW || cpu.aloneNext) {
      // An instruction that begins anew was asked for before.
      boolean asks = breakpoints != null && !cpu.aloneNext;
      cpu.aloneNext = false;
      step(b, asks);
      return;
    }
    int most = limited && b.va + b.length - 1 > limit ? 1 : n;
    if (breakpoints != null && breakpoints.inside(cpu.codeAddress(b.va), b.length)) {
      runAsking(b, most);
    } else {
      cpu.runBlock(b, most);
    }
  }

  /** Like {@link Cpu#runBlock}, asking a debugger before the instructions that it wants. */
  private void runAsking(Block b, int n) {
    Op[] ops = b.ops;
    Instruction[] instructions = b.instructions;
    cpu.alone = n == 1;
    int k = 0;
    try {
      while (k < n) {
        if (stopsAt(instructions[k]) && changedAtStop(instructions[k], k)) {
          return;
        }
        cpu.rip = b.next;
        ops[k].execute(cpu, instructions[k]);
        k++;
        if (cpu.stop) {
          break;
        }
      }
    } catch (Fault f) {
      cpu.clock.now += k;
      cpu.retired += k;
      cpu.faulted(f, instructions[k]);
      throw f;
    }
    cpu.clock.now += k;
    cpu.retired += k;
    if (k < ops.length) {
      cpu.rip = instructions[k].address;
    }
  }

  private boolean stopsAt(Instruction i) {
    return breakpoints.stopsAt(cpu.codeAddress(i.address));
  }

  /**
   * Lets a debugger look before an instruction, with {@code done} of its block behind it.
   *
   * @return whether it changed anything: then all is counted, and the next instruction is to be looked up
   */
  private boolean changedAtStop(Instruction i, int done) {
    cpu.clock.now += done;
    cpu.retired += done;
    cpu.rip = i.address;
    boolean changed = breakpoints.ask(cpu);
    if (changed) {
      cpu.refresh();
      cpu.lookAround();
    } else {
      cpu.clock.now -= done;
      cpu.retired -= done;
    }
    return changed;
  }

  private void step(Block b, boolean asks) {
    Debugging debugging = cpu.debugging;
    Instruction i = b.instructions[0];
    boolean resumed = (cpu.eflags & Cpu.RF) != 0;
    if (debugging.breaking && !resumed && cpu.unfinished != i.address) {
      // AMD's processors do so behind MOV SS, too (Linux, kvm_is_code_breakpoint_inhibited).
      int hits = debugging.atInstruction(cpu.codeAddress(i.address));
      if (hits != 0) {
        cpu.interrupts.shadow = Interrupts.NO_SHADOW;
        cpu.leave(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, hits));
        return;
      }
    }
    if (asks && stopsAt(i) && changedAtStop(i, 0)) {
      return;
    }
    if (tracer != null) {
      tracer.before(cpu, i);
    }
    boolean single = (cpu.eflags & Cpu.TF) != 0;
    boolean inUserMode = cpu.userMode;
    int held = cpu.interrupts.shadow;
    cpu.interrupts.shadow = Interrupts.NO_SHADOW;
    cpu.runBlock(b, 1);
    if (countsBranches) {
      cpu.msrs.counters().retired(i, inUserMode);
    }
    if (resumed && i.mnemonic != Mnemonic.IRET) {
      cpu.eflags &= ~Cpu.RF;
    }
    if (resumed || held != Interrupts.NO_SHADOW) {
      cpu.refreshStepping();
    }
    if (single && cpu.exit == null && trapsByFlagBefore(i)) {
      debugging.trap(Debugging.BS);
    }
    if (cpu.interrupts.shadow == Interrupts.OF_STACK) {
      debugging.hold();
    } else if (held != Interrupts.NO_SHADOW) {
      cpu.exit = debugging.release(cpu.exit);
      cpu.lookAround();
    }
  }

  /** Whether TF before an instruction decides about the trap behind it; of system calls and returns it is TF behind. */
  private static boolean trapsByFlagBefore(Instruction i) {
    return i.mnemonic != Mnemonic.SYSCALL && i.mnemonic != Mnemonic.SYSRET;
  }
}
