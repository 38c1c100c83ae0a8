package org.xenolith.translator;

import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
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
 * Machine code is left and entered again. Why it matters: each TLB miss, each instruction that the interpreter keeps and each exit of the
 * guest does it, some million times in a boot.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class EnterLeaveBenchmark {
  private static final int COUNT = 90_000, LENGTH = 9;
  private static final long APART = 4L << 20;

  /** RDTSC reads the guest's clock, so it will always be the interpreter's. */
  private final Guest interpreted = Loops.translated(a -> a.emit(Mnemonic.RDTSC));

  private final Guest misses = Loops.translated(a ->
      a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RSI, 0)).emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RDI, 0)));

  private final Guest turns = Loops.translated(a -> {
    for (int n = 1; n < LENGTH; n++) {
      a.emit(Mnemonic.ADD, gpr(Assembler.RAX), imm(n));
    }
  });

  public EnterLeaveBenchmark() {
    // The four megabytes once more behind themselves: two addresses for one entry of the TLB.
    misses.memory.writeLong(0x3010, misses.memory.readLong(0x3000));
    misses.memory.writeLong(0x3018, misses.memory.readLong(0x3008));
    misses.cpu.r[Assembler.RSI] = Guest.DATA;
    misses.cpu.r[Assembler.RDI] = Guest.DATA + APART;
  }

  /** One instruction is interpreted; the operation is that and a jump. */
  @Benchmark
  @OperationsPerInvocation(COUNT / 2)
  public Object interpretedInstruction() {
    return interpreted.run(COUNT);
  }

  /** A load that misses the TLB, with the walk. */
  @Benchmark
  @OperationsPerInvocation(COUNT / 3 * 2)
  public Object tlbMiss() {
    return misses.run(COUNT);
  }

  /** A run of the processor that is spent after nine instructions. */
  @Benchmark
  public Object run() {
    return turns.cpu.run(turns.clock.now + LENGTH);
  }
}
