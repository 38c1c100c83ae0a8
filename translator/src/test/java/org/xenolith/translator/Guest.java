package org.xenolith.translator;

import java.lang.foreign.Arena;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.Instruction;

/**
 * A processor in long mode at privilege level 3 on four megabytes, each linear address mapped to the machine address of the same number,
 * but for those from {@link #DATA} on: there the pages behind the first are in another order.
 */
final class Guest {
  static final long CODE = 0x10_0000, DATA = 0x20_0000, STACK = 0x30_0000;
  private static final int FRAMES = 1024;
  private static final long FLAGS = 0x67;

  final GuestMemory memory = new GuestMemory(Arena.ofAuto().allocate((long) FRAMES * GuestMemory.FRAME_SIZE, GuestMemory.FRAME_SIZE));
  final CodeCache code = new CodeCache(memory);
  final Clock clock = new Clock();
  final Cpu cpu = new Cpu(new AmdModel(), memory, code, Bus.EMPTY, clock);
  final Translator translator;

  /** Where the first page of the code is. */
  private long codeFrame = CODE;

  /**
   * @param earned so often a block is asked for before it is translated; 0 for the interpreter
   */
  Guest(int earned) {
    memory.writeLong(0x1000, 0x2000 | FLAGS);
    memory.writeLong(0x2000, 0x3000 | FLAGS);
    for (int n = 0; n < 2; n++) {
      memory.writeLong(0x3000 + 8 * n, 0x4000 + 0x1000 * n | FLAGS);
    }
    for (int n = 0; n < FRAMES; n++) {
      memory.writeLong(0x4000 + 8L * n, (long) frame(n) << 12 | FLAGS);
    }
    cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_WP | Cpu.CR0_PG | Cpu.CR0_NE | Cpu.CR0_MP | Cpu.CR0_AM;
    cpu.cr3 = 0x1000;
    cpu.cr4 = Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT | 0x20;
    cpu.efer = Cpu.EFER_LMA | Cpu.EFER_LME | Cpu.EFER_NXE | Cpu.EFER_SCE;
    cpu.selector[Instruction.CS] = 0x33;
    cpu.segmentAccess[Instruction.CS] = 0xa09b | 3 << 5;
    cpu.selector[Instruction.SS] = 0x2b;
    cpu.segmentAccess[Instruction.SS] = 0xc093 | 3 << 5;
    cpu.eflags = Cpu.IF;
    cpu.rip = CODE;
    cpu.r[Cpu.RSP] = STACK;
    cpu.refresh();
    translator = earned == 0 ? null : Translator.make(code, cpu.model, earned);
    cpu.engine = translator == null ? null : translator.engine();
  }

  private static int frame(int page) {
    int n = page - (int) (DATA >> 12);
    return n >= 0 && n < 128 ? page - n + (5 * n & 127) : page;
  }

  Guest code(byte[] bytes) {
    memory.write(CODE, bytes, 0, bytes.length);
    return this;
  }

  /** Lets the linear address of the code's first page lead to another frame, with the first bytes of {@code bytes}. */
  Guest remap(byte[] bytes) {
    codeFrame ^= 0x8_0000;
    memory.write(codeFrame, bytes, 0, Math.min(bytes.length, GuestMemory.FRAME_SIZE));
    memory.writeLong(0x4000 + (CODE >> 9), codeFrame | FLAGS);
    if (codeFrame > CODE) {
      cpu.mmu.flushPage(CODE);
    } else {
      cpu.mmu.flushAll();
    }
    return this;
  }

  /** Puts it at privilege level 0. */
  Guest privileged() {
    for (int segment : new int[] {Instruction.CS, Instruction.SS}) {
      cpu.selector[segment] &= ~3;
      cpu.segmentAccess[segment] &= ~(3 << 5);
    }
    cpu.kernelGsBase = 0x1234_5678;
    cpu.refresh();
    return this;
  }

  /** Runs to an exit that is not a spent budget, at most some count. */
  Exit run(long count) {
    long end = clock.now + count;
    while (clock.now < end) {
      Exit exit = cpu.run(end);
      if (!(exit instanceof Exit.Budget)) {
        return exit;
      }
    }
    return null;
  }

  /** Everything that a guest can see of itself, as text. */
  String state() {
    StringBuilder text = new StringBuilder(cpu.dump());
    text.append("gs ").append(cpu.effectiveBase(Instruction.GS)).append(' ').append(cpu.kernelGsBase).append(' ');
    for (long word : cpu.xmm) {
      text.append(Long.toHexString(word)).append(' ');
    }
    long sum = 0;
    for (long pa = 0; pa < (long) FRAMES * GuestMemory.FRAME_SIZE; pa += 8) {
      sum = 31 * sum + memory.readLong(pa);
    }
    return text.append("memory ").append(Long.toHexString(sum)).toString();
  }
}
