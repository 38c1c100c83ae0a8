package org.xenolith.xen.mm;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.FrameEvent;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Vcpu;

/**
 * The PV MMU: guests write no page table themselves, they ask Xen, which keeps them from mapping what is not theirs, from writing page
 * tables and from inventing privileged descriptors. This class is what the rest of Xen uses of it; it makes the parts and puts the
 * hypercalls of this package into the table.
 */
public final class PvMmu {
  /** Machine frames below this are I/O space (the first MiB, as on a PC). */
  public static final int IO_FRAMES = 256;

  private static final int MMU_UPDATE = 1, SET_GDT = 2, UPDATE_DESCRIPTOR = 10, MEMORY_OP = 12, UPDATE_VA_MAPPING = 14;
  private static final int UPDATE_VA_MAPPING_OTHERDOMAIN = 22, MMUEXT_OP = 26;

  private final Hypervisor xen;
  private final FrameTable frames;
  private final Refusals refusals;
  private final FrameLog log;
  private final TlbFlushes tlb;
  private final FrameAllocator allocator;
  private final PageTypes types;
  private final EntryUpdates updates;
  private final MachineToPhys m2p;
  private final DescriptorTables descriptors;
  private final Roots roots;
  private final WritablePageTables writableTables;
  private final MemoryOp memoryOp;
  private final long privateTableMfn;

  /** Makes the MMU of a Xen, takes possession of all frames and registers its hypercalls. */
  public PvMmu(Hypervisor xen) {
    this.xen = xen;
    this.frames = xen.frames;
    this.refusals = new Refusals(xen);
    this.log = new FrameLog(xen);
    this.tlb = new TlbFlushes(frames);
    this.allocator = new FrameAllocator(frames, tlb, log);
    this.m2p = new MachineToPhys(xen.memory, frames);
    this.types = new PageTypes(xen, allocator, tlb, refusals, log);
    this.updates = new EntryUpdates(xen, types.tables(), refusals, log);
    this.descriptors = new DescriptorTables(this);
    this.roots = new Roots(this);
    long io = Math.min(IO_FRAMES, frames.frames());
    for (long mfn = 0; mfn < io; mfn++) {
      frames.setOwner(mfn, FrameTable.DOMID_IO);
      frames.setCount(mfn, 1);
      frames.setType(mfn, FrameTable.WRITABLE);
      frames.setTypeCount(mfn, 1);
      frames.set(mfn, FrameTable.VALIDATED | FrameTable.ALLOCATED);
    }
    allocator.add(io, frames.frames() - io);
    m2p.build(allocator);
    this.privateTableMfn = m2p.ownFrame(allocator);
    this.writableTables = new WritablePageTables(this);
    VaMapping vaMapping = new VaMapping(this);
    xen.hypercalls.set(MMU_UPDATE, new MmuUpdate(this));
    xen.hypercalls.set(UPDATE_VA_MAPPING, vaMapping::own);
    xen.hypercalls.set(UPDATE_VA_MAPPING_OTHERDOMAIN, vaMapping::otherDomain);
    xen.hypercalls.set(MMUEXT_OP, new MmuextOp(this));
    this.memoryOp = new MemoryOp(this);
    xen.hypercalls.set(MEMORY_OP, memoryOp);
    xen.hypercalls.set(SET_GDT, descriptors::setGdt);
    xen.hypercalls.set(UPDATE_DESCRIPTOR, descriptors::updateDescriptor);
  }

  /** How many frames a machine needs so that a domain with {@code guestFrames} fits beside what Xen takes and keeps in reserve. */
  public static long machineFrames(long guestFrames) {
    long reserve = 512 + guestFrames / 64;
    long frames = guestFrames + IO_FRAMES + reserve;
    // The large pages of the machine-to-physical table need alignment; its size depends on the sum.
    return frames + MachineToPhys.framesNeeded(frames + frames / 128 + 2048) + 512;
  }

  // ---- For the rest of Xen ----

  /** The machine-to-physical table. */
  public MachineToPhys m2p() {
    return m2p;
  }

  /** Descriptor tables and the frames they lie in. */
  public DescriptorTables descriptors() {
    return descriptors;
  }

  /** Carries out stores to page tables. */
  public WritablePageTables writableTables() {
    return writableTables;
  }

  /** Roots of vcpus. */
  public Roots roots() {
    return roots;
  }

  /** Drops all translations of a vcpu, as a whole TLB flush on its processor does. */
  public void flushTlb(Vcpu vcpu) {
    tlb.flush(vcpu);
  }

