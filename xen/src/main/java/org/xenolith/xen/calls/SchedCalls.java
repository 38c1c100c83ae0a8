package org.xenolith.xen.calls;

import org.xenolith.machine.EventQueue;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.time.TimeKeeper;

/** sched_op, its old form sched_op_compat, and set_timer_op (common/sched/core.c; public header sched.h). */
public final class SchedCalls {
  private static final int YIELD = 0, BLOCK = 1, SHUTDOWN = 2, POLL = 3, REMOTE_SHUTDOWN = 4, SHUTDOWN_CODE = 5, WATCHDOG = 6;
  private static final int PIN_OVERRIDE = 7;

  private static final int MAX_POLL_PORTS = 128, WATCHDOGS = 2;
  private static final long SECOND = 1_000_000_000L;

  private final Domain domain;
  private final GuestStruct arg = new GuestStruct(24);
  private final EventQueue.Event[] watchdogs = new EventQueue.Event[WATCHDOGS];
  private final boolean[] watchdogUsed = new boolean[WATCHDOGS];

  public SchedCalls(Domain domain) {
    this.domain = domain;
  }

  /** Puts sched_op and set_timer_op into the table, and for PV the old form. */
  public void register(Hypercalls calls) {
    if (!domain.isContainer()) {
      calls.set(6, this::schedOpCompat);
    }
    calls.set(15, (vcpu, args) -> setTimer(vcpu, args[0]));
    calls.set(29, this::schedOp);
  }

  private long schedOp(Vcpu vcpu, long[] args) {
    switch ((int) args[0]) {
      case YIELD -> {
        vcpu.yielded = true;
        return 0;
      }
      case BLOCK -> {
        block(vcpu);
        return 0;
      }
      case SHUTDOWN -> {
        if (!arg.read(vcpu.cpu, args[1], 4)) {
          return -Errno.EFAULT;
        }
        shutdown(arg.getInt(0) & 0xff);
        return 0;
      }
      case SHUTDOWN_CODE -> {
        if (!arg.read(vcpu.cpu, args[1], 4)) {
          return -Errno.EFAULT;
        }
        if (domain.shutdownCode < 0) {
          domain.shutdownCode = arg.getInt(0) & 0xff;
        }
        return 0;
      }
      case POLL -> {
        return arg.read(vcpu.cpu, args[1], 24) ? poll(vcpu) : -Errno.EFAULT;
      }
      case REMOTE_SHUTDOWN -> {
        if (!arg.read(vcpu.cpu, args[1], 8)) {
          return -Errno.EFAULT;
        }
        int domid = arg.getShort(0);
        return domid == domain.id || domid == 0 ? -Errno.EPERM : -Errno.ESRCH;
      }
      case WATCHDOG -> {
        return arg.read(vcpu.cpu, args[1], 8) ? watchdog(arg.getInt(0), arg.getInt(4) & 0xffff_ffffL) : -Errno.EFAULT;
      }
      case PIN_OVERRIDE -> {
        return -Errno.EPERM;
      }
      default -> {
        return -Errno.ENOSYS;
      }
    }
  }

  private long schedOpCompat(Vcpu vcpu, long[] args) {
    switch ((int) args[0]) {
      case YIELD -> {
        vcpu.yielded = true;
        return 0;
      }
      case BLOCK -> {
        block(vcpu);
        return 0;
      }
      case SHUTDOWN -> {
        shutdown((int) args[1] & 0xff);
        return 0;
      }
      default -> {
        return -Errno.ENOSYS;
      }
    }
  }

  private void block(Vcpu vcpu) {
    vcpu.time.stopPoll();
    if (vcpu.vcpuInfoPa != 0) {
      vcpu.cpu.memory.writeByte(vcpu.vcpuInfoPa + Vcpu.UPCALL_MASK, (byte) 0);
    }
    if (!vcpu.runner.eventsNeedDelivery()) {
      vcpu.state = Vcpu.State.BLOCKED;
      vcpu.pollPort = -1;
    }
  }

  private void shutdown(int reason) {
    if (domain.shutdown == Domain.RUNNING) {
      // What shutdown_code announced wins (domain_shutdown, common/domain.c).
      domain.shutdown = domain.shutdownCode >= 0 ? domain.shutdownCode : reason;
      if (domain.shutdown == Domain.SHUTDOWN_CRASH) {
        domain.crashReason = "the guest shut down with reason crash";
      }
    }
  }

  private long poll(Vcpu vcpu) {
    long ports = arg.getLong(0);
    int count = arg.getInt(8);
    long timeout = arg.getLong(16);
    if (Integer.compareUnsigned(count, MAX_POLL_PORTS) > 0) {
      return -Errno.EINVAL;
    }
    if (vcpu.runner.eventsNeedDelivery()) {
      return 0;
    }
    int port = 0;
    for (int n = 0; n < count; n++) {
      if (!arg.read(vcpu.cpu, ports + 4L * n, 4)) {
        return -Errno.EFAULT;
      }
      port = arg.getInt(0);
      if (!domain.channels.valid(port)) {
        return -Errno.EINVAL;
      }
      if (domain.channels.pending(port)) {
        return 0;
      }
    }
    vcpu.time.stopPoll();
    vcpu.state = Vcpu.State.BLOCKED;
    vcpu.pollPort = count == 1 ? port : 0;
    if (timeout != 0) {
      vcpu.time.setPoll(timeout);
    }
    return 0;
  }

  private long watchdog(int id, long seconds) {
    if (Integer.compareUnsigned(id, WATCHDOGS) > 0) {
      return -Errno.EINVAL;
    }
    if (id == 0) {
      for (int n = 0; n < WATCHDOGS; n++) {
        if (!watchdogUsed[n]) {
          watchdogUsed[n] = true;
          arm(n, seconds);
          return n + 1;
        }
      }
      return -Errno.ENOSPC;
    }
    int n = id - 1;
    if (!watchdogUsed[n]) {
      return -Errno.EINVAL;
    }
    watchdogs[n].cancel();
    if (seconds == 0) {
      watchdogUsed[n] = false;
    } else {
      arm(n, seconds);
    }
    return 0;
  }

  private void arm(int n, long seconds) {
    watchdogs[n] = domain.xen.events.at(domain.xen.clock.now + seconds * SECOND, () -> shutdown(Domain.SHUTDOWN_WATCHDOG));
  }

  private long setTimer(Vcpu vcpu, long due) {
    TimeKeeper time = vcpu.time;
    long offset = due - time.now();
    if (due == 0) {
      time.stopSingleshot();
    } else if (due < 0 || offset > 0 && (int) (offset >>> 50) != 0) {
      // Times past the horizon come from a wrapped counter: there is work to do, but not so urgent.
      time.setSingleshot(time.now() + 100_000_000L);
    } else {
      time.setSingleshot(due);
    }
    return 0;
  }
}
