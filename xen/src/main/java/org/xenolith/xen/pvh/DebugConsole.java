package org.xenolith.xen.pvh;

import org.xenolith.machine.Computer;
import org.xenolith.machine.PortDevice;

/** The port to which a container's firmware prints, a line at a time (hvm_print_line, arch/x86/hvm/hvm.c). */
final class DebugConsole implements PortDevice {
  private final Computer.Sink sink;
  private final byte[] line = new byte[82];
  private int length;

  DebugConsole(Computer.Sink sink) {
    this.sink = sink;
  }

  @Override
  public int in(int port, int size) {
    return 0xff;
  }

  @Override
  public void out(int port, int size, int value) {
    int c = value & 0xff;
    if (c != '\n' && c != '\t' && (c < 0x20 || c > 0x7e)) {
      return;
    }
    line[length++] = (byte) c;
    if (c == '\n' || length == line.length - 1) {
      if (c != '\n') {
        line[length++] = '\n';
      }
      sink.write(line, length);
      length = 0;
    }
  }
}
