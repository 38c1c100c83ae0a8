package org.xenolith.xen;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.machine.EventQueue;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.mm.PvMmu;

/** One Xen: the machine it owns and what its domains share. */
public final class Hypervisor {
  public final GuestMemory memory;
  public final Clock clock;
  public final EventQueue events;
  public final CodeCache code;
  public final FrameTable frames;
  public final Observer observer;

  /** Checks and changes page tables, hands out memory, answers the hypercalls about them. */
  public final PvMmu mmu;

  /** The table of hypercalls. Each part of Xen adds its own. */
  public final Hypercalls hypercalls = new Hypercalls(this);

  /** The vcpu whose turn it is, or null before the first. */
  public Vcpu current;

  /** Running domains. */
  public final List<Domain> domains = new ArrayList<>();

  /**
   * Whether this is a debug build of Xen, which is stricter: it marks the entries that map grants by bit 62, which guests may then not set
   * themselves, and sends a #GP where such an entry is overwritten (_PAGE_GNTTAB, asm/x86_64/page.h).
   */
  public boolean debugBuild = true;

  /** Whether something unknown stops the run; otherwise the guest gets what a Xen without it answers. */
  public boolean stopOnUnknown = true;

  /** What stopped the run because it is unknown, or null. */
  public String unimplemented;

  /** Makes a Xen that owns all of {@code memory}. */
  public Hypervisor(GuestMemory memory, Clock clock, EventQueue events, CodeCache code, Observer observer) {
    this.memory = memory;
    this.clock = clock;
    this.events = events;
    this.code = code;
    this.frames = new FrameTable(memory.frames());
    this.observer = observer;
    this.mmu = new PvMmu(this);
  }

  /** The domain with this id, or null. */
  public Domain domain(int id) {
    for (Domain d : domains) {
      if (d.id == id) {
        return d;
      }
    }
    return null;
  }

  /**
   * Lets the clock count a piece of work inside a hypercall: a request of a list, a page table checked. A guest that keeps Xen busy with
   * few instructions meets its limit all the same.
   */
  public void countWork() {
    clock.now++;
  }

  /**
   * The answer to something that a real Xen has and this one does not: stops the run, naming it, unless the user wants to go on.
   *
   * @param what names it, such as "mmuext_op 21"
   * @return -ENOSYS, for the guest if the run goes on
   */
  public long unimplemented(String what) {
    if (stopOnUnknown && unimplemented == null) {
      unimplemented = what;
    }
    return -Errno.ENOSYS;
  }
}
