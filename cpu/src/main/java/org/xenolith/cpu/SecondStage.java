package org.xenolith.cpu;

/**
 * The second stage of translation: from the guest's physical frames (gfn) to machine frames (AMD64 APM volume 2, section 15.25, nested
 * paging). Consulted on a TLB miss for each table entry the walk reads and for the page itself; one TLB entry caches both stages, so who
 * changes the second stage flushes ({@link Mmu#flushAll}).
 */
public interface SecondStage {
  /** Rights in an {@link #entry}. */
  long READ = 1, WRITE = 2, EXECUTE = 4;

  /** An {@link #entry} with no machine frame behind it: the access goes to the {@link Bus} by its guest-physical address. */
  long EMULATED = 0;

  /**
   * Looks a guest frame up.
   *
   * @param gfn below 2^(physicalBits - 12)
   * @return {@code mfn << 12} with rights in the low bits; {@link #EMULATED}; a right that an access needs and that is missing is an {@link
   *     Exit.SecondStageViolation}
   */
  long entry(long gfn);

  /**
   * Like {@link #entry}, for who looks at the guest from outside: nothing of the machine changes by it. A frame that gets its contents only
   * when it is first used, and has not been, is none here.
   */
  default long look(long gfn) {
    return entry(gfn);
  }

  /** How many of its own tables' entries the last {@link #entry} read, 1 to 4. */
  int references();
}
