package org.xenolith.cpu;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Where a debugger outside the guest wants the processors of a machine to stop: before instructions, behind accesses to memory, before
 * every instruction. Addresses are linear and hold in every address space, on every processor.
 *
 * <p>The guest cannot find it, and the run stays what it is: nothing is written into the guest's memory or debug registers, RFLAGS.TF stays
 * as it is, nothing is counted on the clock, blocks and TLB entries are made and used as without. Not safe for several threads: to be
 * used on the one that runs the machine.
 */
public final class Breakpoints implements DataWatcher {
  /** Who is asked before instructions. */
  public interface Listener {
    /**
     * A processor is about to run the instruction at its RIP, where a stop was wanted. All registers are exact, and the machine stands
     * still until the method returns.
     *
     * @return whether registers or memory were changed meanwhile
     */
    boolean before(Cpu cpu);
  }

  /**
   * A watchpoint.
   *
   * @param va the first linear address
   * @param length bytes watched, at least 1
   * @param reads whether reads count
   * @param writes whether writes count
   */
  public record Watchpoint(long va, long length, boolean reads, boolean writes) {
    private boolean sees(long at, int size, int access) {
      return (access == Mmu.WRITE ? writes : reads) && at - va < length && va - at < size;
    }
  }

  /**
   * A watchpoint that was hit.
   *
   * @param point which
   * @param processor whose access it was
   * @param va the access's linear address, or that of its part inside the page
   */
  public record Hit(Watchpoint point, Cpu processor, long va) {}

  private final Listener listener;
  private final List<Cpu> cpus = new ArrayList<>();
  private final List<Watchpoint> watchpoints = new ArrayList<>();

  /** Instruction breakpoints, ascending. */
  private long[] addresses = {};

  private boolean everywhere;
  private Hit hit;

  /** Watches no processor yet; {@link Cpu#debug} is for that. */
  public Breakpoints(Listener listener) {
    this.listener = listener;
  }

  // ---- For the debugger ----

  /** Sets a breakpoint before the instruction at {@code va}; twice is as once. */
  public void add(long va) {
    if (!has(va)) {
      addresses = Arrays.copyOf(addresses, addresses.length + 1);
      addresses[addresses.length - 1] = va;
      Arrays.sort(addresses);
      changed();
    }
  }

  /** Takes the breakpoint at {@code va} away, if there is one. */
  public void remove(long va) {
    addresses = Arrays.stream(addresses).filter(a -> a != va).toArray();
    changed();
  }

  /** Sets a watchpoint; twice is as once. */
  public void add(Watchpoint point) {
    if (!watchpoints.contains(point)) {
      watchpoints.add(point);
      changed();
    }
  }

  /** How many watchpoints are set. */
  public int watchpoints() {
    return watchpoints.size();
  }

  /** Takes a watchpoint away, if it is set, and forgets that it was hit. */
  public void remove(Watchpoint point) {
    watchpoints.remove(point);
    if (hit != null && hit.point.equals(point)) {
      hit = null;
    }
    changed();
  }

  /** Whether there is a breakpoint at {@code va}. */
  public boolean has(long va) {
    return Arrays.binarySearch(addresses, va) >= 0;
  }

  /** Whether the listener is asked before every instruction. */
  public void everywhere(boolean wanted) {
    everywhere = wanted;
    changed();
  }

  /** The first access that hit a watchpoint since the last call, or null. While there is one, the listener is asked everywhere. */
  public Hit takeHit() {
    Hit taken = hit;
    hit = null;
    return taken;
  }

  /** Forgets everything, as before a debugger came. */
  public void clear() {
    addresses = new long[0];
    watchpoints.clear();
    everywhere = false;
    hit = null;
    changed();
  }

  private void changed() {
    cpus.forEach(Cpu::breakpointsChanged);
  }

  // ---- For the processors ----

  void attach(Cpu cpu) {
    cpus.add(cpu);
  }

  /** Whether a processor must look at all. */
  boolean any() {
    return everywhere || addresses.length > 0 || !watchpoints.isEmpty();
  }

  boolean anyWatchpoint() {
    return !watchpoints.isEmpty();
  }

  /** Whether a stop may be wanted before an instruction of a block, whose linear address and length these are. */
  boolean inside(long blockVa, int length) {
    if (everywhere || !watchpoints.isEmpty()) {
      return true;
    }
    for (long va : addresses) {
      if (Long.compareUnsigned(va - blockVa, length) < 0) {
        return true;
      }
    }
    return false;
  }

  /** Whether to ask before the instruction at {@code va}. */
  boolean stopsAt(long va) {
    return everywhere || hit != null || has(va);
  }

  boolean ask(Cpu cpu) {
    return listener.before(cpu);
  }

  /** An access that did not fault; inside one page. */
  @Override
  public void accessed(Cpu cpu, long va, long pa, int size, int access) {
    for (Watchpoint point : watchpoints) {
      if (hit == null && point.sees(va, size, access)) {
        hit = new Hit(point, cpu, va);
      }
    }
  }
}
