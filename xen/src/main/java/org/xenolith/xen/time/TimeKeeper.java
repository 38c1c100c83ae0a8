package org.xenolith.xen.time;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.machine.EventQueue;
import org.xenolith.xen.Domain;
import org.xenolith.xen.GuestStruct;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.event.EventChannels;

/**
 * Time as a guest gets it: the system time (ns since the machine started, which is the clock's count and the TSC), the wall clock, the time
 * spent in each run state, and timers that raise VIRQ_TIMER.
 */
public final class TimeKeeper {
  /** System time is (TSC - tsc_timestamp) * 2^shift * multiplier / 2^32: exactly 1 ns a tick (public header xen.h, vcpu_time_info). */
  public static final int TSC_TO_NS_MULTIPLIER = 0x8000_0000, TSC_TO_NS_SHIFT = 1;

  /** PVCLOCK_TSC_STABLE_BIT: every vcpu's TSC agrees. */
  private static final int TSC_STABLE = 1;

  /** Seconds since 1970 at which every machine starts: 2026-01-01 00:00:00 UTC. Nothing of the host's clock reaches a guest. */
  public static final long EPOCH = 1_767_225_600L;

  /** Run states (public header vcpu.h). */
  public static final int RUNNING = 0, RUNNABLE = 1, BLOCKED = 2, OFFLINE = 3;

  /** Offsets in struct shared_info, 64 bits. */
  private static final int WC_VERSION = 3072, WC_SEC = 3076, WC_NSEC = 3080, WC_SEC_HI = 3084;

  private static final long RUNSTATE_UPDATE = 1L << 63;

  /** Bytes of struct vcpu_time_info and struct vcpu_runstate_info. */
  private static final int TIME_SIZE = 32, RUNSTATE_SIZE = 48;

  private final Hypervisor xen;
  private final Vcpu vcpu;
  private int runState = OFFLINE;
  private EventQueue.Event singleshot, periodic, poll;
  private long period;
  private final GuestStruct area = new GuestStruct(RUNSTATE_SIZE);

  /** Since when the vcpu is in its run state, and the time spent in each, in ns. */
  private long since;

  private final long[] spent = new long[4];

  /** Linear addresses, 0 for none, of the guest's struct vcpu_runstate_info and of a second struct vcpu_time_info. */
  private long runstateArea, timeArea;

  /** The time of a vcpu that is offline. */
  public TimeKeeper(Vcpu vcpu) {
    this.vcpu = vcpu;
    this.xen = vcpu.domain.xen;
  }

  /** System time in ns. */
  public long now() {
    return xen.clock.now;
  }

  // ---- Clocks in memory ----

  /** Writes the wall clock's start into shared_info (update_domain_wallclock_time, common/time.c). */
  public static void writeWallClock(Domain domain) {
    GuestMemory memory = domain.xen.memory;
    long pa = domain.sharedInfoPa();
    int version = memory.readInt(pa + WC_VERSION) + 1 | 1;
    memory.writeInt(pa + WC_VERSION, version);
    memory.writeInt(pa + WC_SEC, (int) EPOCH);
    memory.writeInt(pa + WC_NSEC, 0);
    memory.writeInt(pa + WC_SEC_HI, (int) (EPOCH >>> 32));
    memory.writeInt(pa + WC_VERSION, version + 1);
  }

  /** Writes vcpu_info.time (force_update_vcpu_system_time, arch/x86/time.c). The rate never changes, so once is enough. */
  public void writeSystemTime() {
    if (vcpu.vcpuInfoPa != 0) {
      long pa = vcpu.vcpuInfoPa + Vcpu.TIME;
      putTime(xen.memory.readInt(pa));
      xen.memory.write(pa, area.bytes(), 0, TIME_SIZE);
    }
    writeTimeArea();
  }

