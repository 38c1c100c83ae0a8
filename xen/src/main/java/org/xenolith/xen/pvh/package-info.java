/**
 * Xen's hardware container without a device model, PVH: the guest owns privilege level 0 of its processors ({@link
 * org.xenolith.xen.pvh.PvhVcpu} is a {@link org.xenolith.machine.Processor}), and Xen adds a second stage of translation ({@link
 * org.xenolith.xen.pvh.P2m}, changed through {@link org.xenolith.xen.pvh.Physmap} alone, which keeps references, the way back and TLBs
 * right), hypercalls by VMMCALL, interrupts for events, and its own model-specific registers and CPUID leaves.
 */
package org.xenolith.xen.pvh;
