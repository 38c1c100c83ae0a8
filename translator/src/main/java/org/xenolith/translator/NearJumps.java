package org.xenolith.translator;

import org.xenolith.cpu.Mmu;

/**
 * Where indirect jumps look first: a table in {@link State} of linear address and code address. It is good as long as no entry of the TLB
 * for fetches is lost and no translation dropped, so that nothing but the address must be compared. What is not here is looked for in
 * {@link JumpCache} and entered here.
 */
final class NearJumps {
  private static final int ENTRIES = 512, ENTRY_SHIFT = 4;

  /** What is left of an address that was shifted to the left by {@link #ENTRY_SHIFT} is the distance of its entry from {@link #TABLE}. */
  static final int MASK = ENTRIES - 1 << ENTRY_SHIFT;

  static final int BYTES = ENTRIES << ENTRY_SHIFT;

  /** Where in the state it is, on a multiple of 64 bytes as the tables of the TLB are. */
  static final int TABLE = State.TLB - Mmu.ENGINE_BYTES;

  static final int ROTATE = 32 - ENTRY_SHIFT;

  static final int CODE = TABLE + 8;

  private NearJumps() {}

  /** Empties the table of a state. */
  static void clear(long state) {
    Native.fill(state + TABLE, BYTES, 0);
    // The address 0 would be found at its entry, and this is not: it has another one.
    Native.putLong(state + TABLE, 1);
  }
}
