package org.xenolith.xen.calls;

import org.xenolith.machine.Computer;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;

/** console_io: Xen's own console (drivers/char/console.c). */
public final class ConsoleCalls {
  /** Bytes of console output that are taken at once, and chunks after which the vcpu looks at events and its limits. */
  private static final int CONSOLE_CHUNK = 128, CONSOLE_BATCH = 64;

  private final Domain domain;
  private final Computer.Sink sink;
  private final GuestStruct arg = new GuestStruct(CONSOLE_CHUNK);

  /** @param sink receives what the guest writes */
  public ConsoleCalls(Domain domain, Computer.Sink sink) {
    this.domain = domain;
    this.sink = sink;
  }

  /** Puts console_io into the table. */
  public void register(Hypercalls calls) {
    calls.set(18, this::consoleIo);
  }

  /** Writing is allowed as in a Xen with a verbose console; reading takes privilege (xsm_console_io). */
  private long consoleIo(Vcpu vcpu, long[] args) {
    if ((int) args[0] != 0) {
      return -Errno.EPERM;
    }
    long count = args[1] & 0xffff_ffffL;
    long va = args[2];
    for (int chunks = 0; count > 0; chunks++) {
      if (chunks == CONSOLE_BATCH) {
        vcpu.rest = new long[] {0, count, va};
        return 0;
      }
      int n = (int) Math.min(count, CONSOLE_CHUNK);
      if (!arg.read(vcpu.cpu, va, n)) {
        return -Errno.EFAULT;
      }
      domain.xen.countWork();
      sink.write(arg.bytes(), n);
      va += n;
      count -= n;
    }
    return 0;
  }
}