  /** Writes the second copy of the time that the guest may have registered for its user mode. */
  private void writeTimeArea() {
    if (timeArea == 0) {
      return;
    }
    vcpu.runner.inKernelSpace(() -> {
      if (area.read(vcpu.cpu, timeArea, TIME_SIZE)) {
        putTime(area.getInt(0));
        area.write(vcpu.cpu, timeArea, TIME_SIZE);
      }
    });
  }

  /** Puts struct vcpu_time_info together; its version is even and not the one before. */
  private void putTime(int version) {
    area.clear();
    area.putInt(0, (version + 1 | 1) + 1);
    area.putLong(8, now());
    area.putLong(16, now());
    area.putInt(24, TSC_TO_NS_MULTIPLIER);
    area.putInt(28, TSC_TO_NS_SHIFT | TSC_STABLE << 8);
  }

  // ---- Run states ----

  /** Enters a run state and accounts for the one before (vcpu_runstate_change, common/sched/core.c). */
  public void enter(int state) {
    if (state == runState) {
      return;
    }
    spent[runState] += now() - since;
    since = now();
    runState = state;
    writeRunstate();
  }

  /** Has the run state kept up to date at a linear address of the guest's kernel. What it does not map is left out. */
  public void registerRunstate(long va) {
    runstateArea = va;
    writeRunstate();
  }

  /** Likewise a copy of the system time. */
  public void registerTime(long va) {
    timeArea = va;
    writeSystemTime();
  }

  /** Brings the guest's runstate area up to date, with the flag that tells of an update under way if it asked for that. */
  private void writeRunstate() {
    if (runstateArea == 0) {
      return;
    }
    vcpu.runner.inKernelSpace(() -> {
      area.putLong(0, runState);
      area.putLong(8, since | RUNSTATE_UPDATE);
      for (int n = 0; n < 4; n++) {
        area.putLong(16 + 8 * n, spent[n]);
      }
      boolean flag = (vcpu.domain.assists & Domain.ASSIST_RUNSTATE_UPDATE_FLAG) != 0;
      if (flag && !area.write(vcpu.cpu, runstateArea + 8, 8, 8)) {
        return;
      }
      area.putLong(8, since);
      area.write(vcpu.cpu, runstateArea, RUNSTATE_SIZE);
    });
  }

  /** struct vcpu_runstate_info now, the time in the present state included (vcpu_runstate_get). */
  public long[] runstate() {
    long[] info = {runState, since, spent[0], spent[1], spent[2], spent[3]};
    info[2 + runState] += now() - since;
    return info;
  }

  // ---- Timers ----

  /** Sets the one-shot timer to an absolute system time; a new time replaces the old. */
  public void setSingleshot(long due) {
    stopSingleshot();
    singleshot = xen.events.at(Math.max(due, now()), this::tick);
  }

  /** Takes the one-shot timer back. */
  public void stopSingleshot() {
    if (singleshot != null) {
      singleshot.cancel();
      singleshot = null;
    }
  }

  /** Sets the periodic timer; 0 stops it. */
  public void setPeriodic(long nanoseconds) {
    if (periodic != null) {
      periodic.cancel();
      periodic = null;
    }
    period = nanoseconds;
    if (period != 0) {
      periodic = xen.events.at(now() + period, this::periodicTick);
    }
  }

  private void periodicTick() {
    periodic = xen.events.at(now() + period, this::periodicTick);
    // A tick comes only to a vcpu that is up.
    if (vcpu.state != Vcpu.State.DOWN) {
      tick();
    }
  }

  private void tick() {
    vcpu.domain.channels.raiseVirq(vcpu, EventChannels.VIRQ_TIMER);
  }

  /** Ends SCHEDOP_poll at an absolute system time. */
  public void setPoll(long due) {
    poll = xen.events.at(Math.max(due, now()), vcpu::wake);
  }

  /** Takes the time-out of SCHEDOP_poll back. */
  public void stopPoll() {
    if (poll != null) {
      poll.cancel();
      poll = null;
    }
  }
}
