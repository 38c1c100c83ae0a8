package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.BUSY;
import static org.xenolith.xen.mm.FrameTable.L1;
import static org.xenolith.xen.mm.FrameTable.L4;
import static org.xenolith.xen.mm.FrameTable.NONE;
import static org.xenolith.xen.mm.FrameTable.SEGMENT_DESCRIPTORS;
import static org.xenolith.xen.mm.FrameTable.VALIDATED;
import static org.xenolith.xen.mm.FrameTable.WRITABLE;

import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.FrameEvent;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.rules.Rule;

/**
 * References to frames and to their types: the rule that a frame is used as one type at a time (Xen: get_page, _get_page_type,
 * _put_page_type, arch/x86/mm.c). Results are 0 or a negated {@link Errno}, with the reason in {@link Refusals}.
 *
 * <p>Hypercalls run to their end here, so no frame is ever left half validated (Xen's PGT_partial): what fails is undone at once.
 */
final class PageTypes {
  private final Hypervisor xen;
  private final FrameTable frames;
  private final FrameAllocator allocator;
  private final TlbFlushes tlb;
  private final Refusals refusals;
  private final FrameLog log;
  private final PageTables tables;
  private final DescriptorChecks descriptors;

  PageTypes(Hypervisor xen, FrameAllocator allocator, TlbFlushes tlb, Refusals refusals, FrameLog log) {
    this.xen = xen;
    this.frames = xen.frames;
    this.allocator = allocator;
    this.tlb = tlb;
    this.refusals = refusals;
    this.log = log;
    this.tables = new PageTables(xen, this, refusals, log);
    this.descriptors = new DescriptorChecks(xen.memory, refusals);
  }

  PageTables tables() {
    return tables;
  }

  DescriptorChecks descriptors() {
    return descriptors;
  }

  /** Takes a reference to a frame that must be a domain's. */
  int getPage(long mfn, int domid) {
    if (!frames.valid(mfn)) {
      return refusals.refuse(Rule.OWN_FRAMES, Errno.EINVAL, mfn, "mfn 0x%x is not RAM of this machine".formatted(mfn));
    }
    if (frames.count(mfn) == 0 || frames.owner(mfn) != domid) {
      refusals.refuse(Rule.OWN_FRAMES, Errno.EINVAL, mfn, "%s is not d%d's".formatted(frames.describe(mfn), domid));
      refusals.line("Error mfn %x: rd=d%d od=%s caf=%016x taf=%016x"
          .formatted(mfn, domid, frames.ownerName(mfn), frames.countWord(mfn), frames.typeWord(mfn)));
      return -Errno.EINVAL;
    }
    return addReference(mfn);
  }

  /** Takes one more reference to a frame that has some. */
  int addReference(long mfn) {
    int count = frames.count(mfn);
    if (count == FrameTable.MAX_COUNT) {
      return refusals.refuse(Rule.COUNT_LIMIT, Errno.EINVAL, mfn, "too many references to " + frames.describe(mfn));
    }
    frames.setCount(mfn, count + 1);
    return 0;
  }

  /** Gives up a reference; a frame without any goes back to Xen. */
  void putPage(long mfn) {
    int count = frames.count(mfn) - 1;
    frames.setCount(mfn, count);
    if (count > 0) {
      return;
    }
    if (count < 0) {
      throw new IllegalStateException("a reference too few: " + frames.describe(mfn));
    }
    if (!frames.is(mfn, FrameTable.XEN_HEAP)) {
      free(mfn);
    }
  }

  private void free(long mfn) {
    Domain owner = xen.domain(frames.owner(mfn));
    if (owner != null) {
      owner.totalPages--;
    }
    xen.mmu.m2p().set(mfn, FrameTable.INVALID_PFN);
    log.frame(FrameEvent.Kind.FREED, mfn);
    allocator.release(mfn);
  }

  /** Gives up the owner's own reference, if it still holds it (put_page_alloc_ref). The caller holds another. */
  void putAllocation(long mfn) {
    if (frames.is(mfn, FrameTable.ALLOCATED)) {
      frames.clear(mfn, FrameTable.ALLOCATED);
      putPage(mfn);
    }
  }

