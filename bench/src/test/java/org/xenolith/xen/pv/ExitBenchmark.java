package org.xenolith.xen.pv;

import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.register;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.machine.RunOutcome;
import org.xenolith.translator.EngineKind;

/**
 * The way of an exit: out of the guest, the exit's digest, Xen's answer, and back. Why it matters: a PV boot makes 80,000 hypercalls and
 * 125,000 exits of other kinds, nearly all of them instructions that Xen emulates.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ExitBenchmark {
  private static final int EXITS = 20_000;

  /** Of a hypercall: two numbers into registers, SYSCALL and the exit for it, a jump. */
  private static final int HYPERCALL_COUNTS = 5;

  /** Of an emulated instruction: the exit, and a jump. */
  private static final int EMULATION_COUNTS = 2;

  private static final int VERSION = 0;

  @Param({"INTERPRETER", "TRANSLATOR"})
  public EngineKind engine;

  private final MicroGuest calling = new MicroGuest(), reading = new MicroGuest();
  private long callingLimit, readingLimit;

  @Setup
  public void start() {
    Assembler.Label again = calling.a.here();
    calling.call(MicroGuest.XEN_VERSION, VERSION).a.jmp(again);
    callingLimit = start(calling);
    again = reading.a.here();
    reading.a.emit(Mnemonic.MOV, gpr(Assembler.RCX), register(OperandKind.CR, 3)).jmp(again);
    readingLimit = start(reading);
    // The figures are for each exit, so there must be as many as they are divided by.
    check(calling, "hypercall", this::hypercall);
    check(reading, "privileged-instruction", this::emulatedInstruction);
  }

  /** Lets a guest come to its loop; returns the counts that it took. */
  private long start(MicroGuest guest) {
    guest.run(1);
    engine.attach(guest.machine().cpus());
    long limit = 1000;
    guest.machine().run(limit);
    return limit;
  }

  private static void check(MicroGuest guest, String reason, Runnable run) {
    long before = exits(guest, reason);
    run.run();
    long exits = exits(guest, reason) - before;
    if (Math.abs(exits - EXITS) > 1) {
      throw new IllegalStateException(exits + " exits for " + reason + ", not " + EXITS);
    }
  }

  private static long exits(MicroGuest guest, String reason) {
    Map<String, Long> exits = guest.machine().exits();
    return exits.get(reason);
  }

  @TearDown
  public void close() {
    calling.close();
    reading.close();
  }

  /** A hypercall that does nearly nothing: xen_version. */
  @Benchmark
  @OperationsPerInvocation(EXITS)
  public RunOutcome hypercall() {
    callingLimit += EXITS * HYPERCALL_COUNTS;
    return calling.machine().run(callingLimit);
  }

  /** Reading CR3, which faults in ring 3, and which Xen emulates. */
  @Benchmark
  @OperationsPerInvocation(EXITS)
  public RunOutcome emulatedInstruction() {
    readingLimit += EXITS * EMULATION_COUNTS;
    return reading.machine().run(readingLimit);
  }
}
