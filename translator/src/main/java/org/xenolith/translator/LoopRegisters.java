package org.xenolith.translator;

import static org.xenolith.translator.Host.STATE;

import java.util.List;

/**
 * Other homes for the second round of a loop: general registers that it uses and that have none otherwise are in the place of some that it
 * does not use, and those are in {@link State} meanwhile.
 */
final class LoopRegisters {
  private final int[] homes = Host.HOME.clone();

  /** The registers that have a home, and those whose homes these are, side by side. */
  private final int[] guests = new int[16];

  private final int[] hosts = new int[16];
  private int count;

  /**
   * @param loop the steps of one round
   */
  LoopRegisters(List<Step> loop) {
    int[] uses = new int[16];
    int used = 0;
    for (Step step : loop) {
      int registers = Registers.used(step.instruction, step.rule);
      used |= registers;
      for (int guest = 0; guest < 16; guest++) {
        uses[guest] += registers >> guest & 1;
      }
    }
    int free = 0;
    while (true) {
      while (free < 16 && (homes[free] < 0 || (used >> free & 1) != 0)) {
        free++;
      }
      int guest = mostUsed(uses);
      if (free == 16 || guest < 0) {
        return;
      }
      homes[guest] = homes[free];
      homes[free] = -1;
      guests[count] = guest;
      hosts[count++] = free;
    }
  }

  /** The register without a home that is used oftenest, or -1. */
  private int mostUsed(int[] uses) {
    int most = -1;
    for (int guest = 0; guest < 16; guest++) {
      if (homes[guest] < 0 && uses[guest] > (most < 0 ? 0 : uses[most])) {
        most = guest;
      }
    }
    return most;
  }

  /** Where the second round has the registers: {@link Host#HOME} itself if nowhere else. */
  int[] homes() {
    return count == 0 ? Host.HOME : homes;
  }

  /** Emits what takes the registers to these homes; the flags stay. */
  void enter(Emitter e) {
    for (int n = 0; n < count; n++) {
      int host = homes[guests[n]];
      e.store(STATE, TraceTranslator.register(hosts[n]), host);
      e.load(host, STATE, TraceTranslator.register(guests[n]));
    }
  }

  /** Emits what takes them back; the flags stay. */
  void leave(Emitter e) {
    for (int n = 0; n < count; n++) {
      int host = homes[guests[n]];
      e.store(STATE, TraceTranslator.register(guests[n]), host);
      e.load(host, STATE, TraceTranslator.register(hosts[n]));
    }
  }
}
