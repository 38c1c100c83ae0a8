package org.xenolith.xen.console;

import java.util.Arrays;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.machine.Computer;
import org.xenolith.xen.event.EventChannels;

/**
 * The backend of a guest's console, as xenconsoled is for real guests: two rings in a page of the guest (public header io/console.h) and an
 * event channel. Output is taken when the guest sends an event. Input comes by {@link #type} at a count of the machine's clock that the
 * caller chooses; what the ring has no room for waits until the guest has read.
 */
public final class PvConsole {
  /** Offsets and sizes in struct xencons_interface. */
  private static final int IN = 0, IN_SIZE = 1024, OUT = 1024, OUT_SIZE = 2048;

  private static final int IN_CONS = 3072, IN_PROD = 3076, OUT_CONS = 3080, OUT_PROD = 3084, CONNECTION = 3088;
  private static final byte CONNECTED = 0;

  private final GuestMemory memory;
  private final EventChannels channels;
  private final Computer.Sink sink;
  private final long page;
  private final int port;
  private final byte[] buffer = new byte[OUT_SIZE];
  private byte[] waiting = new byte[0];

  /**
   * Connects to the ring.
   *
   * @param mfn the frame of the ring, zero-filled, the guest's for as long as it runs
   */
  public PvConsole(GuestMemory memory, long mfn, EventChannels channels, Computer.Sink sink) {
    this.memory = memory;
    this.channels = channels;
    this.sink = sink;
    this.page = mfn << GuestMemory.FRAME_SHIFT;
    this.port = channels.connect(this::serve);
    memory.writeByte(page + CONNECTION, CONNECTED);
  }

  /** The guest's event channel, for start_info. */
  public int port() {
    return port;
  }

  /** Types on the guest's keyboard. */
  public void type(byte[] bytes) {
    byte[] all = new byte[waiting.length + bytes.length];
    System.arraycopy(waiting, 0, all, 0, waiting.length);
    System.arraycopy(bytes, 0, all, waiting.length, bytes.length);
    waiting = all;
    if (fill()) {
      channels.notify(port);
    }
  }

  /** Takes what a guest that dies has printed without an event. */
  public void drain() {
    empty();
  }

  private void serve() {
    boolean took = empty();
    boolean gave = fill();
    if (took || gave) {
      channels.notify(port);
    }
  }

  /** Takes the guest's output; whether there was any. Indices that cannot be are ignored, as xenconsoled does. */
  private boolean empty() {
    int consumed = memory.readInt(page + OUT_CONS);
    int produced = memory.readInt(page + OUT_PROD);
    int length = produced - consumed;
    if (length <= 0 || length > OUT_SIZE) {
      return false;
    }
    int start = consumed & OUT_SIZE - 1;
    int first = Math.min(length, OUT_SIZE - start);
    memory.read(page + OUT + start, buffer, 0, first);
    memory.read(page + OUT, buffer, first, length - first);
    memory.writeInt(page + OUT_CONS, produced);
    sink.write(buffer, length);
    return true;
  }

  /** Puts as much input into the ring as fits; whether there was any. */
  private boolean fill() {
    int consumed = memory.readInt(page + IN_CONS);
    int produced = memory.readInt(page + IN_PROD);
    int used = produced - consumed;
    if (used < 0 || used > IN_SIZE) {
      return false;
    }
    int length = Math.min(waiting.length, IN_SIZE - used);
    if (length == 0) {
      return false;
    }
    int start = produced & IN_SIZE - 1;
    int first = Math.min(length, IN_SIZE - start);
    memory.write(page + IN + start, waiting, 0, first);
    memory.write(page + IN, waiting, first, length - first);
    memory.writeInt(page + IN_PROD, produced + length);
    waiting = Arrays.copyOfRange(waiting, length, waiting.length);
    return true;
  }
}
