package org.xenolith.insight;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;

/**
 * Writes every instruction that a processor runs, one line each: the clock's count, the address with its symbol, the instruction, and the
 * general registers that the instruction before it changed. Equal runs write equal traces.
 */
public final class InstructionTrace implements Cpu.Tracer {
  private static final String[] REGISTERS = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
  };

  private final Writer out;
  private final Names names;
  private final long[] last = new long[16];
  private final StringBuilder line = new StringBuilder();
  private int lastFlags;

  /**
   * @param out is not closed by this class
   */
  public InstructionTrace(Writer out, Names names) {
    this.out = out;
    this.names = names;
  }

  @Override
  public void before(Cpu cpu, Instruction i) {
    line.setLength(0);
    for (int n = 0; n < 16; n++) {
      if (cpu.r[n] != last[n]) {
        last[n] = cpu.r[n];
        line.append("    ").append(REGISTERS[n]).append('=').append(Long.toHexString(last[n]));
      }
    }
    int flags = (int) cpu.rflags();
    if (flags != lastFlags) {
      lastFlags = flags;
      line.append("    rflags=").append(Integer.toHexString(flags));
    }
    if (!line.isEmpty()) {
      line.append('\n');
    }
    line.append(cpu.clock.now).append(' ').append(names.describe(i.address)).append(": ").append(i).append('\n');
    try {
      out.append(line);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
