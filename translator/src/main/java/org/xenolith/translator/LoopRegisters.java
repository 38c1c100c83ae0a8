package org.xenolith.translator;

import static org.xenolith.translator.Host.STATE;

import java.util.List;

/**
 * Other homes for the second round of a loop: general registers that it uses and that have none otherwise are in the place of some that it
 * does not use, and those are in {@link State} meanwhile. Where there are more of them they hold host addresses of operands.
 */
final class LoopRegisters {
  private final int[] homes = Host.HOME.clone();

  /** The registers that have a home, and those whose homes these are, side by side. */
  private final int[] guests = new int[16];

  private final int[] hosts = new int[16];
  private int count;

  /** The steps of {@link LoopAddresses#origin} whose addresses are in registers, those registers, the guest's that have them otherwise. */
  private final int[] origins = new int[16], pointers = new int[16], displaced = new int[16];

  private int pointerCount;
  private final LoopAddresses addresses;

  /**
   * @param loop the steps of one round
   * @param addresses those of the loop, or null
   */
  LoopRegisters(List<Step> loop, LoopAddresses addresses) {
    this.addresses = addresses;
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
      if (free == 16) {
        return;
      }
      if (guest < 0) {
        int origin = addresses == null ? -1 : nextOrigin();
        if (origin < 0) {
          return;
        }
        origins[pointerCount] = origin;
        pointers[pointerCount] = homes[free];
        displaced[pointerCount++] = free;
        homes[free] = -1;
        continue;
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

  /** The next step of the second round whose operand's address is to be in a register, or -1. */
  private int nextOrigin() {
    int last = pointerCount == 0 ? -1 : origins[pointerCount - 1];
    return addresses.indexes().stream().mapToInt(n -> n).filter(n -> n > last && addresses.origin(n) == n).findFirst().orElse(-1);
  }

  /** The host register with the address of a step's operand or one near it, see {@link LoopAddresses#origin}, or -1. */
  int pointer(int index) {
    int origin = addresses.origin(index);
    for (int n = 0; n < pointerCount; n++) {
      if (origins[n] == origin) {
        return pointers[n];
      }
    }
    return -1;
  }

  /** Where the second round has the registers: {@link Host#HOME} itself if nowhere else. */
  int[] homes() {
    return count + pointerCount == 0 ? Host.HOME : homes;
  }

  /** Emits what takes the registers to these homes; the flags stay. */
  void enter(Emitter e) {
    for (int n = 0; n < count; n++) {
      int host = homes[guests[n]];
      e.store(STATE, TraceTranslator.register(hosts[n]), host);
      e.load(host, STATE, TraceTranslator.register(guests[n]));
    }
    for (int n = 0; n < pointerCount; n++) {
      e.store(STATE, TraceTranslator.register(displaced[n]), pointers[n]);
      e.load(pointers[n], STATE, addresses.place(origins[n]));
    }
  }

  /** Emits what takes them back; the flags stay. */
  void leave(Emitter e) {
    for (int n = 0; n < count; n++) {
      int host = homes[guests[n]];
      e.store(STATE, TraceTranslator.register(guests[n]), host);
      e.load(host, STATE, TraceTranslator.register(hosts[n]));
    }
    for (int n = 0; n < pointerCount; n++) {
      e.load(pointers[n], STATE, TraceTranslator.register(displaced[n]));
    }
  }
}
