package org.xenolith.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.cpu.Clock;

@Timeout(20)
class SchedulerTest {
  private final Clock clock = new Clock();
  private final EventQueue events = new EventQueue();
  private final List<String> log = new ArrayList<>();

  /** Runs as long as it may, or gives up after some counts. */
  private final class Worker implements Scheduler.Runner {
    final String name;
    boolean runnable = true;
    long burst = Long.MAX_VALUE;

    Worker(String name) {
      this.name = name;
    }

    @Override
    public boolean runnable() {
      return runnable;
    }

    @Override
    public boolean run(long until) {
      long to = Math.min(until, burst == Long.MAX_VALUE ? until : clock.now + burst);
      log.add(name + " " + clock.now + "-" + to);
      clock.now = to;
      return to == until;
    }
  }

  private Scheduler scheduler(Worker... workers) {
    return new Scheduler(clock, events, List.of(workers), Scheduler.Idle.SKIP);
  }

  @Test
  void turnsHaveAFixedLength() {
    assertThat(scheduler(new Worker("a"), new Worker("b")).run(50_000, () -> false)).isEqualTo(Scheduler.End.LIMIT);
    assertThat(log).containsExactly("a 0-20000", "b 20000-40000", "a 40000-50000");
  }

  @Test
  void anEventDoesNotEndATurn() {
    events.at(5_000, () -> log.add("event"));
    scheduler(new Worker("a"), new Worker("b")).run(30_000, () -> false);
    assertThat(log).containsExactly("a 0-5000", "event", "a 5000-20000", "b 20000-30000");
  }

  @Test
  void whoGivesUpItsTurnLetsTheOthersRun() {
    Worker a = new Worker("a");
    a.burst = 100;
    scheduler(a, new Worker("b")).run(20_200, () -> false);
    assertThat(log).containsExactly("a 0-100", "b 100-20100", "a 20100-20200");
  }

  @Test
  void idleTimeIsSkippedAndDoesNotCountForTheLimit() {
    Worker a = new Worker("a");
    a.runnable = false;
    events.at(1_000_000, () -> a.runnable = true);
    Scheduler scheduler = scheduler(a);
    assertThat(scheduler.run(10, () -> false)).isEqualTo(Scheduler.End.LIMIT);
    assertThat(log).containsExactly("a 1000000-1000010");
    assertThat(scheduler.idle()).isEqualTo(1_000_000);
  }

  @Test
  void anEventBeyondTheHorizonWakesNobody() {
    Worker a = new Worker("a");
    a.runnable = false;
    events.at(Long.MAX_VALUE - 1, () -> a.runnable = true);
    assertThat(scheduler(a).run(10, () -> false)).isEqualTo(Scheduler.End.DEADLOCK);
    assertThat(clock.now).isZero();
  }

  @Test
  void aCancelledEventDoesNotHappen() {
    EventQueue.Event event = events.at(10, () -> log.add("cancelled"));
    events.at(20, () -> log.add("event"));
    event.cancel();
    assertThat(events.next()).isEqualTo(20);
    events.runUntil(30);
    assertThat(log).containsExactly("event");
  }

  @Test
  void aRunWithoutLimitGoesOnAfterIdleTime() {
    Worker a = new Worker("a");
    a.runnable = false;
    events.at(5_000, () -> a.runnable = true);
    Scheduler scheduler = scheduler(a);
    events.at(20_000, scheduler::stop);
    assertThat(scheduler.run(Long.MAX_VALUE, () -> false)).isEqualTo(Scheduler.End.STOPPED);
    assertThat(log).containsExactly("a 5000-20000");
  }

  @Test
  void nobodyToRunAndNothingToComeIsADeadlock() {
    Worker a = new Worker("a");
    a.runnable = false;
    assertThat(scheduler(a).run(10, () -> false)).isEqualTo(Scheduler.End.DEADLOCK);
  }

  @Test
  void aTickerThatWakesNobodyIsADeadlockInTheEnd() {
    Worker a = new Worker("a");
    a.runnable = false;
    Runnable[] tick = new Runnable[1];
    tick[0] = () -> events.at(clock.now + 1_000, tick[0]);
    events.at(0, tick[0]);
    assertThat(scheduler(a).run(Long.MAX_VALUE, () -> false)).isEqualTo(Scheduler.End.DEADLOCK);
  }

  @Test
  void itStopsWhenAskedOrWhenTheConditionHolds() {
    Scheduler scheduler = scheduler(new Worker("a"));
    events.at(100, scheduler::stop);
    assertThat(scheduler.run(1_000, () -> false)).isEqualTo(Scheduler.End.STOPPED);
    assertThat(clock.now).isEqualTo(100);
    assertThat(scheduler(new Worker("b")).run(1_000, () -> clock.now == 100)).isEqualTo(Scheduler.End.STOPPED);
    assertThat(log).containsExactly("a 0-100");
  }
}
