package org.xenolith.image;

import java.util.OptionalLong;

/**
 * Where a PV guest's image goes, computed from its notes and headers as Xen's {@code elf_xen_parse} does (Xen: {@code
 * common/libelf/libelf-dominfo.c}, elf_xen_note_check and elf_xen_addr_calc_check). A segment at physical address {@code pa} goes to
 * pseudo-physical address {@code pa - paddrOffset}, mapped at {@code pa + virtOffset}.
 *
 * @param virtBase virtual address of pseudo-physical address 0
 * @param paddrOffset what to subtract from the ELF file's physical addresses
 * @param virtOffset {@code virtBase - paddrOffset}
 * @param virtStart virtual address of the image's first byte
 * @param virtEnd virtual address after the image's last byte
 * @param virtEntry where the guest starts
 * @param hypercallPage virtual address of the page to fill with hypercall stubs, if the guest has one
 * @param initP2m virtual address for the p2m list, if the guest wants it outside the initial mapping
 */
public record PvLayout(
    long virtBase,
    long paddrOffset,
    long virtOffset,
    long virtStart,
    long virtEnd,
    long virtEntry,
    OptionalLong hypercallPage,
    OptionalLong initP2m) {

  /**
   * @throws ImageException if Xen would refuse to build a PV domain from this image
   */
  static PvLayout of(Elf elf, XenNotes notes) {
    String build = "take a kernel built with CONFIG_XEN_PV=y, or boot it in another mode";
    if (notes.source() == XenNotes.Source.NONE) {
      throw new ImageException("not a Xen PV guest: no Xen notes and no __xen_guest section", build);
    }
    if (elf.machine() == Elf.MACHINE_I386) {
      throw new ImageException("a 32-bit kernel: not supported as a PV guest", "take a 64-bit one");
    }
    if (!elf.wide()) {
      throw new ImageException("64-bit code in a 32-bit ELF file: made for a hardware container, not for PV", "boot it with --mode pvh");
    }
    if (!notes.loader().startsWith("generic") && !notes.guestOs().startsWith("linux")) {
      throw new ImageException(
          "not a Xen PV guest: its notes name neither the loader \"generic\" nor the guest \"linux\" (LOADER \"%s\", GUEST_OS \"%s\")"
              .formatted(notes.loader(), notes.guestOs()),
          build);
    }
    if (!notes.xenVersion().startsWith("xen-3.0")) {
      throw new ImageException("for another Xen ABI: the note XEN_VERSION is \"%s\", not \"xen-3.0\"".formatted(notes.xenVersion()), build);
    }
    if (!notes.features().unknownRequired().isEmpty()) {
      throw new ImageException("requires features that Xen does not have: " + notes.features().unknownRequired(), build);
    }
    if (notes.paddrOffset().isPresent() && notes.virtBase().isEmpty()) {
      throw new ImageException("the note PADDR_OFFSET is set and VIRT_BASE is not", build);
    }
    long virtBase = notes.virtBase().orElse(0);
    // The string's default is the virtual base, for the sake of old guests with virtual addresses in place of physical ones.
    long paddrOffset = notes.paddrOffset().orElse(notes.source() == XenNotes.Source.XEN_GUEST_SECTION ? virtBase : 0);
    long virtOffset = virtBase - paddrOffset;
    long low = -1;
    long high = 0;
    for (Segment segment : elf.segments()) {
      if (segment.flags() != 0) {
        long end = segment.pa() + segment.memorySize();
        low = Long.compareUnsigned(segment.pa(), low) < 0 ? segment.pa() : low;
        high = Long.compareUnsigned(end, high) > 0 ? end : high;
      }
    }
    long start = low + virtOffset;
    long end = high + virtOffset;
    long entry = notes.entry().orElse(elf.entry());
    if (Long.compareUnsigned(start, end) > 0
        || Long.compareUnsigned(entry, start) < 0
        || Long.compareUnsigned(entry, end) > 0
        || Long.compareUnsigned(virtBase, start) > 0) {
      throw new ImageException(
          "the entry point 0x%x or the base 0x%x does not fit the image at 0x%x to 0x%x".formatted(entry, virtBase, start, end), build);
    }
    OptionalLong p2m = notes.initP2m();
    if (p2m.isPresent() && Long.compareUnsigned(p2m.getAsLong(), start) >= 0 && Long.compareUnsigned(p2m.getAsLong(), end) < 0) {
      throw new ImageException("the note INIT_P2M, 0x%x, is inside the image".formatted(p2m.getAsLong()), build);
    }
    return new PvLayout(virtBase, paddrOffset, virtOffset, start, end, entry, notes.hypercallPage(), p2m);
  }
}
