package org.xenolith.translator;

import java.util.HashMap;
import java.util.Map;

/**
 * Numbers for the pages of code that jumps from other pages lead to, and in each {@link State} a byte for each: it is 1 where a jump has
 * seen that the TLB's fetch entry has that page at that place in the host, and no such entry was lost since. So a jump into another page
 * compares one byte, mostly.
 */
final class SeenPages {
  private static final int MOST = 4096;

  private static final int TABLE = NearJumps.TABLE + NearJumps.BYTES;

  /** Linear address and host address of a page. */
  private record Page(long va, long host) {}

  private final Map<Page, Integer> numbers = new HashMap<>();

  /** So many numbers were in use at some time. */
  private int used;

  /** The place in the state of a page's byte, or 0 if there are no more. */
  int place(long va, long host) {
    Page page = new Page(va, host);
    Integer number = numbers.get(page);
    if (number == null) {
      if (numbers.size() == MOST) {
        return 0;
      }
      number = numbers.size();
      numbers.put(page, number);
      used = Math.max(used, numbers.size());
    }
    return TABLE + number;
  }

  /** Forgets all numbers; each state is to forget what was seen in it before machine code is entered again. */
  void clear() {
    numbers.clear();
  }

  /** Forgets what was seen in a state. */
  void clear(long state) {
    Native.fill(state + TABLE, used, 0);
  }
}
