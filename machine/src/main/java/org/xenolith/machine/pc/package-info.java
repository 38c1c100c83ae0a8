/**
 * A plain PC: its devices, its firmware's tables, the loaders that put a kernel into it, and the machine of it all. Devices follow their
 * data sheets; what a data sheet leaves open is as most PCs have it. A device costs nothing while nobody looks: counters are computed from
 * the clock, and only what will interrupt waits in the event queue.
 */
package org.xenolith.machine.pc;
