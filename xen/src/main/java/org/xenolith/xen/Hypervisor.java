package org.xenolith.xen;

import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.machine.EventQueue;
import org.xenolith.xen.mm.FrameTable;

/** One Xen: the machine it owns and what its domains share. */
public final class Hypervisor {
  public final GuestMemory memory;
  public final Clock clock;
  public final EventQueue events;
  public final CodeCache code;
  public final FrameTable frames;
  public final Observer observer;

  /** Makes a Xen that owns all of {@code memory}. */
  public Hypervisor(GuestMemory memory, Clock clock, EventQueue events, CodeCache code, Observer observer) {
    this.memory = memory;
    this.clock = clock;
    this.events = events;
    this.code = code;
    this.frames = new FrameTable(memory.frames());
    this.observer = observer;
  }
}
