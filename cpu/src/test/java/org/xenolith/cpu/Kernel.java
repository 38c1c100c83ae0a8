package org.xenolith.cpu;

import org.xenolith.isa.Instruction;

/**
 * A {@link Machine} whose processor owns privilege level 0, with descriptor tables, a task state segment and an interrupt descriptor table
 * in memory. Handlers are where {@link #handler} says and empty: their bytes are HLT.
 */
final class Kernel {
  static final long GDT = 0x8000, IDT = 0x9000, TSS = 0xa000, LDT = 0xb000, HANDLERS = 0x10000;

  /** Selectors: 64-bit, 32-bit and 16-bit code of level 0, data, the same of level 3, the task state segment, the local table. */
  static final int CODE64 = 0x10, CODE32 = 0x18, DATA = 0x20, CODE16 = 0x28, DATA16 = 0x30;

  static final int USER32 = 0x43, USER_DATA = 0x4b, USER64 = 0x53, TASK = 0x60, LOCAL = 0x70, FREE = 0x80;

  /** Stacks of level 0: RSP0, and of IST 1. */
  static final long STACK0 = 0x31_0000, IST1 = 0x32_0000;

  final Machine machine = new Machine();
  final Cpu cpu = machine.cpu;
  final GuestMemory memory = machine.memory;

  Kernel() {
    cpu.ownsRing0 = true;
    descriptor(CODE64, 0x00af_9b00_0000_ffffL);
    descriptor(CODE32, 0x00cf_9b00_0000_ffffL);
    descriptor(DATA, 0x00cf_9300_0000_ffffL);
    descriptor(CODE16, 0x0000_9b00_0000_ffffL);
    descriptor(DATA16, 0x0000_9300_0000_ffffL);
    descriptor(USER32, 0x00cf_fb00_0000_ffffL);
    descriptor(USER_DATA, 0x00cf_f300_0000_ffffL);
    descriptor(USER64, 0x00af_fb00_0000_ffffL);
    system(TASK, 9, TSS, 0x67);
    system(LOCAL, 2, LDT, 0xff);
    cpu.gdtBase = GDT;
    cpu.gdtLimit = 0xfff;
    cpu.idtBase = IDT;
    cpu.idtLimit = 0xfff;
    cpu.taskSelector = TASK;
    cpu.taskBase = TSS;
    cpu.taskLimit = 0x67;
    cpu.taskAccess = 0x8b;
    memory.writeLong(TSS + 4, STACK0);
    memory.writeLong(TSS + 0x24, IST1);
    for (int vector = 0; vector < 256; vector++) {
      gate(vector, 14, 0, 0);
      memory.writeByte(handler(vector), (byte) 0xf4);
    }
    for (long at = 0; at < 0x40_0000; at += 0x1000) {
      if (at < Machine.CODE) {
        machine.map(at, at | Machine.FLAGS & ~Mmu.USER);
      }
    }
    for (long at = STACK0 - 0x1000; at <= IST1; at += 0x1000) {
      machine.map(at, at | Machine.FLAGS & ~Mmu.USER);
    }
    level(0);
  }

  static long handler(int vector) {
    return HANDLERS + 16 * vector;
  }

  Kernel descriptor(int selector, long descriptor) {
    memory.writeLong(GDT + (selector & ~7), descriptor);
    return this;
  }

  /** A system descriptor of 16 bytes, level 0, present. */
  Kernel system(int selector, int type, long base, int limit) {
    descriptor(selector, limit | (base & 0xff_ffff) << 16 | (0x80L | type) << 40 | (base & 0xff00_0000L) << 32);
    return descriptor(selector + 8, base >>> 32);
  }

  /** A 64-bit gate to {@link #handler}: type 14 masks interrupts, 15 does not. */
  Kernel gate(int vector, int type, int dpl, int ist) {
    return gate(IDT + 16 * vector, type, dpl, ist, CODE64, handler(vector));
  }

