package org.xenolith.xen.grant;

import org.xenolith.xen.Vcpu;

/**
 * Where a domain maps granted frames: entries of its page tables, or, in a container, of its second stage. The references that a mapping
 * holds are taken by who maps the grant, before, and given up by who unmaps it.
 */
public interface GrantEntries {
  /**
   * Maps a granted frame.
   *
   * @param address a linear address, or with {@code isEntry} the machine address of the entry itself; a container's guest-physical address
   * @param flags of the entry of a page table, besides the frame
   * @return whether the address was good
   */
  boolean map(Vcpu vcpu, long address, boolean isEntry, long mfn, long flags);

  /**
   * Removes the mapping of a granted frame, or puts another entry in its place.
   *
   * @param from the linear address whose entry is to be moved here; 0 for none
   * @return whether the frame was mapped at the address as said, and {@code from} could be had
   */
  boolean unmap(Vcpu vcpu, long address, boolean isEntry, long mfn, boolean writable, long from);
}
