package org.xenolith.xen.calls;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.time.TimeKeeper;

/** vcpu_op (common/domain.c and arch/x86/domain.c; public header vcpu.h). */
public final class VcpuCalls {
  private static final long MILLISECOND = 1_000_000L;

  /** STIME_DELTA_MAX: the longest period of a timer. */
  private static final long MAX_PERIOD = Long.MAX_VALUE >>> 2;

  private final Domain domain;
  private final GuestStruct arg = new GuestStruct(48);

  public VcpuCalls(Domain domain) {
    this.domain = domain;
  }

  /** Puts vcpu_op into the table. */
  public void register(Hypercalls calls) {
    calls.set(24, this::call);
  }

  private long call(Vcpu current, long[] args) {
    int id = (int) args[1];
    if (id < 0 || id >= domain.vcpus.size()) {
      return -Errno.ENOENT;
    }
    Vcpu v = domain.vcpus.get(id);
    long va = args[2];
    switch ((int) args[0]) {
      case 0 -> { // initialise
        if (v.vcpuInfoPa == 0) {
          return -Errno.EINVAL;
        }
        return v.initialised ? -Errno.EEXIST : v.runner.initialise(current, va);
      }
      case 1 -> { // up
        if (!v.initialised) {
          return -Errno.EINVAL;
        }
        if (v.state == Vcpu.State.DOWN) {
          v.state = Vcpu.State.RUNNABLE;
          v.time.enter(TimeKeeper.RUNNABLE);
          v.runner.upOrDown();
        }
        return 0;
      }
      case 2 -> {
        return down(v);
      }
      case 3 -> { // is_up
        return v.state == Vcpu.State.DOWN ? 0 : 1;
      }
      case 4 -> { // get_runstate_info
        long[] info = v.time.runstate();
        for (int n = 0; n < info.length; n++) {
          arg.putLong(8 * n, info[n]);
        }
        return arg.write(current.cpu, va, 48) ? 0 : -Errno.EFAULT;
      }
      case 5 -> { // register_runstate_memory_area
        if (!arg.read(current.cpu, va, 8) || !GuestAccess.accessible(current.cpu, arg.getLong(0), 48)) {
          return -Errno.EFAULT;
        }
        v.time.registerRunstate(arg.getLong(0));
        return 0;
      }
      case 6 -> { // set_periodic_timer
        if (!arg.read(current.cpu, va, 8)) {
          return -Errno.EFAULT;
        }
        long period = arg.getLong(0);
        if (Long.compareUnsigned(period, MILLISECOND) < 0 || Long.compareUnsigned(period, MAX_PERIOD) > 0) {
          return -Errno.EINVAL;
        }
        v.time.setPeriodic(period);
        return 0;
      }
      case 7 -> { // stop_periodic_timer
        v.time.setPeriodic(0);
        return 0;
      }
      case 8 -> { // set_singleshot_timer
        if (v != current) {
          return -Errno.EINVAL;
        }
        if (!arg.read(current.cpu, va, 16)) {
          return -Errno.EFAULT;
        }
        // A time that has passed comes at once, as a time of now does.
        long due = arg.getLong(0);
        v.time.setSingleshot(due < 0 ? Long.MAX_VALUE : due);
        return 0;
      }
      case 9 -> { // stop_singleshot_timer
        if (v != current) {
          return -Errno.EINVAL;
        }
        v.time.stopSingleshot();
        return 0;
      }
      case 10 -> {
        return registerVcpuInfo(current, v, va);
      }
      case 11 -> { // send_nmi
        if (va != 0) {
          return -Errno.EINVAL;
        }
        v.runner.sendNmi();
        return 0;
      }
      case 12 -> { // get_physid: only for the hardware's domain
        return -Errno.EINVAL;
      }
      case 13 -> { // register_vcpu_time_memory_area
        if (!arg.read(current.cpu, va, 8) || !GuestAccess.accessible(current.cpu, arg.getLong(0), 32)) {
          return -Errno.EFAULT;
        }
        v.time.registerTime(arg.getLong(0));
        return 0;
      }
      default -> {
        // The calls by machine address, 14 and 15, came after 4.17.
        return -Errno.ENOSYS;
      }
    }
  }

  private long down(Vcpu target) {
    boolean others = false;
    for (Vcpu other : domain.vcpus) {
      others |= other != target && other.state != Vcpu.State.DOWN;
    }
    if (!others) {
      domain.shutdown = domain.shutdownCode >= 0 ? domain.shutdownCode : Domain.SHUTDOWN_POWEROFF;
      return 0;
    }
    if (target.state != Vcpu.State.DOWN) {
      target.state = Vcpu.State.DOWN;
      target.time.stopPoll();
      target.time.enter(TimeKeeper.OFFLINE);
      target.runner.upOrDown();
    }
    return 0;
  }

  private long registerVcpuInfo(Vcpu current, Vcpu v, long va) {
    if (!arg.read(current.cpu, va, 16)) {
      return -Errno.EFAULT;
    }
    long gfn = arg.getLong(0);
    int offset = arg.getInt(8);
    if (v.vcpuInfoRegistered) {
      return -Errno.EINVAL;
    }
    if (Integer.compareUnsigned(offset, GuestMemory.FRAME_SIZE - Vcpu.VCPU_INFO_SIZE) > 0 || (offset & 7) != 0) {
      return offset < 0 || offset >= GuestMemory.FRAME_SIZE ? -Errno.EINVAL : -Errno.ENXIO;
    }
    long mfn = domain.frames.hold(gfn);
    if (mfn < 0) {
      return -Errno.EINVAL;
    }
    long pa = (mfn << GuestMemory.FRAME_SHIFT) + offset;
    GuestMemory memory = domain.xen.memory;
    if (v.vcpuInfoPa == 0) {
      memory.fill(pa, Vcpu.VCPU_INFO_SIZE, (byte) 0);
      memory.writeByte(pa + Vcpu.UPCALL_MASK, (byte) 1);
    } else {
      byte[] old = new byte[Vcpu.VCPU_INFO_SIZE];
      memory.read(v.vcpuInfoPa, old, 0, old.length);
      memory.write(pa, old, 0, old.length);
    }
    v.vcpuInfoPa = pa;
    v.vcpuInfoRegistered = true;
    domain.channels.vcpuInfoMoved(v);
    v.time.writeSystemTime();
    return 0;
  }
}