  /** A 64-bit gate anywhere. */
  Kernel gate(long at, int type, int dpl, int ist, int selector, long target) {
    long rights = 0x80L | dpl << 5 | type;
    memory.writeLong(at, target & 0xffff | (long) selector << 16 | (long) ist << 32 | rights << 40 | (target & 0xffff_0000L) << 32);
    memory.writeLong(at + 8, target >>> 32);
    return this;
  }

  /** A legacy gate to {@link #handler}. */
  Kernel gate32(int vector, int type, int dpl, int selector) {
    long target = handler(vector);
    long rights = 0x80L | dpl << 5 | type;
    memory.writeLong(IDT + 8 * vector, target & 0xffff | (long) selector << 16 | rights << 40 | (target & 0xffff_0000L) << 32);
    return this;
  }

  /** 64-bit code at a privilege level. */
  Kernel level(int level) {
    return segments(level == 0 ? CODE64 : USER64, level == 0 ? DATA : USER_DATA);
  }

  /** The segments of selectors, at the privilege level of CS. */
  Kernel segments(int code, int data) {
    cpu.cpl = code & 3;
    Segments.put(cpu, Instruction.CS, code, memory.readLong(GDT + (code & ~7)));
    for (int s : new int[] {Instruction.SS, Instruction.DS, Instruction.ES}) {
      Segments.put(cpu, s, data, memory.readLong(GDT + (data & ~7)));
    }
    cpu.refresh();
    return this;
  }

  /** Legacy protected mode, flat, with the same pages by tables of the same format; descriptors of 8 bytes. */
  Kernel legacy(int level) {
    cpu.efer &= ~(Cpu.EFER_LME | Cpu.EFER_LMA);
    cpu.cr0 &= ~Cpu.CR0_PG;
    return segments(level == 0 ? CODE32 : USER32, level == 0 ? DATA : USER_DATA);
  }

  /** Real mode with all segments at 0. */
  Kernel real() {
    legacy(0);
    cpu.cr0 &= ~(Cpu.CR0_PG | Cpu.CR0_PE);
    for (int s = 0; s < 6; s++) {
      Segments.setReal(cpu, s, 0);
      cpu.segmentLimit[s] = 0xffff;
      cpu.segmentAccess[s] = s == Instruction.CS ? Segments.REAL_CODE : Segments.REAL_DATA;
    }
    cpu.idtBase = 0;
    cpu.idtLimit = 0x3ff;
    cpu.refresh();
    return this;
  }

  /** The quadword so many above the top of the stack. */
  long stack(int n) {
    return memory.readLong(cpu.r[Cpu.RSP] + 8L * n);
  }

  /** The doubleword so many above the top of the stack. */
  int stack32(int n) {
    return memory.readInt(cpu.r[Cpu.RSP] + 4L * n);
  }

  /** Puts quadwords on the stack, the first on top. */
  Kernel push(long... words) {
    cpu.r[Cpu.RSP] -= 8L * words.length;
    for (int n = 0; n < words.length; n++) {
      memory.writeLong(cpu.r[Cpu.RSP] + 8L * n, words[n]);
    }
    return this;
  }

  /** Puts doublewords on the stack, the first on top. */
  Kernel push32(int... words) {
    cpu.r[Cpu.RSP] -= 4L * words.length;
    for (int n = 0; n < words.length; n++) {
      memory.writeInt(cpu.r[Cpu.RSP] + 4L * n, words[n]);
    }
    return this;
  }

  Kernel code(String hex) {
    machine.code(hex);
    return this;
  }

  /** Runs until an exit and delivers it; whether the processor is alive. */
  boolean deliver() {
    return deliver(machine.run(1000));
  }

  boolean deliver(Exit exit) {
    return switch (exit) {
      case Exit.Exception e -> cpu.delivery.exception(e.vector(), e.errorCode(), e.address());
      case Exit.SoftwareInterrupt i -> cpu.delivery.software(i.vector(), i.length());
      case Exit.NonMaskable n -> cpu.delivery.nmi();
      case Exit.Interrupt i -> cpu.delivery.interrupt(0x40);
      default -> throw new AssertionError(exit + " at 0x" + Long.toHexString(cpu.rip));
    };
  }
}
