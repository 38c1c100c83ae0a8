package org.xenolith.cpu;

/**
 * Delivers events through the interrupt descriptor table of a processor that owns privilege level 0. Whoever answers an {@link Exit} calls
 * it; the processor must be at an instruction boundary, that is not inside {@link Cpu#run}. An event that was delivered counts 1 on the
 * clock, and so does each fault on the way of one.
 *
 * <p>Every method returns false where the processor shuts down (a fault while a double fault is delivered); it then stays as it was. What
 * is not implemented on the way (task gates) is the {@link Exit} of the next run.
 */
public final class Delivery {
  /** Where an event comes from (AMD64 APM volume 2, section 8.4.1): decides about EXT, checks of the gate, double faults. */
  private enum Source {
    INSTRUCTION,
    INTERRUPT,
    EXCEPTION
  }

  private final Cpu cpu;
  final FrameStack stack;
  private final InterruptGate gate;

  Delivery(Cpu cpu) {
    this.cpu = cpu;
    stack = new FrameStack(cpu);
    gate = new InterruptGate(cpu, stack);
  }

  /**
   * Delivers what an {@link Exit.Exception} says, with its side effects: CR2 for a page fault, DR6 and DR7 for a debug exception.
   *
   * @param errorCode or {@link Fault#NO_ERROR_CODE}
   * @param address as in the exit
   */
  public boolean exception(int vector, int errorCode, long address) {
    switch (vector) {
      case Fault.BP, Fault.OF -> {
        // INT3 and INTO: RIP is already behind the instruction, and goes back to it where the gate refuses.
        int length = cpu.softwareLength;
        cpu.rip -= length;
        return software(vector, length);
      }
      case Fault.DB -> {
        // Without a reason it is INT1's, and RIP goes back to that where the gate cannot be used.
        int length = address == 0 ? cpu.softwareLength : 0;
        cpu.rip -= length;
        DebugOps.report(cpu, address);
        return deliver(vector, Source.EXCEPTION, errorCode, length);
      }
      default -> {
        if (vector == Fault.PF) {
          cpu.cr2 = address;
        }
        return deliver(vector, Source.EXCEPTION, errorCode, 0);
      }
    }
  }

  /** Delivers an external interrupt: to be called after an {@link Exit.Interrupt} with the controller's vector. */
  public boolean interrupt(int vector) {
    return deliver(vector, Source.INTERRUPT, Fault.NO_ERROR_CODE, 0);
  }

  /** Delivers the NMI that an {@link Exit.NonMaskable} announces. Further ones wait until IRET. */
  public boolean nmi() {
    cpu.interrupts.takeNmi();
    return deliver(Fault.NMI, Source.INTERRUPT, Fault.NO_ERROR_CODE, 0);
  }

  /**
   * Delivers INT n, whose gate must admit the current privilege level; #GP where it does not.
   *
   * @param length of the instruction, at which RIP still is
   */
  public boolean software(int vector, int length) {
    return deliver(vector, Source.INSTRUCTION, Fault.NO_ERROR_CODE, length);
  }

  private boolean deliver(int vector, Source source, int errorCode, int length) {
    long flags = cpu.beginDelivery();
    if (source == Source.EXCEPTION && vector != Fault.DB) {
      flags |= Cpu.RF;
    } else if (source == Source.INSTRUCTION) {
      flags &= ~Cpu.RF;
    }
    boolean inUserMode = cpu.userMode;
    stack.begin();
    while (true) {
      cpu.clock.now++;
      try {
        gate.enter(vector, source == Source.INSTRUCTION, errorCode, cpu.rip + length, flags);
        cpu.msrs.counters().branched(inUserMode);
        return true;
      } catch (Fault fault) {
        stack.restore();
        stack.begin();
        if (cpu.postponeExit()) {
          return true;
        }
        if (source == Source.EXCEPTION && vector == Fault.DF) {
          return false;
        }
        boolean external = source != Source.INSTRUCTION;
        if (source == Source.EXCEPTION && doubles(vector, fault.vector)) {
          vector = Fault.DF;
          errorCode = 0;
        } else {
          vector = fault.vector;
          errorCode = vector == Fault.PF || !external ? fault.errorCode : fault.errorCode | 1;
        }
        if (fault.vector == Fault.PF) {
          cpu.cr2 = fault.address;
        }
        source = Source.EXCEPTION;
        length = 0;
        flags |= Cpu.RF;
      }
    }
  }

  /** Whether a fault while another is delivered is a double fault (AMD64 APM volume 2, section 8.2.9). */
  private static boolean doubles(int first, int second) {
    return contributory(first) && contributory(second) || first == Fault.PF && (second == Fault.PF || contributory(second));
  }

  private static boolean contributory(int vector) {
    return switch (vector) {
      case Fault.DE, Fault.TS, Fault.NP, Fault.SS, Fault.GP -> true;
      default -> false;
    };
  }
}
