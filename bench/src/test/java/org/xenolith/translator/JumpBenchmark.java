package org.xenolith.translator;

import static org.xenolith.isa.Operand.gpr;

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
 * Jumps of translated code whose targets are known. Why it matters: a quarter of a kernel's instructions transfer control; a return or an
 * indirect call looks its target up each time.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class JumpBenchmark {
  private static final int COUNT = 90_000, PLACES = 8;

  private final Guest indirect = Loops.translated(a -> places(a, true));
  private final Guest direct = Loops.translated(a -> places(a, false));

  private final Guest returns = Loops.translated(a -> {
    Assembler.Label start = a.newLabel();
    Assembler.Label function = a.newLabel();
    a.jmp(start).bind(function).emit(Mnemonic.RET).bind(start);
    for (int n = 0; n < PLACES; n++) {
      a.call(function);
    }
  });

  private static void places(Assembler a, boolean indirect) {
    for (int n = 0; n < PLACES; n++) {
      Assembler.Label next = a.newLabel();
      a.lea(Assembler.RAX, next);
      if (indirect) {
        a.emit(Mnemonic.JMP, gpr(Assembler.RAX));
      } else {
        a.jmp(next);
      }
      a.bind(next);
    }
  }

  /** LEA and a jump to the register. */
  @Benchmark
  @OperationsPerInvocation(COUNT * PLACES / (2 * PLACES + 1))
  public Object indirect() {
    return indirect.run(COUNT);
  }

  /** LEA and a jump to the same place: what the one before is to be compared with. */
  @Benchmark
  @OperationsPerInvocation(COUNT * PLACES / (2 * PLACES + 1))
  public Object direct() {
    return direct.run(COUNT);
  }

  /** A call of a function that returns at once; it has eight callers. */
  @Benchmark
  @OperationsPerInvocation(COUNT * PLACES / (2 * PLACES + 2))
  public Object callAndReturn() {
    return returns.run(COUNT);
  }
}
