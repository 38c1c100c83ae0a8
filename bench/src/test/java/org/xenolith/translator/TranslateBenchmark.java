package org.xenolith.translator;

import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.mem;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.xenolith.cpu.Block;
import org.xenolith.cpu.Engine;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Mnemonic;

/**
 * Translating a trace of 25 instructions in 5 blocks: arithmetic, loads, stores, calls of nothing. Why it matters: a boot translates some
 * ten thousand traces, few of them long used, and the user waits for each.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class TranslateBenchmark {
  private static final int PARTS = 4, INSTRUCTIONS = PARTS * 6 + 1;

  private Guest guest;
  private Block first;

  @Setup
  public void interpret() {
    // Translates nothing of itself, but tells of blocks.
    guest = new Guest(Integer.MAX_VALUE).code(Loops.code(a -> {
      for (int n = 0; n < PARTS; n++) {
        Assembler.Label next = a.newLabel();
        a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RSI, 8 * n)).emit(Mnemonic.ADD, gpr(Assembler.RAX), imm(n));
        a.emit(Mnemonic.XOR, gpr(Assembler.RDX), gpr(Assembler.RAX)).emit(Mnemonic.MOV, mem(Assembler.RSI, 8 * n + 64), gpr(Assembler.RDX));
        a.emit(Mnemonic.CMP, gpr(Assembler.RAX), gpr(Assembler.RDI)).jcc(Assembler.E, next).bind(next);
      }
    }));
    guest.cpu.r[Assembler.RSI] = Guest.DATA;
    Engine engine = guest.cpu.engine;
    guest.cpu.engine = (cpu, block, until) -> {
      first = block.va == Guest.CODE ? block : first;
      return engine.run(cpu, block, until);
    };
    // Not so often that it is taken for a loop of many rounds, which is in its trace twice.
    guest.run(8L * INSTRUCTIONS);
    int length = guest.translator.translate(first).instructions;
    if (length != INSTRUCTIONS) {
      throw new IllegalStateException("the trace has " + length + " instructions");
    }
  }

  @Benchmark
  public Object trace() {
    return guest.translator.translate(first);
  }
}
