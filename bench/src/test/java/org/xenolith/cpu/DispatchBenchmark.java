package org.xenolith.cpu;

import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.mem;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Mnemonic;

/**
 * The interpreter, for each instruction of a guest. Why it matters: all code runs here until it has earned a translation, and on hosts
 * without the translator always.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class DispatchBenchmark {
  private static final int COUNT = 96_000;

  private final Machine straight = new Machine(), branches = new Machine(), memory = new Machine();

  public DispatchBenchmark() {
    Assembler a = new Assembler(Machine.CODE);
    Assembler.Label again = a.here();
    for (int n = 0; n < 10; n++) {
      a.emit(Mnemonic.ADD, gpr(Assembler.RAX), gpr(Assembler.RCX)).emit(Mnemonic.MOV, gpr(Assembler.RDX), gpr(Assembler.RAX));
      a.emit(Mnemonic.XOR, gpr(Assembler.RCX), gpr(Assembler.RDX));
    }
    load(straight, a.jmp(again));

    a = new Assembler(Machine.CODE);
    again = a.here();
    for (int n = 0; n < 7; n++) {
      Assembler.Label next = a.newLabel();
      a.emit(Mnemonic.INC, gpr(Assembler.RAX)).jmp(next).bind(next);
    }
    load(branches, a.emit(Mnemonic.INC, gpr(Assembler.RAX)).jmp(again));

    a = new Assembler(Machine.CODE).mov(Assembler.RSI, Machine.DATA);
    again = a.here();
    for (int n = 0; n < 10; n++) {
      a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RSI, 8 * n)).emit(Mnemonic.ADD, gpr(Assembler.RAX), gpr(Assembler.RCX));
      a.emit(Mnemonic.MOV, mem(Assembler.RSI, 8 * n + 8), gpr(Assembler.RAX));
    }
    load(memory, a.jmp(again));
  }

  private static void load(Machine machine, Assembler a) {
    byte[] code = a.toBytes();
    machine.memory.write(Machine.CODE, code, 0, code.length);
  }

  /** Arithmetic on registers in blocks of 31 instructions. */
  @Benchmark
  @OperationsPerInvocation(COUNT)
  public Exit straight() {
    return straight.run(COUNT);
  }

  /** Blocks of two instructions, the second a jump. */
  @Benchmark
  @OperationsPerInvocation(COUNT)
  public Exit branches() {
    return branches.run(COUNT);
  }

  /** A load, an addition, a store, over and over. */
  @Benchmark
  @OperationsPerInvocation(COUNT)
  public Exit memory() {
    return memory.run(COUNT);
  }
}
