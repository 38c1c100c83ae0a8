package org.xenolith.xen.calls;

import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;

/**
 * multicall (common/multicall.c): a list of struct multicall_entry { op, result, args[6] }, done one after another. Pending events are
 * looked at when all is done.
 */
public final class Multicall {
  private static final int NUMBER = 13, ENTRY = 64, IRET = 23;

  /** After so many entries the vcpu looks at events and then goes on with the rest: Xen preempts, too. */
  private static final int BATCH = 1024;

  private final Hypercalls calls;
  private final GuestStruct entry = new GuestStruct(ENTRY);
  private final long[] args = new long[6];
  private boolean inside;

  public Multicall(Hypercalls calls) {
    this.calls = calls;
  }

  /** Puts multicall into the table. */
  public void register() {
    calls.set(NUMBER, this::call);
  }

  private long call(Vcpu vcpu, long[] outer) {
    if (inside) {
      return -Errno.EINVAL;
    }
    long va = outer[0];
    long count = outer[1];
    if (count < 0 || count > Long.MAX_VALUE / ENTRY || !GuestAccess.accessible(vcpu.cpu, va, count * ENTRY)) {
      return -Errno.EFAULT;
    }
    inside = true;
    try {
      return run(vcpu, va, count);
    } finally {
      inside = false;
    }
  }

  private long run(Vcpu vcpu, long va, long count) {
    for (long n = 0; n < count; n++, va += ENTRY) {
      if (n == BATCH) {
        vcpu.runner.continueHypercall(NUMBER, va, count - n);
        return 0;
      }
      if (!entry.read(vcpu.cpu, va, ENTRY)) {
        return -Errno.EFAULT;
      }
      vcpu.domain.xen.countWork();
      long op = entry.getLong(0);
      for (int k = 0; k < 6; k++) {
        args[k] = entry.getLong(16 + 8 * k);
      }
      calls.batch(va, n, count);
      long result = calls.call(vcpu, op, args);
      calls.batch(0, 0, 0);
      if (vcpu.rest != null) {
        return restOf(vcpu, va, count - n);
      }
      entry.putLong(8, result);
      boolean written = entry.write(vcpu.cpu, va + 8, 8, 8);
      if (op == IRET) {
        return result;
      }
      if (!written) {
        return -Errno.EFAULT;
      }
      if (vcpu.domain.shutdown != Domain.RUNNING || vcpu.domain.xen.unimplemented != null) {
        return 0;
      }
    }
    return 0;
  }

  /** Has the rest of the entry at {@code va} done next, and then the entries behind it. */
  private long restOf(Vcpu vcpu, long va, long left) {
    for (int k = 0; k < vcpu.rest.length; k++) {
      entry.putLong(16 + 8 * k, vcpu.rest[k]);
    }
    int length = 8 * vcpu.rest.length;
    vcpu.rest = null;
    if (!entry.write(vcpu.cpu, va + 16, 16, length)) {
      return -Errno.EFAULT;
    }
    vcpu.runner.continueHypercall(NUMBER, va, left);
    return 0;
  }
}
