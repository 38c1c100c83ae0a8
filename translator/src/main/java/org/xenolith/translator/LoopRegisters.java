package org.xenolith.translator;

import static org.xenolith.translator.Host.STATE;

import java.util.ArrayList;
import java.util.List;

/**
 * Other homes for the second round of a loop: general registers that it uses and that have none otherwise are in the place of some that it
 * does not use, and those are in {@link State} meanwhile. Where there are more of them they hold host addresses of operands.
 */
final class LoopRegisters {
  private final int[] homes = Host.HOME.clone();

  /**
   * A register of the host that holds something else in the second round.
   *
   * @param displaced the register of the guest that it holds otherwise
   * @param place where in the state there is what it holds instead
   * @param origin the step of {@link LoopAddresses#origin} whose address that is, or -1 for a register of the guest
   */
  private record Move(int host, int displaced, int place, int origin) {
    boolean isPointer() {
      return origin >= 0;
    }
  }

  private final List<Move> moves = new ArrayList<>();

  /**
   * @param loop the steps of one round
   * @param addresses those of the loop, or null
   */
  LoopRegisters(List<Step> loop, LoopAddresses addresses) {
    int[] uses = new int[16];
    int used = 0;
    for (Step step : loop) {
      int registers = Registers.used(step.instruction, step.rule);
      used |= registers;
      for (int guest = 0; guest < 16; guest++) {
        uses[guest] += registers >> guest & 1;
      }
    }
    int origin = nextOrigin(addresses, -1);
    for (int free = 0; free < 16; free++) {
      if (homes[free] < 0 || (used >> free & 1) != 0) {
        continue;
      }
      int host = homes[free];
      int guest = mostUsed(uses);
      if (guest >= 0) {
        moves.add(new Move(host, free, TraceTranslator.register(guest), -1));
        homes[guest] = host;
      } else if (origin >= 0) {
        moves.add(new Move(host, free, addresses.of(origin).place, origin));
        origin = nextOrigin(addresses, origin);
      } else {
        return;
      }
      homes[free] = -1;
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
  private static int nextOrigin(LoopAddresses addresses, int last) {
    if (addresses != null) {
      for (LoopAddresses.Address address : addresses.all()) {
        if (address.step > last && addresses.origin(address.step) == address.step) {
          return address.step;
        }
      }
    }
    return -1;
  }

  /** The host register with the address of a step's operand or one near it, see {@link LoopAddresses#origin}, or -1. */
  int pointer(LoopAddresses addresses, int index) {
    int origin = addresses.origin(index);
    for (Move move : moves) {
      if (move.isPointer() && move.origin == origin) {
        return move.host;
      }
    }
    return -1;
  }

  /** Where the second round has the registers: {@link Host#HOME} itself if nowhere else. */
  int[] homes() {
    return moves.isEmpty() ? Host.HOME : homes;
  }

  /** Emits what takes the registers to these homes; the flags stay. */
  void enter(Emitter e) {
    for (Move move : moves) {
      e.store(STATE, TraceTranslator.register(move.displaced), move.host);
      e.load(move.host, STATE, move.place);
    }
  }

  /** Emits what takes them back; the flags stay. */
  void leave(Emitter e) {
    for (Move move : moves) {
      if (!move.isPointer()) {
        e.store(STATE, move.place, move.host);
      }
      e.load(move.host, STATE, TraceTranslator.register(move.displaced));
    }
  }
}
