package org.xenolith.translator;

import static org.xenolith.translator.Host.A;
import static org.xenolith.translator.Host.B;
import static org.xenolith.translator.Host.STATE;

import org.xenolith.cpu.GuestMemory;

/** Machine code that is not a translation: the way in, the way out, the way into another page. */
final class Stubs {
  /** What the host's calling convention (System V) has a callee keep, beside RSP. */
  private static final int[] KEPT = {Host.RBX, Host.RBP, 12, 13, 14, 15};

  private Stubs() {}

  /** Called with {@link State#base} and an address: loads the guest's registers and goes on there. */
  static void enter(Emitter e) {
    for (int register : KEPT) {
      e.plain(0, register >> 3, Emitter.MAP_ONE, 0x50 | register & 7);
    }
    e.move(STATE, Host.RDI);
    e.move(A, Host.RSI);
    for (int guest = 0; guest < 16; guest++) {
      if (Host.HOME[guest] >= 0) {
        e.load(Host.HOME[guest], STATE, TraceTranslator.register(guest));
      }
    }
    e.withRegister(0, 0, Emitter.MAP_ONE, 0xff, 4, A);
  }

  /** Jumped to: stores the guest's registers and returns the number of the site. */
  static void leave(Emitter e) {
    for (int guest = 0; guest < 16; guest++) {
      if (Host.HOME[guest] >= 0) {
        e.store(STATE, TraceTranslator.register(guest), Host.HOME[guest]);
      }
    }
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x80, Emitter.CMP, STATE, State.SSE);
    e.u8(State.SSE_IN_HOST);
    int skip = e.jump(5);
    sse(e, 0x29);
    markSse(e, State.SSE_HERE);
    e.bindHere(skip);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0x8b, Host.RAX, STATE, State.SITE);
    for (int n = KEPT.length - 1; n >= 0; n--) {
      e.plain(0, KEPT[n] >> 3, Emitter.MAP_ONE, 0x58 | KEPT[n] & 7);
    }
    e.plain(0, 0, Emitter.MAP_ONE, 0xc3);
  }

  /** Called: returns what a CPUID leaf (subleaf 0) leaves in a register. */
  static void cpuid(Emitter e, int leaf, int register) {
    e.move(Host.RSI, Host.RBX);
    e.constant(Host.RAX, leaf);
    e.constant(Host.RCX, 0);
    e.plain(0, 0, Emitter.MAP_0F, 0xa2);
    e.move(Host.RAX, register);
    e.move(Host.RBX, Host.RSI);
    e.plain(0, 0, Emitter.MAP_ONE, 0xc3);
  }

  /** Called: takes the SSE registers from the state to the host. */
  static void loadSse(Emitter e) {
    sse(e, 0x28);
    markSse(e, State.SSE_IN_HOST);
    e.withMemory(0, 0, Emitter.MAP_ONE, 0xc6, 0, STATE, State.SSE_USED);
    e.u8(1);
    e.plain(0, 0, Emitter.MAP_ONE, 0xc3);
  }

  /**
   * Called with the place of the TLB's entry for the stack in {@link Host#B}: remembers what {@code table} has there; for later, too, if
   * the other table has the same. Changes both free registers and the flags.
   */
  static void stackPage(Emitter e, int table, int other) {
    e.loadIndexed(A, STATE, B, State.TLB + table);
    e.arithmeticIndexed(Emitter.CMP, A, STATE, B, State.TLB + other);
    int otherPage = e.jump(TraceTranslator.JNE);
    e.store(STATE, State.STACK_PAGE, A);
    e.loadIndexed(A, STATE, B, State.TLB + table + 8);
    e.arithmeticIndexed(Emitter.CMP, A, STATE, B, State.TLB + other + 8);
    int elsewhere = e.jump(TraceTranslator.JNE);
    e.arithmeticMemory(Emitter.SUB, A, STATE, State.STACK_PAGE);
    e.store(STATE, State.STACK_DELTA, A);
    stackLimits(e, true);
    e.plain(0, 0, Emitter.MAP_ONE, 0xc3);
    e.bindHere(otherPage);
    e.bindHere(elsewhere);
    e.loadIndexed(A, STATE, B, State.TLB + table + 8);
    e.arithmeticIndexed(Emitter.SUB, A, STATE, B, State.TLB + table);
    e.store(STATE, State.STACK_DELTA, A);
    stackLimits(e, false);
    e.plain(0, 0, Emitter.MAP_ONE, 0xc3);
  }

  private static void stackLimits(Emitter e, boolean good) {
    for (int n = 0; n < State.STACK_BYTES.length; n++) {
      e.withMemory(0, 8, Emitter.MAP_ONE, 0xc7, 0, STATE, State.STACK_LIMITS + 8 * n);
      e.u32(good ? GuestMemory.FRAME_SIZE - State.STACK_BYTES[n] + 1 : 0);
    }
  }

  private static void sse(Emitter e, int opcode) {
    for (int n = 0; n < Host.XMM_SCRATCH; n++) {
      e.withMemory(0, 0, Emitter.MAP_0F, opcode, n, STATE, State.XMM + 16 * n);
    }
  }

  private static void markSse(Emitter e, int place) {
    e.withMemory(0, 0, Emitter.MAP_ONE, 0xc6, 0, STATE, State.SSE);
    e.u8(place);
  }

  /**
   * Jumped to: goes on at {@code code} if the TLB's fetch entry says that a page is at a host address, else at {@code otherwise}.
   *
   * @param seen the place of the page's byte of {@link SeenPages}, or 0
   * @return where it is entered: before that there is what it compares with, in an aligned place that is known
   */
  static int otherPage(Emitter e, long page, long host, int seen, long code, long otherwise) {
    e.align(16);
    int pages = e.position();
    e.u64(page);
    e.u64(host);
    int entry = e.position();
    if (seen != 0) {
      e.withMemory(0, 0, Emitter.MAP_ONE, 0x80, Emitter.CMP, STATE, seen);
      e.u8(0);
      e.bind(e.jump(TraceTranslator.JNE), code);
    }
    e.withMemory(0xf3, 0, Emitter.MAP_0F, 0x6f, Host.XMM_SCRATCH, STATE, State.entry(page, TraceTranslator.FETCH));
    // pcmpeqb xmm, [rip + ...]
    e.plain(0x66, Host.XMM_SCRATCH >> 3 << 2, Emitter.MAP_0F, 0x74);
    e.u8((Host.XMM_SCRATCH & 7) << 3 | 5);
    e.u32(pages - (e.position() + 4));
    e.withRegister(0x66, 0, Emitter.MAP_0F, 0xd7, A, Host.XMM_SCRATCH);
    e.arithmeticImmediate(Emitter.CMP, 0, A, 0xffff);
    e.bind(e.jump(TraceTranslator.JNE), otherwise);
    if (seen != 0) {
      e.withMemory(0, 0, Emitter.MAP_ONE, 0xc6, 0, STATE, seen);
      e.u8(1);
    }
    e.jumpTo(code);
    return entry;
  }
}
