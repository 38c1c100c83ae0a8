package org.xenolith.machine.pc;

import java.util.List;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.machine.Ending;
import org.xenolith.machine.Ports;
import org.xenolith.machine.Processor;
import org.xenolith.machine.RunOutcome;

/**
 * What becomes of a PC that is reset. A hard reset ends the run, and so does INIT of the boot processor, unless the guest has left word in
 * the CMOS memory that it goes on: then the firmware jumps to the address that it finds at {@link #VECTOR} (IBM PC AT technical reference,
 * "Shutdown", codes 5 and 10; Linux, smpboot_setup_warm_reset_vector).
 */
final class WarmStart implements Resets {
  /** Offset and segment of where to go on: 40h:67h. */
  private static final long VECTOR = 0x467;

  private static final String INIT = "INIT of its boot processor";

  private final Ending ending;
  private final GuestMemory memory;
  private final Ports ports;
  private final Cmos cmos;
  private List<Processor> processors = List.of();
  private String by = INIT;

  WarmStart(Ending ending, GuestMemory memory, Ports ports, Cmos cmos) {
    this.ending = ending;
    this.memory = memory;
    this.ports = ports;
    this.cmos = cmos;
  }

  /** Says whose INIT line there is. */
  void connect(List<Processor> processors) {
    this.processors = processors;
  }

  @Override
  public void hard(String by) {
    ending.end(RunOutcome.Kind.REBOOT, "the guest asked for a reset by " + by);
  }

  @Override
  public void soft(String by) {
    this.by = by;
    processors.forEach(Processor::init);
  }

  /** What the firmware does with the boot processor after INIT. */
  void enter(Cpu cpu) {
    int code = cmos.takeShutdownCode();
    switch (code) {
      case 0x05 -> {
        // Ends an interrupt of each 8259 first.
        ports.out(0xa0, 1, 0x20);
        ports.out(0x20, 1, 0x20);
        resume(cpu);
      }
      case 0x0a -> resume(cpu);
      // Back from protected mode with a return address on a stack.
      case 0x09, 0x0b, 0x0c -> ending.unimplemented("shutdown code 0x%x in the CMOS memory".formatted(code));
      default -> hard(by);
    }
    by = INIT;
  }

  private void resume(Cpu cpu) {
    cpu.enterReal(memory.readShort(VECTOR + 2) & 0xffff, memory.readShort(VECTOR) & 0xffff);
  }
}
