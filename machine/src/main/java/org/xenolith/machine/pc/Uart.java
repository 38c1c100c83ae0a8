package org.xenolith.machine.pc;

import java.util.ArrayDeque;
import org.xenolith.machine.Computer;
import org.xenolith.machine.PortDevice;
import org.xenolith.machine.Ports;

/**
 * A 16550A serial port, the first of a PC: ports 3F8h to 3FFh, interrupt request 4. Source: National Semiconductor PC16550D data sheet. A
 * terminal with all its modem lines asserted is attached. Bytes take no time on the line: at the speed that is set, a kernel would wait for
 * its log most of the run.
 */
final class Uart implements PortDevice {
  static final int PORTS = 0x3f8, IRQ = 4;

  private static final int FIFO = 16;

  /** Interrupt enables. */
  private static final int RECEIVE = 1, TRANSMIT = 2, LINE = 4, MODEM = 8;

  /** Bits of the line status: data ready, overrun, transmitter empty (holding and shift register). */
  private static final int READY = 1, OVERRUN = 2, EMPTY = 0x60;

  /** Bits of the modem control. */
  private static final int RTS = 2, OUT2 = 8, LOOP = 0x10;

  /** CTS, DSR and DCD of the terminal. */
  private static final int TERMINAL_LINES = 0xb0;

  private static final int[] TRIGGERS = {1, 4, 8, 14};

  private final IsaInterrupts.Line interrupt;
  private final Computer.Sink sink;
  private final byte[] one = new byte[1];

  /** What was typed and is not in the receiver yet. */
  private final ArrayDeque<byte[]> typed = new ArrayDeque<>();

  private int typedAt;
  private final int[] received = new int[FIFO];
  private int receivedCount;

  private int divisor = 1, enables, lineControl, modemControl, scratch;
  private int fifoControl;
  private int lineErrors, modemLines = TERMINAL_LINES, modemChanges;
  private boolean transmitPending;

  Uart(IsaInterrupts.Line interrupt, Computer.Sink sink) {
    this.interrupt = interrupt;
    this.sink = sink;
  }

  void attach(Ports ports) {
    ports.add(PORTS, 8, this);
  }

  /** The person at the terminal types. */
  void type(byte[] bytes) {
    if (bytes.length > 0) {
      typed.add(bytes);
      refill();
      update();
    }
  }

  private boolean latched() {
    return (lineControl & 0x80) != 0;
  }

  private boolean hasFifo() {
    return (fifoControl & 1) != 0;
  }

  // ---- Registers ----

  @Override
  public int in(int port, int size) {
    int value = switch (port & 7) {
      case 0 -> latched() ? divisor & 0xff : receive();
      case 1 -> latched() ? divisor >>> 8 : enables;
      case 2 -> identify();
      case 3 -> lineControl;
      case 4 -> modemControl;
      case 5 -> {
        int status = (receivedCount > 0 ? READY : 0) | lineErrors | EMPTY;
        lineErrors = 0;
        yield status;
      }
      case 6 -> {
        int status = modemLines | modemChanges;
        modemChanges = 0;
        yield status;
      }
      default -> scratch;
    };
    update();
    return value;
  }

  @Override
  public void out(int port, int size, int value) {
    switch (port & 7) {
      case 0 -> {
        if (latched()) {
          divisor = divisor & 0xff00 | value;
        } else {
          transmit(value);
        }
      }
      case 1 -> {
        if (latched()) {
          divisor = divisor & 0xff | value << 8;
        } else {
          // The holding register is empty: enabling its interrupt raises it.
          transmitPending |= (value & ~enables & TRANSMIT) != 0;
          enables = value & 0xf;
        }
      }
      case 2 -> {
        if (((value ^ fifoControl) & 1) != 0 || (value & 2) != 0) {
          receivedCount = 0;
        }
        fifoControl = (value & 1) != 0 ? value & 0xc9 : 0;
        refill();
      }
      case 3 -> lineControl = value;
      case 4 -> {
        modemControl = value & 0x1f;
        setModemLines();
        refill();
      }
      case 7 -> scratch = value;
      default -> {}
    }
    update();
  }

  private void setModemLines() {
    int lines = TERMINAL_LINES;
    if ((modemControl & LOOP) != 0) {
      lines = (modemControl & 1) << 5 | (modemControl & 2) << 3 | (modemControl & 4) << 4 | (modemControl & 8) << 4;
    }
    int changed = (lines ^ modemLines) >>> 4;
    // The ring indicator's bit tells only of its end.
    modemChanges |= changed & 0xb | changed & modemLines >>> 4 & 4;
    modemLines = lines;
  }

  // ---- Bytes ----

  private void transmit(int value) {
    transmitPending = false;
    update();
    if ((modemControl & LOOP) != 0) {
      if (receivedCount == (hasFifo() ? FIFO : 1)) {
        lineErrors |= OVERRUN;
        if (!hasFifo()) {
          received[0] = value;
        }
      } else {
        received[receivedCount++] = value;
      }
    } else {
      one[0] = (byte) value;
      sink.write(one, 1);
    }
    transmitPending = true;
  }

  private int receive() {
    if (receivedCount == 0) {
      return 0;
    }
    int value = received[0];
    receivedCount--;
    System.arraycopy(received, 1, received, 0, receivedCount);
    refill();
    return value;
  }

  /**
   * The terminal sends as much as there is room for, while it is asked to send: a driver that looks for the port and resets it must not
   * lose what was typed early.
   */
  private void refill() {
    int room = hasFifo() ? FIFO : 1;
    while ((modemControl & (LOOP | RTS)) == RTS && receivedCount < room && !typed.isEmpty()) {
      byte[] first = typed.peek();
      received[receivedCount++] = first[typedAt++] & 0xff;
      if (typedAt == first.length) {
        typed.remove();
        typedAt = 0;
      }
    }
  }

  // ---- Interrupts ----

  /** The most important pending interrupt, as the identification register has it; 1 for none. */
  private int pending() {
    if ((enables & LINE) != 0 && lineErrors != 0) {
      return 6;
    }
    if ((enables & RECEIVE) != 0 && receivedCount > 0) {
      // Fewer bytes than wanted time out, and no time passes on the line.
      return hasFifo() && receivedCount < TRIGGERS[fifoControl >>> 6] ? 12 : 4;
    }
    if ((enables & TRANSMIT) != 0 && transmitPending) {
      return 2;
    }
    return (enables & MODEM) != 0 && modemChanges != 0 ? 0 : 1;
  }

  private int identify() {
    int id = pending();
    if (id == 2) {
      transmitPending = false;
    }
    return id | (hasFifo() ? 0xc0 : 0);
  }

  private void update() {
    interrupt.set(pending() != 1 && (modemControl & OUT2) != 0 && (modemControl & LOOP) == 0);
  }
}