  /**
   * Takes a reference to a frame as {@code type}. The caller holds a reference to the frame. With the first such reference after another
   * type, stale TLB entries are flushed and page tables and descriptor tables are checked.
   */
  int getType(long mfn, int type) {
    int uses = frames.typeCount(mfn);
    int current = frames.type(mfn);
    if (uses == FrameTable.MAX_COUNT) {
      refusals.refuse(Rule.COUNT_LIMIT, Errno.EINVAL, mfn, "too many uses of " + frames.describe(mfn));
      refusals.debugLine("Type count overflow on mfn %x".formatted(mfn));
      return -Errno.EINVAL;
    }
    if (uses > 0) {
      if (current != type) {
        String why = "%s is wanted as %s".formatted(frames.describe(mfn), FrameTable.typeName(type));
        refusals.refuse(Rule.ONE_USE, Errno.EINVAL, mfn, why);
        // Silent where it looks like a linear page table, which may be allowed yet.
        if (current < L1 || current > L4 || type != current - 1) {
          refusals.debugLine("Bad type (saw %016x != exp %016x) for mfn %x (pfn %x)"
              .formatted(frames.typeWord(mfn), FrameTable.typeWord(type), mfn, frames.pfn(mfn)));
        }
        return -Errno.EINVAL;
      }
      if (frames.is(mfn, BUSY)) {
        throw new IllegalStateException("used as what it is just being made: " + frames.describe(mfn));
      }
      frames.setTypeCount(mfn, uses + 1);
      return 0;
    }
    if (current != type) {
      frames.clear(mfn, VALIDATED);
      frames.setType(mfn, type);
    }
    frames.setTypeCount(mfn, 1);
    if (frames.is(mfn, VALIDATED)) {
      log.frame(FrameEvent.Kind.USED, mfn);
      return 0;
    }
    if (current != type) {
      Domain owner = xen.domain(frames.owner(mfn));
      if (owner != null) {
        tlb.flushStale(owner, mfn);
      }
    }
    return type == WRITABLE ? validated(mfn) : validate(mfn, type);
  }

  private int validated(long mfn) {
    frames.set(mfn, VALIDATED);
    log.frame(FrameEvent.Kind.USED, mfn);
    return 0;
  }

  private int validate(long mfn, int type) {
    xen.countWork();
    frames.setLinear(mfn, 0);
    frames.set(mfn, BUSY);
    int rc = type == SEGMENT_DESCRIPTORS ? descriptors.checkPage(mfn) : tables.promote(mfn, type, frames.owner(mfn));
    frames.clear(mfn, BUSY);
    if (rc == 0) {
      return validated(mfn);
    }
    refusals.debugLine("Error while validating mfn %x (pfn %x) for type %016x: caf=%016x taf=%016x"
        .formatted(mfn, frames.pfn(mfn), FrameTable.typeWord(type), frames.countWord(mfn), frames.typeWord(mfn)));
    frames.setTypeCount(mfn, 0);
    frames.setType(mfn, NONE);
    return rc;
  }

  /** Takes a reference to a domain's frame and one to its type. */
  int getPageAndType(long mfn, int type, int domid) {
    int rc = getPage(mfn, domid);
    if (rc == 0) {
      rc = getType(mfn, type);
      if (rc != 0) {
        putPage(mfn);
      }
    }
    return rc;
  }

  /** Gives up a reference to a frame's type; the entries of a page table without any are given up, too. */
  void putType(long mfn) {
    putType(mfn, -1);
  }

  /**
   * Gives up a type reference that an entry of table {@code tableMfn} held.
   *
   * @param tableMfn the table, or -1 where the reference was not held by a table's entry
   */
  void putType(long mfn, long tableMfn) {
    int uses = frames.typeCount(mfn);
    int type = frames.type(mfn);
    if (uses <= 0 || !frames.is(mfn, VALIDATED)) {
      throw new IllegalStateException("a type reference too few: " + frames.describe(mfn));
    }
    boolean linear = tableMfn >= 0 && frames.type(tableMfn) == type;
    if (uses == 1) {
      if (type >= L1 && type <= L4) {
        frames.clear(mfn, VALIDATED);
        frames.set(mfn, BUSY);
        xen.countWork();
        tables.demote(mfn, type);
        frames.clear(mfn, BUSY);
      }
      tlb.stamp(mfn);
      log.frame(FrameEvent.Kind.UNUSED, mfn);
    }
    if (linear) {
      frames.setLinear(mfn, frames.linear(mfn) + 1);
      frames.setLinear(tableMfn, frames.linear(tableMfn) - 1);
    }
    frames.setTypeCount(mfn, uses - 1);
  }

  void putPageAndType(long mfn) {
    putType(mfn);
    putPage(mfn);
  }
}
