package org.xenolith.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.cpu.Clock;

@Timeout(20)
class SchedulerTest {
  private final Clock clock = new Clock();
  private final EventQueue events = new EventQueue();
  private boolean awake;

  /** Sleeps until it is woken, then runs for as long as it may. */
  private final Scheduler.Runner sleeper =
      new Scheduler.Runner() {
        @Override
        public boolean runnable() {
          return awake;
        }

        @Override
        public boolean run(long until) {
          clock.now = Math.max(clock.now, until);
          return true;
        }
      };

  private final Scheduler scheduler = new Scheduler(clock, events, List.of(sleeper), Scheduler.Idle.SKIP);

  @Test
  void idleTimeIsSkippedAndDoesNotCountForTheLimit() {
    events.at(5_000, () -> awake = true);
    assertThat(scheduler.run(1_000, () -> false)).isEqualTo(Scheduler.End.LIMIT);
    assertThat(clock.now).isEqualTo(6_000);
    assertThat(scheduler.idle()).isEqualTo(5_000);
  }

  @Test
  void aRunWithoutLimitGoesOnAfterIdleTime() {
    events.at(5_000, () -> awake = true);
    events.at(1_000_000, scheduler::stop);
    assertThat(scheduler.run(Long.MAX_VALUE, () -> false)).isEqualTo(Scheduler.End.STOPPED);
    assertThat(clock.now).isEqualTo(1_000_000);
  }

  @Test
  void nobodyToWakeIsADeadlock() {
    assertThat(scheduler.run(Long.MAX_VALUE, () -> false)).isEqualTo(Scheduler.End.DEADLOCK);
  }
}