  /**
   * Takes a zeroed frame of Xen's for use with a domain, which may map it (share_xen_page_with_guest): shared_info, grant table frames.
   *
   * @return the frame, or -1 if no memory is left
   */
  public long shareFrame(Domain domain, boolean writable) {
    long mfn = allocator.take(0);
    if (mfn >= 0) {
      tlb.flushStale(domain, mfn);
      xen.memory.fill(mfn << GuestMemory.FRAME_SHIFT, GuestMemory.FRAME_SIZE, (byte) 0);
      frames.setOwner(mfn, domain.id);
      frames.setCount(mfn, 1);
      frames.setType(mfn, writable ? FrameTable.WRITABLE : FrameTable.NONE);
      frames.setTypeCount(mfn, 1);
      frames.set(mfn, FrameTable.XEN_HEAP | FrameTable.ALLOCATED | FrameTable.VALIDATED);
    }
    return mfn;
  }

  /** Whether the domain maps a frame of {@link #shareFrame}; it may have given up the reference of the owner itself. */
  public boolean isMapped(long mfn) {
    return frames.count(mfn) > (frames.is(mfn, FrameTable.ALLOCATED) ? 1 : 0);
  }

  /** Takes a frame of {@link #shareFrame} back; false if the domain still maps it. */
  public boolean takeBackFrame(long mfn) {
    if (isMapped(mfn)) {
      return false;
    }
    m2p.set(mfn, FrameTable.INVALID_PFN);
    frames.setCount(mfn, 0);
    frames.setTypeCount(mfn, 0);
    allocator.release(mfn);
    return true;
  }

  /**
   * Gives a new domain its memory: whole 2 MiB runs in an order that the seed chooses, then single frames; no pfn is its own mfn.
   *
   * @return the frame of each pfn
   * @throws IllegalStateException if the machine has not enough free frames
   */
  public long[] populate(Domain domain, int pages, long seed) {
    long[] p2m = new FrameShuffle(allocator, frames.frames(), seed).take(pages);
    for (int pfn = 0; pfn < pages; pfn++) {
      allocator.assign(domain, p2m[pfn], 0);
      m2p.set(p2m[pfn], pfn);
    }
    return p2m;
  }

  /**
   * Pins a new domain's root as an L4 table, as its builder does.
   *
   * @throws IllegalStateException if it breaks the rules
   */
  public void pinRoot(Domain domain, long mfn) {
    int rc = types.getPageAndType(mfn, FrameTable.L4, domain.id);
    if (rc != 0) {
      throw new IllegalStateException("the initial page tables break rule " + refusals.text());
    }
    frames.set(mfn, FrameTable.PINNED);
    log.frame(FrameEvent.Kind.PINNED, mfn);
    refusals.forgetAll();
  }

  /** Takes a reference to a frame that must be the domain's; false if it is not. {@link #putPage} gives it up. */
  public boolean getPage(Domain domain, long mfn) {
    boolean got = types.getPage(mfn, domain.id) == 0;
    refusals.forget();
    return got;
  }

  /** Takes a reference to a domain's frame for writing by Xen or a device; false if it is not the domain's or not writable. */
  public boolean getWritablePage(Domain domain, long mfn) {
    boolean got = types.getPageAndType(mfn, FrameTable.WRITABLE, domain.id) == 0;
    refusals.forget();
    return got;
  }

  /** Gives up what {@link #getPage} took. */
  public void putPage(long mfn) {
    types.putPage(mfn);
  }

  /** Gives up what {@link #getWritablePage} took. */
  public void putWritablePage(long mfn) {
    types.putPageAndType(mfn);
  }

  // ---- For containers, whose frame numbers are translated ----

  /** memory_op as a PV domain gets it; what needs no frame numbers is the same for every domain. */
  public MemoryOp memoryOp() {
    return memoryOp;
  }

  /**
   * Gives a domain 2^order more frames in a row, unless it owns as many as it may.
   *
   * @param flags memory flags of a reservation: they may limit the address
   * @return the first, or -1
   */
  public long allocate(Domain domain, int order, int flags) {
    boolean allowed = domain.totalPages + (1L << order) <= domain.maxPages;
    long mfn = allowed ? allocator.take(order, Reservations.limitMfn(flags)) : -1;
    if (mfn >= 0) {
      allocator.assign(domain, mfn, order);
    }
    return mfn;
  }

  /** Gives up the domain's own reference to a frame, if it still has it (put_page_alloc_ref). The caller holds another. */
  public void dropAllocation(long mfn) {
    types.putAllocation(mfn);
  }

  /** Drops all translations of a domain's vcpus. */
  public void flushTlb(Domain domain) {
    tlb.flush(domain);
  }

  // ---- For this package ----

  Hypervisor xen() {
    return xen;
  }

  FrameTable frames() {
    return frames;
  }

  Refusals refusals() {
    return refusals;
  }

  FrameLog log() {
    return log;
  }

  TlbFlushes tlb() {
    return tlb;
  }

  FrameAllocator allocator() {
    return allocator;
  }

  PageTypes types() {
    return types;
  }

  /** An empty L3 table for the slots of a root that only Xen uses: what it has there is in Java, but a guest sees that it has something. */
  long privateTableMfn() {
    return privateTableMfn;
  }

  EntryUpdates updates() {
    return updates;
  }
}
