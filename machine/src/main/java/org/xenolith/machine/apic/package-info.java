/**
 * Interrupt controllers of processors: the local APIC and what connects several of them. Source: Intel SDM volume 3, chapter "Advanced
 * Programmable Interrupt Controller", and AMD64 APM volume 2, chapter 16.
 */
package org.xenolith.machine.apic;
