package org.xenolith.machine.pc;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.Clock;
import org.xenolith.machine.Ending;
import org.xenolith.machine.EventQueue;
import org.xenolith.machine.Ports;
import org.xenolith.machine.apic.ApicBus;
import org.xenolith.machine.apic.LocalApic;

/** The devices of a PC without processors to use them: a test does. */
final class TestBench implements LocalApic.Core {
  final Clock clock = new Clock();
  final EventQueue events = new EventQueue();
  final Ending ending = new Ending(true);
  final Ports ports = new Ports(clock);
  final ApicBus apics = new ApicBus();
  final LocalApic apic = new LocalApic(0, clock, events, apics, this, 40);
  final IoApic ioApic = new IoApic(apics, ending);
  final Pic pic = new Pic(apics::external);
  final IsaInterrupts interrupts = new IsaInterrupts(pic, ioApic);
  final ByteArrayOutputStream printed = new ByteArrayOutputStream();
  final Uart uart = new Uart(interrupts.line(Uart.IRQ), (bytes, length) -> printed.write(bytes, 0, length));

  /** The last reset that a device asked for. */
  String reset = "none";

  /** Whether the processor's interrupt line is asserted. */
  boolean line;

  TestBench() {
    apics.external(pic::acknowledge);
    pic.attach(ports);
    uart.attach(ports);
    new Pit(clock, events, interrupts.line(0)).attach(ports);
    Cmos cmos = new Cmos(clock, events, interrupts.line(8));
    cmos.memorySize(512L << 20, 0);
    cmos.attach(ports);
    new AcpiPm(clock, events, interrupts.line(AcpiPm.IRQ), ending).attach(ports);
    Resets resets = new Resets() {
      @Override
      public void hard(String by) {
        reset = "hard by " + by;
      }

      @Override
      public void soft(String by) {
        reset = "soft by " + by;
      }
    };
    new ResetPorts(resets).attach(ports);
    new KeyboardController(resets).attach(ports);
    new PciBus().attach(ports);
    new DebugExit(ending).attach(ports);
    apic.write(LocalApic.DEFAULT_BASE + 0xf0, 4, 0x1ff);
  }

  int in(int port) {
    return (int) ports.in(port, 1);
  }

  long in(int port, int size) {
    return ports.in(port, size);
  }

  void out(int port, int value) {
    ports.out(port, 1, value);
  }

  void out(int port, int size, long value) {
    ports.out(port, size, value);
  }

  /** Lets time pass and happen what is due. */
  void pass(long counts) {
    long end = clock.now + counts;
    while (events.next() <= end) {
      clock.now = Math.max(clock.now, events.next());
      events.runUntil(clock.now);
    }
    clock.now = end;
  }

  /** Sets the 8259s up as PC firmware does: vectors 8 and 70h, all masked but {@code open}. */
  void programPic(int open) {
    apic.virtualWire();
    out(0x20, 0x11);
    out(0x21, 0x08);
    out(0x21, 4);
    out(0x21, 1);
    out(0xa0, 0x11);
    out(0xa1, 0x70);
    out(0xa1, 2);
    out(0xa1, 1);
    out(0x21, ~open & 0xff);
    out(0xa1, ~open >> 8 & 0xff);
  }

  /** Sets a pin of the I/O APIC to a vector of processor 0. */
  void programPin(int pin, long entry) {
    ioApic.write(IoApic.BASE, 4, 0x10 + 2 * pin);
    ioApic.write(IoApic.BASE + 0x10, 4, entry & 0xffff_ffffL);
    ioApic.write(IoApic.BASE, 4, 0x11 + 2 * pin);
    ioApic.write(IoApic.BASE + 0x10, 4, entry >>> 32);
  }

  /** The vectors that the processor takes, each ended at once at the local APIC. */
  List<Integer> taken() {
    List<Integer> vectors = new ArrayList<>();
    while (line && vectors.size() < 20) {
      vectors.add(apic.acknowledge());
      apic.write(LocalApic.DEFAULT_BASE + 0xb0, 4, 0);
    }
    return vectors;
  }

  String printed() {
    return printed.toString(StandardCharsets.ISO_8859_1);
  }

  @Override
  public void interrupt(boolean asserted) {
    line = asserted;
  }

  @Override
  public void nmi() {}

  @Override
  public void init() {}

  @Override
  public void startup(int vector) {}

  @Override
  public long tscOffset() {
    return 0;
  }
}
