package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.STATE;
import static org.xenolith.translator.TraceTranslator.JA;
import static org.xenolith.translator.TraceTranslator.JAE;
import static org.xenolith.translator.TraceTranslator.JNE;
import static org.xenolith.translator.TraceTranslator.READ;
import static org.xenolith.translator.TraceTranslator.WRITE;

import org.xenolith.cpu.GuestMemory;

/** Emits the addresses of accesses that are in {@link Windows}. */
final class WindowAddresses {
  private final TraceTranslator t;
  private final Emitter e;

  /** Those of the trace, or null. */
  private final Windows windows;

  /** The window on the stack that was looked for last, or -1. */
  private int stackWindow = -1;

  WindowAddresses(TraceTranslator t, Windows windows) {
    this.t = t;
    this.e = t.emitter();
    this.windows = windows;
  }

  /** Whether a window that was looked for before a step is of use in it or behind it. */
  boolean openAt(int index) {
    return windows != null && windows.openAt(index);
  }

  /** Finds where an access is in the host, or leaves; false if it is in no window. */
  boolean find(Step step, int access) {
    if (windows == null) {
      return false;
    }
    if (windows.onStack(access) >= 0) {
      onStack(step, access);
      return true;
    }
    int place = windows.place(access);
    if (place == 0) {
      return false;
    }
    t.mayRetryHere();
    if (windows.isFirst(access)) {
      begin(access);
      t.check(step, windows.bytes(access), windows.table(access)).window = true;
      e.store(STATE, place, A);
    } else {
      e.load(A, STATE, place);
    }
    t.operandAt(A, windows.offset(access));
    return true;
  }

  /** Puts the linear address where an access's window begins into {@link Host#A}. */
  private void begin(int access) {
    int base = t.home(windows.register(access));
    if (base < 0) {
      base = A;
      e.load(A, STATE, TraceTranslator.register(windows.register(access)));
    }
    if (windows.begin(access) == 0) {
      e.move(A, base);
    } else {
      e.lea(A, base, -1, 0, windows.begin(access));
    }
  }

  private void onStack(Step step, int access) {
    t.mayRetryHere();
    if (windows.onStack(access) != stackWindow) {
      stackWindow = windows.onStack(access);
      lookForStack(step, access);
    }
    e.load(A, STATE, State.STACK_DELTA);
    int register = windows.register(access);
    if (t.home(register) >= 0) {
      t.operandAt(A, t.home(register), 0, windows.displacement(access));
    } else {
      // The host's flags stay.
      e.load(B, STATE, TraceTranslator.register(register));
      e.lea(A, A, B, 0, windows.displacement(access));
      t.operandAt(A, 0);
    }
  }

  private void lookForStack(Step step, int access) {
    begin(access);
    e.arithmeticMemory(Emitter.SUB, A, STATE, State.STACK_PAGE);
    e.arithmeticMemory(Emitter.CMP, A, STATE, State.stackLimit(windows.bytes(access)));
    Stub other = t.detour(step, JAE, this::emitOtherPage);
    other.back = e.position();
    t.mayRetry(other.miss, windows.writes(access) ? WRITE : READ, windows.bytes(access));
    other.miss.window = !windows.isSingle(stackWindow);
    if (windows.readsAndWrites(stackWindow)) {
      other.otherMiss = t.stub(step);
      other.otherMiss.window = true;
    }
    t.hostFlagsLost();
  }

  /** Looks for a window on the stack in the TLB, with its distance from the page known in {@link Host#A}. */
  private void emitOtherPage(Stub stub) {
    int table = stub.miss.access;
    e.arithmeticMemory(Emitter.ADD, A, STATE, State.STACK_PAGE);
    t.entry(A, table);
    e.arithmeticImmediate(Emitter.CMP, 8, A, GuestMemory.FRAME_SIZE - stub.miss.size);
    stub.miss.jumps.add(e.jump(JA));
    // Where there are reads and writes both must find the same.
    for (int at = 0; stub.otherMiss != null && at <= 8; at += 8) {
      e.loadIndexed(A, STATE, B, State.TLB + READ + at);
      e.arithmeticIndexed(Emitter.CMP, A, STATE, B, State.TLB + WRITE + at);
      stub.otherMiss.jumps.add(e.jump(JNE));
    }
    e.callTo(t.stackCode(table));
    e.jumpTo(e.address(stub.back));
  }
}
